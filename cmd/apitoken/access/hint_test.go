package access

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// TestErrorsOfCallsHaveAHint makes calls that fail before the service answers.
func TestErrorsOfCallsHaveAHint(t *testing.T) {
	slow := make(chan struct{})
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-slow })
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(func() { close(slow); plain.Close(); secure.Close() })
	own := x509.NewCertPool()
	own.AddCert(secure.Certificate())
	for _, c := range []struct {
		name, url string
		roots     *x509.CertPool
		now       time.Time
		want      string
	}{
		{"an unknown authority", secure.URL, nil, time.Time{}, "certificate signed by unknown authority: if this is a --tls-self-signed service, give --ca-file DIR/tls.crt"},
		{"another name", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), own, time.Time{}, "the certificate is for other names"},
		{"an expired certificate", secure.URL, own, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), "correct the clock of this machine"},
		{"https to a plain port", strings.Replace(plain.URL, "http://", "https://", 1), own, time.Time{}, "use http://"},
		{"http to a port with TLS", strings.Replace(secure.URL, "https://", "http://", 1), own, time.Time{}, "if the port speaks https, begin the address with https://"},
		{"http to a port with TLS that sends an alert", answering(t, "\x15\x03\x01\x00\x02\x02\x46"), nil, time.Time{}, "the port speaks https: begin the address with https://"},
		{"http to a port that closes", answering(t, ""), nil, time.Time{}, "if the port speaks https, begin the address with https://"},
		{"no service", "http://127.0.0.1:1", own, time.Time{}, "no service listens at this address"},
		{"no answer", plain.URL, own, time.Time{}, "does not answer in time"},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}}
		if !c.now.IsZero() {
			transport.TLSClientConfig.Time = func() time.Time { return c.now }
		}
		hc := &http.Client{Transport: transport, Timeout: time.Minute}
		if c.url == plain.URL {
			hc.Timeout = 500 * time.Millisecond
		}
		_, err := httpapi.NewClient(c.url, secret.Secret{}, hc).Version(t.Context())
		if got := Explain(err).Error(); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.name, got, c.want)
		}
	}
}

// answering is the address of a server that reads something, answers with the text and
// closes the connection.
func answering(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			io.WriteString(c, text)
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestASocketThatDoesNotWorkHasAHint: no other hint about addresses fits.
func TestASocketThatDoesNotWorkHasAHint(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no service has a socket there; start one with `apitoken serve --listen unix:PATH`",
		dead:                       "no service listens at this address",
	} {
		_, err := httpapi.NewClient(unixBase, secret.Secret{}, &http.Client{Transport: unixTransport(path)}).Version(t.Context())
		if got := Explain(err).Error(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if got := Hint(denied); got != "this user may not use the socket; its user and its group may" {
		t.Errorf("got %q", got)
	}
}

// TestAnUnknownHostHasAHint: a test cannot rely on a server for names.
func TestAnUnknownHostHasAHint(t *testing.T) {
	err := fmt.Errorf("asking the service: %w", &net.DNSError{Err: "no such host", Name: "host.invalid", IsNotFound: true})
	if got := Explain(err).Error(); !strings.HasSuffix(got, "there is no host of this name; check the address of the service") {
		t.Errorf("got %q", got)
	}
}
