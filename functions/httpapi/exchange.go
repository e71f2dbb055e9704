package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/name"
	"apitoken/events/secret"
)

// resource answers all calls of one path.
type resource struct {
	api     *api
	pattern string          // "" for all paths that the service does not have
	calls   map[string]call // by method
	allow   string          // the Allow header
}

// resources returns the resources of the calls, by path.
func resources(a *api, calls []call) map[string]*resource {
	byPath := map[string]*resource{}
	for _, c := range calls {
		r, ok := byPath[c.Path]
		if !ok {
			r = &resource{api: a, pattern: c.Path, calls: map[string]call{}}
			byPath[c.Path] = r
		}
		r.calls[c.Method] = c
		if c.Method == http.MethodGet {
			r.calls[http.MethodHead] = c
		}
	}
	for _, r := range byPath {
		r.allow = strings.Join(slices.Sorted(maps.Keys(r.calls)), ", ")
	}
	return byPath
}

// exchange is one request with its answer and its log line.
type exchange struct {
	*resource
	w         http.ResponseWriter
	r         *http.Request
	address   netip.Addr      // that the request came from; invalid if unknown
	principal guard.Principal // of the token if its secret is right, also if the token is refused
	accepted  bool            // the principal may make this call
	query     url.Values
	requestID string
	operation string // the name of the function, or "none" if no call matches
	bodyRead  bool   // to its end
}

// ServeHTTP answers one request and writes its log line.
func (rs *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := rs.api.Now()
	x := &exchange{resource: rs, w: w, r: r, requestID: rand.Text(), operation: "none"}
	a, err := x.answer()
	status, code := x.write(a, err)
	x.log(status, code, err, rs.api.Now().Sub(began))
}

// answer does the work of the request. It never panics.
func (x *exchange) answer() (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicFault(p)
		}
	}()
	x.address = x.api.Source(x.r)
	c, ok := x.calls[x.r.Method]
	switch {
	case tokenInPath(x.r.URL):
		return answer{}, newProblem("token_in_path", tokenInPathDetail)
	case x.pattern == "":
		return answer{}, newProblem("path_not_found", "There is no such path. GET /openapi.yaml lists all paths.")
	case !ok:
		return answer{}, newProblem("method_not_allowed", "This path does not allow this method; allowed: "+x.allow+".")
	}
	x.operation = c.Function
	if c.Open {
		return c.serve(x)
	}
	if err := x.authenticate(c.Route); err != nil {
		return answer{}, err
	}
	x.accepted = true
	if x.query, err = parseQuery(x.r.URL.RawQuery, c.parameters); err != nil {
		return answer{}, err
	}
	return c.serve(x)
}

// authenticate sets the principal of the request. It checks the scopes also after
// a gateway: the gateway may have cached its answer to another call. A call about
// the caller's own token has no authorizer, so authenticate ignores the principal
// of a gateway there.
func (x *exchange) authenticate(route Route) (err error) {
	if route.Self && !route.Scoped {
		x.principal, err = x.api.Guard.Authenticate(x.r, x.address)
		return asOutage(err)
	}
	if route.Self || !x.api.TrustPrincipal {
		x.principal, err = x.api.Guard.Authorize(x.r, x.address)
		return asOutage(err)
	}
	principal, ok := guard.PrincipalFrom(x.r.Context())
	if !ok || name.ValidOwner(principal.Owner) != nil { // another spelling would be another user, with a limit of its own
		return newProblem("credential_missing", "The request did not come through the authorizer.")
	}
	x.principal = principal
	if !principal.AllowsRequest(x.r) {
		return newProblem("permission_denied_by_scope", "The token's scopes do not allow this call.")
	}
	return nil
}

// tokenID returns the id of the token that the call is about: the id in the path,
// or the id of the acting token for a call about self.
func (x *exchange) tokenID() string {
	if strings.HasPrefix(x.pattern, selfPath) {
		return x.principal.TokenID
	}
	return x.r.PathValue("id")
}

const tokenInPathDetail = "The path has a whole token, and logs may keep paths. Revoke this token now: DELETE " + collectionPath +
	"/ID with its id, the 8 characters before the dot."

func tokenInPath(u *url.URL) bool {
	return secret.WithinEscaped(u.EscapedPath()) || secret.Within(u.Path)
}

// path returns the path as the client sent it, with the prefix of a gateway.
func (x *exchange) path() string {
	u, err := url.ParseRequestURI(x.r.RequestURI)
	if err != nil || !strings.HasSuffix(u.Path, x.r.URL.Path) {
		return x.r.URL.EscapedPath()
	}
	return u.EscapedPath()
}

// instance returns the path for a problem object, or "" if the path may contain a
// secret: people paste whole tokens in place of an id, a name or a path.
func (x *exchange) instance() string {
	if x.pattern == "" || strings.Contains(x.pattern, "{user}") {
		return ""
	}
	if strings.Contains(x.pattern, "{id}") && !secret.IsID(x.r.PathValue("id")) {
		return ""
	}
	return x.path()
}

// log writes the one log line of this request. The line has no query, no body, no
// header but a cut user agent, and no method or path that a client can choose
// freely: a known path is logged as its pattern, and an unknown one is cut. Its
// token_id is the acting token, or the token with a damaged view.
func (x *exchange) log(status int, code string, err error, took time.Duration) {
	level := x.level(status)
	if !x.api.Logger.Enabled(x.r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("operation", x.operation), slog.String("code", code),
		slog.String("token_id", cmp.Or(events.DamagedToken(err), x.principal.TokenID)), slog.String("owner", x.principal.Owner),
		slog.String("address", textOf(x.address)), slog.String("user_agent", secret.LogText(x.r.UserAgent())),
		slog.String("method", knownMethod(x.r.Method)), slog.String("route", x.pattern))
	if x.pattern == "" {
		attrs = append(attrs, slog.String("path", secret.LogPath(x.r.URL.EscapedPath())))
	}
	attrs = append(attrs, slog.Int("status", status), slog.Float64("duration_ms", milliseconds(took)), slog.String("request_id", x.requestID))
	if status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.Any("error", err))
	}
	x.api.Logger.LogAttrs(x.r.Context(), level, "request", attrs...)
}

// level returns the level of the log line. A client that closes the connection is
// not a fault of the service. Load balancers ask for the health every few seconds.
func (x *exchange) level(status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError && !errors.Is(x.r.Context().Err(), context.Canceled):
		return slog.LevelError
	case status == http.StatusOK && x.pattern == healthPath:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func textOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// panicFault turns a panic into a fault. The panic's text may contain a secret,
// so the fault has only its type and its place in the code. An error of the
// runtime, such as an index out of range, contains no values of a request, so
// the fault has its text.
func panicFault(p any) error {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var at []string
	for {
		f, more := frames.Next()
		at = append(at, fmt.Sprintf("%s:%d", f.Function, f.Line))
		if !more {
			return errors.New("panic: " + what + " at " + strings.Join(at, " < "))
		}
	}
}
