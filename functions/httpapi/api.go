package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// Config is what the handler is made of. Issuer, Guard (unless TrustPrincipal)
// and Logger are needed.
type Config struct {
	Issuer  *issuer.Issuer
	Guard   *guard.Guard
	Logger  *slog.Logger
	Version string // of this release, shown by GET /v1/version

	// Ready says whether the service can do its work now; nil: always.
	Ready func(context.Context) error

	// Only names the functions whose calls are answered; none: all of them.
	Only []string

	// TrustPrincipal says that a gateway in front authenticates: a request
	// without a principal in its context is then refused. Otherwise the guard
	// decides here.
	TrustPrincipal bool

	// Source is the address that a request came from; nil: its RemoteAddr. It
	// may be the zero Addr if that is not known.
	Source func(*http.Request) netip.Addr

	Now func() time.Time // nil: time.Now; for the log's durations
}

// api is the handler.
type api struct {
	Config
	mux     *http.ServeMux
	nowhere *resource
}

// New makes the handler. A gateway or stage in front of it whose path prefix
// is not for the handler takes it off URL.Path and leaves RequestURI alone, as
// http.StripPrefix does: links to further pages then keep the prefix.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Source == nil {
		c.Source = remoteAddr
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	a := &api{Config: c, mux: http.NewServeMux()}
	a.nowhere = &resource{api: a}
	a.mux.Handle("/", a.nowhere)
	for path, r := range resources(a, chosen(c.Only)) {
		a.mux.Handle(path, r)
		a.mux.Handle(path+"/{$}", r)
	}
	return a
}

// ServeHTTP keeps from the mux what it would answer with a redirect. Like the
// mux it looks at the path as it was sent: what is escaped belongs to a segment.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !clean(r.URL.EscapedPath()) {
		a.nowhere.ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// clean says that a path begins with a slash and has neither empty nor dot
// segments.
func clean(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return false
	}
	if !strings.Contains(path, "/.") {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func remoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket, for one, has no address
	}
	return at.Addr().Unmap()
}
