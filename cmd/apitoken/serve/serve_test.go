package serve

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

func TestCertificateIsReplacedOnlyWhenNeeded(t *testing.T) {
	f, err := datadir.Open(t.Context(), filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := hosts("example.org:443")
	began := time.Now()
	first := certificate(t, f, names, began)
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "example.org"} {
		if err := first.Leaf.VerifyHostname(host); err != nil {
			t.Errorf("the certificate is not valid for %s: %v", host, err)
		}
	}
	for _, row := range []struct {
		name  string
		names []string
		now   time.Time
		kept  bool
	}{
		{"the next day", names, began.Add(24 * time.Hour), true},
		{"for fewer hosts", hosts("127.0.0.1:443"), began, true},
		{"just before its last month", names, first.Leaf.NotAfter.Add(-certificateRenew - time.Second), true},
		{"in its last month", names, first.Leaf.NotAfter.Add(-certificateRenew), false},
		{"for another host", hosts("other.example.org:443"), began, false},
	} {
		now := certificate(t, f, row.names, row.now)
		if kept := now.Leaf.Equal(first.Leaf); kept != row.kept {
			t.Errorf("%s: the certificate was kept: %v, want %v", row.name, kept, row.kept)
		}
		first = now
	}
}

func certificate(t *testing.T, f *datadir.Folder, names []string, now time.Time) tls.Certificate {
	t.Helper()
	c, err := selfSigned(f, names, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCertificateNamesLoopbackAndTheListenAddress(t *testing.T) {
	for listen, extra := range map[string][]string{
		"127.0.0.1:8080": {"127.0.0.1"}, "0.0.0.0:1": nil, "[::]:1": nil, ":1": nil,
		"[fd00::1]:1": {"fd00::1"}, "example.org:1": {"example.org"},
	} {
		want := append([]string{"localhost", "127.0.0.1", "::1"}, extra...)
		if got := hosts(listen); !slices.Equal(got, want) {
			t.Errorf("hosts(%q) = %q, want %q", listen, got, want)
		}
	}
}

func TestLoopbackAddressesAreRecognized(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"0.0.0.0": false, "::": false, "192.0.2.1": false,
	} {
		if got := loopback(&net.TCPAddr{IP: net.ParseIP(text), Port: 1}); got != want {
			t.Errorf("loopback(%s) = %v, want %v", text, got, want)
		}
	}
}
