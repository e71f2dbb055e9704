package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

func openFolder(t *testing.T) *datadir.Folder {
	t.Helper()
	f, err := datadir.Open(t.Context(), filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func signed(t *testing.T, f *datadir.Folder, names []string, now time.Time, before *tls.Certificate) *tls.Certificate {
	t.Helper()
	c, err := selfSigned(f, names, now, before)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// trusts reports whether a client that has the text of a tls.crt accepts a certificate
// for the name.
func trusts(t *testing.T, root string, c *tls.Certificate, name string, at time.Time) error {
	t.Helper()
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(root))
	for _, der := range c.Certificate[1:] {
		other, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(other)
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, Intermediates: between, CurrentTime: at})
	return err
}

// TestClientsTrustEachCertificateOfAFolder: other names, other periods, new starts and
// a new root need no change at a client that has the first tls.crt.
func TestClientsTrustEachCertificateOfAFolder(t *testing.T) {
	f, began := openFolder(t), time.Now()
	names := hosts("example.org:443", nil)
	used := signed(t, f, names, began, nil)
	first := text(t, f.CertificatePath())
	for _, row := range []struct {
		name          string
		names         []string
		after         time.Duration
		same, newRoot bool
	}{
		{"the next minute", names, time.Minute, true, false},
		{"for fewer names", hosts("127.0.0.1:443", nil), time.Minute, true, false},
		{"just before its last month", names, leafLife - leafRenew - time.Minute, true, false},
		{"in its last month", names, leafLife - leafRenew, false, false},
		{"for another name", hosts("127.0.0.1:443", []string{"other.example.org", "192.0.2.7"}), leafLife - leafRenew, false, false},
		{"before the last year of the root", names, rootLife - rootRenew - time.Minute, false, false},
		{"in the last year of the root", names, rootLife - rootRenew, false, true},
		{"on the last day of the first root", names, rootLife - 24*time.Hour, false, false},
	} {
		now := began.Add(row.after)
		rootBefore := text(t, f.CertificatePath())
		next := signed(t, f, row.names, now, used)
		if same := next.Leaf.Equal(used.Leaf); same != row.same {
			t.Errorf("%s: the certificate is the same: %v, want %v", row.name, same, row.same)
		}
		root := text(t, f.CertificatePath())
		if newRoot := root != rootBefore; newRoot != row.newRoot {
			t.Errorf("%s: the root is new: %v, want %v", row.name, newRoot, row.newRoot)
		}
		for _, name := range row.names {
			for _, trusted := range []string{first, root} {
				if err := trusts(t, trusted, next, name, now); err != nil {
					t.Errorf("%s: a client does not trust it for %s: %v", row.name, name, err)
				}
			}
		}
		used = next
	}
	if err := trusts(t, first, used, "elsewhere.example.org", began.Add(rootLife-24*time.Hour)); err == nil {
		t.Error("a name that is not in the certificate was accepted")
	}
	other := openFolder(t)
	signed(t, other, names, began, nil)
	if err := trusts(t, text(t, other.CertificatePath()), used, "localhost", began.Add(rootLife-24*time.Hour)); err == nil {
		t.Error("the root of another folder was accepted")
	}
}

func TestTheRootIsReadableToAllAndItsKeyOnlyToItsOwner(t *testing.T) {
	f := openFolder(t)
	signed(t, f, nil, time.Now(), nil)
	for path, want := range map[string]os.FileMode{f.CertificatePath(): 0o644, f.KeyPath(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want mode %o", path, info, err, want)
		}
	}
}

// TestALostRootIsMadeAgainWithItsKey covers a process that was killed between the two
// files, and a tls.crt that somebody removed: clients that have it go on.
func TestALostRootIsMadeAgainWithItsKey(t *testing.T) {
	f, now := openFolder(t), time.Now()
	signed(t, f, nil, now, nil)
	first, key := text(t, f.CertificatePath()), text(t, f.KeyPath())
	if err := os.Remove(f.CertificatePath()); err != nil {
		t.Fatal(err)
	}
	next := signed(t, f, []string{"localhost"}, now.Add(time.Second), nil)
	if text(t, f.KeyPath()) != key {
		t.Error("the key is another one")
	}
	if err := trusts(t, first, next, "localhost", now); err != nil {
		t.Error(err)
	}
}

// TestALostOrDamagedKeyIsAnError: a new key would end the trust of all clients.
func TestALostOrDamagedKeyIsAnError(t *testing.T) {
	for name, row := range map[string]struct {
		damage func(f *datadir.Folder) error
		want   string
	}{
		"lost":    {func(f *datadir.Folder) error { return os.Remove(f.KeyPath()) }, "tls.key: no such file or directory; restore both files, or remove both"},
		"damaged": {func(f *datadir.Folder) error { return os.WriteFile(f.KeyPath(), []byte("x"), 0o600) }, "restore both files, or remove both"},
		"open":    {func(f *datadir.Folder) error { return os.Chmod(f.KeyPath(), 0o644) }, "is open to other users"},
		"no crt":  {func(f *datadir.Folder) error { return os.WriteFile(f.CertificatePath(), []byte("x"), 0o600) }, "restore both files, or remove both"},
		"key only": {func(f *datadir.Folder) error {
			os.Remove(f.CertificatePath())
			return os.WriteFile(f.KeyPath(), []byte("x"), 0o600)
		}, "tls.key has no private key"},
	} {
		f := openFolder(t)
		signed(t, f, nil, time.Now(), nil)
		if err := row.damage(f); err != nil {
			t.Fatal(err)
		}
		if _, err := selfSigned(f, nil, time.Now(), nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}

// TestACertificateOfAnEarlierVersionIsUsedWhileItFits: it signs itself and no other.
func TestACertificateOfAnEarlierVersionIsUsedWhileItFits(t *testing.T) {
	f, now := openFolder(t), time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := leafTemplate([]string{"localhost"}, now)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := datadir.WritePrivate(f.KeyPath(), pemText("PRIVATE KEY", pkcs8)); err != nil {
		t.Fatal(err)
	}
	if err := datadir.WritePrivate(f.CertificatePath(), pemText("CERTIFICATE", der)); err != nil {
		t.Fatal(err)
	}
	before := signed(t, f, []string{"localhost"}, now, nil)
	if !slices.Equal(before.Certificate[0], der) {
		t.Error("the certificate is another one, and clients trusted the first")
	}
	after := signed(t, f, []string{"localhost", "example.org"}, now, before)
	if err := trusts(t, text(t, f.CertificatePath()), after, "example.org", now); err != nil {
		t.Errorf("the root is not there: %v", err)
	}
}

func TestCertificateNamesLoopbackAndTheListenAddress(t *testing.T) {
	always := []string{"localhost", "127.0.0.1", "::1"}
	for listen, extra := range map[string][]string{
		"127.0.0.1:8080": nil, "[fd00::1]:1": {"fd00::1"}, "example.org:1": {"example.org"},
	} {
		if got, want := hosts(listen, nil), append(slices.Clone(always), extra...); !slices.Equal(got, want) {
			t.Errorf("hosts(%q) = %q, want %q", listen, got, want)
		}
	}
	if got := hosts("127.0.0.1:1", []string{"a.example.org", "localhost", "192.0.2.7"}); !slices.Equal(got, append(slices.Clone(always), "a.example.org", "192.0.2.7")) {
		t.Errorf("with --tls-name: got %q", got)
	}
}

// TestAServerOnAllAddressesHasTheNamesOfTheMachine compares with what this machine has.
func TestAServerOnAllAddressesHasTheNamesOfTheMachine(t *testing.T) {
	var want []string
	if name, err := os.Hostname(); err == nil && hostName(name) {
		want = append(want, name)
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n := a.(*net.IPNet); n.IP.IsGlobalUnicast() {
			want = append(want, n.IP.String())
		}
	}
	if len(want) == 0 {
		t.Skip("this machine has neither a host name nor an address")
	}
	f := openFolder(t)
	for _, listen := range []string{"0.0.0.0:1", "[::]:1", ":1"} {
		c := signed(t, f, hosts(listen, nil), time.Now(), nil)
		for _, name := range want {
			if err := c.Leaf.VerifyHostname(name); err != nil {
				t.Errorf("%s: %v", listen, err)
			}
		}
	}
}

func TestOnlyHostNamesAndAddressesAreNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"tokens.example.com": true, "a": true, "192.0.2.7": true, "fd00::1": true, "x-1.example": true, "1.example": true,
		"": false, "https://example.com": false, "example.com:443": false, "[::1]": false, "*.example.com": false, "a_b": false,
		"-a.example": false, "a-.example": false, "a..b": false, "a.": false, "10.0.0.256": false, "example.com/": false, "fe80::1%eth0": false,
		strings.Repeat("a.", 127) + "a": false, "müller.example": false, "a b": false,
	} {
		if err := checkNames([]string{name}); (err == nil) != ok {
			t.Errorf("%q: got %v, want it accepted: %v", name, err, ok)
		}
	}
}
