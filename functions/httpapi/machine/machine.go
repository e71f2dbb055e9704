package machine

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// Config is the configuration of the handler. Issuer and Logger are required. So
// is Guard, unless TrustPrincipal is set and no route in Only has Direct.
type Config struct {
	Issuer  *issuer.Issuer
	Guard   *guard.Guard
	Logger  *slog.Logger
	Version string // of this release

	// Deployment is the id of this deployment. It is required if one of the calls
	// answers events or names the deployment.
	Deployment string

	// PublicURL is the address of the service for its clients (events.PublicURL), or "".
	// With it, the answer 401 says where the metadata of RFC 9728 are: at MetadataPath.
	PublicURL string

	// Identities are the issuers whose identities open sessions. Default: there are none,
	// and only tokens open sessions.
	Identities Identities

	// Keys seal the sign-ins that browsers have begun. They are required with Identities.
	Keys events.Keys

	// SignInForm writes the problems of a sign-in with a browser. The default is a plain
	// page.
	SignInForm func(*Problem) Form

	// Ready returns an error if the service cannot do its work now. The handler
	// calls it at most once a second. The default is that it always can.
	Ready func(context.Context) error

	// Only has names of Lambda functions (Route.Function). The handler serves only
	// their routes, and only the faces that have one. To a method that a path of such a
	// face does not have, it answers 405 with the methods of all functions. If Only is
	// empty, it serves all routes.
	Only []string

	// TrustPrincipal says that a gateway has authenticated each request: the
	// handler takes the principal from the request's context and refuses a
	// request without one. Otherwise the handler calls Guard itself. A route with
	// Direct always calls Guard.
	TrustPrincipal bool

	// Passwords checks the passwords of users. Default: there are none, and every sign-in
	// with a password is refused.
	Passwords Passwords

	// Source returns the address that a request came from, or the zero Addr if
	// the address is unknown. The default reads RemoteAddr.
	Source func(*http.Request) netip.Addr

	// Observe is called after each answer, with what the log line says: the operation,
	// the code and the duration. These two texts are constants of the program, and no
	// client can choose others. It must not wait. Default: none.
	Observe func(operation, code string, took time.Duration)

	Now func() time.Time // for the durations in the log and for Ready; default time.Now

	challengesMissing, challengesRefused []string // all answers share them, so no code may write to them
}

// MetadataPath is the path of the metadata of RFC 9728.
const MetadataPath = "/.well-known/oauth-protected-resource"

// handler serves all faces.
type handler struct {
	mux   *http.ServeMux
	exact map[string]*resource // the paths without wildcards; they do not need the mux
	faces []*face
}

// face is a Face that is served.
type face struct {
	Face
	Config   *Config
	notFound *resource // answers every path that the face does not have
}

// New returns the handler of the faces. If a gateway or a stage adds a prefix to the
// path, the caller removes the prefix from URL.Path and leaves RequestURI unchanged,
// as http.StripPrefix does. Links to the next page then keep the prefix. New panics
// if a name in Only is no function, if faces or routes contradict each other, if a call
// answers events and the Deployment is missing or invalid, if a call checks
// credentials and the Guard is missing, or if there are Identities and no Keys.
func New(c Config, faces ...Face) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Source == nil {
		c.Source = RemoteAddr
	}
	if c.Observe == nil {
		c.Observe = func(string, string, time.Duration) {}
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	c.Ready = (&readiness{check: c.Ready, now: c.Now}).ready
	c.challengesMissing, c.challengesRefused = challengesOf(c.PublicURL)
	mustFit(faces)
	mustHaveFunctions(faces, c.Only)
	if c.Identities != nil && c.Keys.Current() == "" {
		panic("machine: Keys are missing, but Identities are there, so browsers sign in")
	}
	h := &handler{mux: http.NewServeMux(), exact: map[string]*resource{}}
	h.mux.HandleFunc("/", h.unknown)
	for _, f := range faces {
		if slices.ContainsFunc(f.Calls, func(call Call) bool { return served(call, c.Only) }) {
			mustHaveDeployment(c, f.Calls)
			mustHaveGuard(c, f.Calls)
			h.add(&face{Face: f, Config: &c})
		}
	}
	return h
}

func (h *handler) add(f *face) {
	f.notFound = &resource{face: f}
	h.faces = append(h.faces, f)
	for path, r := range resources(f, f.Config.Only) {
		h.mux.Handle(path, r)
		h.mux.Handle(path+"/{$}", r)
		if !strings.Contains(path, "{") {
			h.exact[path], h.exact[path+"/"] = r, r
		}
	}
}

// mustHaveDeployment finds the error of a program before the first request.
func mustHaveDeployment(c Config, calls []Call) {
	if !slices.ContainsFunc(calls, func(call Call) bool { return (call.Events || call.Named) && served(call, c.Only) }) {
		return
	}
	if err := events.ValidDeployment(c.Deployment); err != nil {
		panic("machine: Deployment: " + err.Error())
	}
}

// mustHaveGuard finds the same kind of error: without it, every request with a
// credential would be answered as a fault.
func mustHaveGuard(c Config, calls []Call) {
	for _, call := range calls {
		if checks := !call.Open && (call.Direct || !c.TrustPrincipal); checks && served(call, c.Only) && c.Guard == nil {
			panic(fmt.Sprintf("machine: Guard is missing, but the route %s %s checks credentials", call.Method, call.Path))
		}
	}
}

// ServeHTTP answers unclean paths itself, because ServeMux would redirect them. It
// checks the escaped path: %2F is a part of a segment.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if !isClean(path) {
		h.unknown(w, r)
		return
	}
	if f := h.faceOf(path); f.Canonical != nil {
		path = f.Canonical(path)
		r = withPath(r, path)
	}
	if exact, ok := h.exact[path]; ok { // the mux would take 0.4 µs to find it
		exact.ServeHTTP(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// unknown answers a path that no face has.
func (h *handler) unknown(w http.ResponseWriter, r *http.Request) {
	h.faceOf(r.URL.EscapedPath()).notFound.ServeHTTP(w, r)
}

// faceOf returns the face that a path belongs to: the one with the path's beginning,
// otherwise the one without an Under, or the only one of a function.
func (h *handler) faceOf(path string) *face {
	found := h.faces[0]
	for _, f := range h.faces {
		switch {
		case f.Under == "":
			found = f
		case f.isUnder(path):
			return f
		}
	}
	return found
}

// sentURL is the key of the URL as it was sent, in the context of a request with
// another path.
type sentURL struct{}

// withPath returns a copy of the request with another escaped path. The path is
// clean, and its escapes are those of the request, so it decodes.
func withPath(r *http.Request, path string) *http.Request {
	other := r.WithContext(context.WithValue(r.Context(), sentURL{}, r.URL))
	u := *r.URL
	u.Path, u.RawPath = decodedPath(path), path
	other.URL = &u
	return other
}

func decodedPath(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return decoded
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

// RemoteAddr returns the address of the peer of a request, or the zero Addr if it has
// none, as on a Unix socket.
func RemoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
