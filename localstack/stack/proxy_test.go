package stack_test

import (
	"encoding/pem"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tlsProxy returns the address of a proxy that adds the stage to each path, as a
// domain name of API Gateway does, and the path of the proxy's certificate. A link to
// a next page has the stage already.
func (s *stack) tlsProxy(t *testing.T) (host, port, certificate string) {
	t.Helper()
	api, err := url.Parse(s.api.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to := *api
		if strings.HasPrefix(r.In.URL.Path, to.Path+"/") {
			to.Path = ""
		}
		r.SetURL(&to)
		r.Out.Host = s.api.host
		r.Out.Header.Set("X-Forwarded-Proto", "https") // as API Gateway does
	}})
	t.Cleanup(proxy.Close)
	host, port, err = net.SplitHostPort(proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	certificate = filepath.Join(t.TempDir(), "proxy.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return host, port, certificate
}
