package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// Config is the configuration of the handler. Issuer and Logger are required. So
// is Guard, unless TrustPrincipal is set and no route in Only has Self.
type Config struct {
	Issuer  *issuer.Issuer
	Guard   *guard.Guard
	Logger  *slog.Logger
	Version string // of this release; GET /v1/version answers it

	// Deployment is the id of this deployment. It is required if one of the calls
	// answers events.
	Deployment string

	// Ready returns an error if the service cannot do its work now. The handler
	// calls it at most once a second. The default is that it always can.
	Ready func(context.Context) error

	// Only has names of Lambda functions (Route.Function). The handler serves only
	// their routes. If Only is empty, it serves all routes.
	Only []string

	// TrustPrincipal says that a gateway has authenticated each request: the
	// handler takes the principal from the request's context and refuses a
	// request without one. Otherwise the handler calls Guard itself. A route with
	// Self always calls Guard.
	TrustPrincipal bool

	// Source returns the address that a request came from, or the zero Addr if
	// the address is unknown. The default reads RemoteAddr.
	Source func(*http.Request) netip.Addr

	Now func() time.Time // for the durations in the log and for Ready; default time.Now
}

// api is the handler.
type api struct {
	Config
	mux      *http.ServeMux
	notFound *resource // answers every path that the service does not have
}

// New returns the handler. If a gateway or a stage adds a prefix to the path, the
// caller removes the prefix from URL.Path and leaves RequestURI unchanged, as
// http.StripPrefix does. Links to the next page then keep the prefix. New panics
// if a call answers events and the Deployment is missing or invalid.
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
	c.Ready = (&readiness{check: c.Ready, now: c.Now}).ready
	a := &api{Config: c, mux: http.NewServeMux()}
	a.notFound = &resource{api: a}
	a.mux.Handle("/", a.notFound)
	served := callsOf(c.Only)
	mustHaveDeployment(c, served)
	for path, r := range resources(a, served) {
		a.mux.Handle(path, r)
		a.mux.Handle(path+"/{$}", r)
	}
	return a
}

// mustHaveDeployment finds the error of a program before the first request.
func mustHaveDeployment(c Config, served []call) {
	if !slices.ContainsFunc(served, func(c call) bool { return c.Events }) {
		return
	}
	if err := events.ValidDeployment(c.Deployment); err != nil {
		panic("httpapi: Deployment: " + err.Error())
	}
}

// ServeHTTP answers unclean paths itself, because ServeMux would redirect them.
// It checks the escaped path: %2F is a part of a segment.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isClean(r.URL.EscapedPath()) {
		a.notFound.ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// isClean reports whether a path begins with a slash, and has no empty segments,
// no dot segments and no segment that is only an encoded slash. ServeMux reads
// such a segment as the slash at the end of the path.
func isClean(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return false
	}
	if !strings.Contains(path, "/.") && !strings.Contains(path, "/%2") {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." || strings.EqualFold(segment, "%2F") {
			return false
		}
	}
	return true
}

func remoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // for example a Unix socket, which has no address
	}
	return at.Addr().Unmap()
}
