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
	"strings"
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
		{"an unknown authority", secure.URL, nil, time.Time{}, "certificate signed by unknown authority: if the service made its own certificate, give --ca-file"},
		{"another name", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), own, time.Time{}, "the certificate is for other names"},
		{"an expired certificate", secure.URL, own, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), "correct the clock of this machine"},
		{"https to a plain port", strings.Replace(plain.URL, "http://", "https://", 1), own, time.Time{}, "use http://"},
		{"http to a port with TLS", strings.Replace(secure.URL, "https://", "http://", 1), own, time.Time{}, "use https://"},
		{"no service", "http://127.0.0.1:1", own, time.Time{}, "no service listens at this address"},
		{"no answer", plain.URL, own, time.Time{}, "does not answer in time"},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}}
		if !c.now.IsZero() {
			transport.TLSClientConfig.Time = func() time.Time { return c.now }
		}
		hc := &http.Client{Transport: transport, Timeout: 500 * time.Millisecond}
		_, err := httpapi.NewClient(c.url, secret.Secret{}, hc).Version(t.Context())
		if got := Explain(err).Error(); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.name, got, c.want)
		}
	}
}

// TestAnUnknownHostHasAHint: a test cannot rely on a server for names.
func TestAnUnknownHostHasAHint(t *testing.T) {
	err := fmt.Errorf("asking the service: %w", &net.DNSError{Err: "no such host", Name: "host.invalid", IsNotFound: true})
	if got := Explain(err).Error(); !strings.HasSuffix(got, "there is no host of this name; check the address of the service") {
		t.Errorf("got %q", got)
	}
}
