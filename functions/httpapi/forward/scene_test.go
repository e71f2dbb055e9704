package forward_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"testing"

	"apitoken/infra/briefhttp"
)

var secretForm = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// contextWith returns the context of a request that came to a local address.
func contextWith(r *http.Request, local net.Addr) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, local)
}

// serve runs the server that apitoken serve has for proxies, until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	s := &briefhttp.Server{Handler: h, MaxHeaderBytes: http.DefaultMaxHeaderBytes, Logger: slog.New(slog.DiscardHandler)}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

type unixDialer struct{ path string }

func (d *unixDialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", d.path)
}
