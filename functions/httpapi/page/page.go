package page

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Under is the path that all paths of the page begin with.
const Under = "/ui/"

// Answers reports whether the page answers a path. The two paths of the sign-in at an
// issuer are calls of the API, because they open sessions.
func Answers(path string) bool {
	path = strings.TrimSuffix(path, "/") + "/"
	return strings.HasPrefix(path, Under) && path != Under+"login/" && path != Under+"callback/"
}

// Config is the configuration of the page. API, Source and Logger are required.
type Config struct {
	// API returns the transport for the calls of one request. InProcess returns one
	// for a handler in the same process.
	API func(*http.Request) http.RoundTripper

	// Base is the address of the API for this transport, without a slash at its end.
	// Default: a name that only InProcess knows. With a Base, the API sees the page as
	// the source of its calls.
	Base string

	// Source returns the address that a request came from, or the zero Addr if the
	// address is unknown.
	Source func(*http.Request) netip.Addr

	// PublicURL is the address of the service for its clients (events.PublicURL), for
	// the command that the page shows. "": the address in the browser.
	PublicURL string

	Logger *slog.Logger
	Now    func() time.Time // default time.Now
}

// site is the page. It answers all requests.
type site struct {
	Config
	routes map[string]route
}

// route has the two methods of one address. nil: the address does not allow it.
type route struct {
	get, post func(*visit) error
	open      bool // it needs no session
}

// New returns the handler of all paths below Under, and of Under without its slash.
func New(c Config) http.Handler {
	c.Base = cmp.Or(c.Base, inProcess)
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &site{Config: c, routes: routes()}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(s.denyOrigin))
	return s.logged(withHeaders(protection.Handler(s)))
}

func routes() map[string]route {
	return map[string]route{
		"":         {get: (*visit).showTokens},
		"create":   {get: (*visit).showCreate, post: (*visit).create},
		"token":    {get: (*visit).showToken, post: (*visit).changeToken},
		"rotate":   {get: (*visit).showRotate, post: (*visit).rotate},
		"revoke":   {get: (*visit).showRevoke, post: (*visit).revoke},
		"history":  {get: (*visit).showHistory},
		"all":      {get: (*visit).showAll},
		"find":     {get: (*visit).showFind, post: (*visit).find},
		"user":     {get: (*visit).showUser, post: (*visit).changeUser},
		"sessions": {get: (*visit).showSessions, post: (*visit).closeSession},
		"settings": {get: (*visit).showSettings, post: (*visit).changeSettings},
		"group":    {get: (*visit).showGroup, post: (*visit).setGroup},
		"sign-in":  {get: (*visit).showSignIn, post: (*visit).signIn, open: true},
		"sign-out": {post: (*visit).signOut, open: true},
	}
}

// ServeHTTP answers one request that is not of another origin.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path+"/" == Under {
		redirect(w, strings.Trim(Under, "/")+"/")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, Under)
	if serveAsset(w, r, path) {
		return
	}
	v := &visit{site: s, w: w, r: r, path: path}
	if err := v.answer(); err != nil {
		v.fail(err)
	}
}

// policy forbids everything that the page does not use. The page makes no HTML from
// text in its script, so no type is trusted.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// withHeaders adds the headers that every answer has. The referrer stays within the
// page: with no-referrer, browsers send the origin null with a form, and browsers
// that send no Sec-Fetch-Site could then send no form.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *site) denyOrigin(w http.ResponseWriter, r *http.Request) {
	v := &visit{site: s, w: w, r: r}
	v.failed(http.StatusForbidden, "This form came from another site", "The page accepts only its own forms. Nothing was changed. Open the page itself and repeat what you wanted to do.", "")
}

// redirect sends the browser to another address of the page. The address is
// relative, because the page does not know the path prefix that it is below.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
