package machine

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
	*face
	pattern string          // "" for all paths that the face does not have
	calls   map[string]Call // by method; those of other functions are nil in Serve
	allow   string          // the Allow header: the methods of all functions
}

// resources returns the resources of a face, by path. It has the paths of all
// functions, because the function about answers 405 for each of them.
func resources(f *face, only []string) map[string]*resource {
	byPath := map[string]*resource{}
	for _, c := range f.Calls {
		r, ok := byPath[c.Path]
		if !ok {
			r = &resource{face: f, pattern: c.Path, calls: map[string]Call{}}
			byPath[c.Path] = r
		}
		if !served(c, only) {
			c.Serve = nil
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

// Exchange is one request with its answer and its log line.
type Exchange struct {
	*resource
	Request   *http.Request
	Principal guard.Principal // of the token if its secret is right, also if the token is refused
	Query     url.Values      // of a call with a credential, and of a call with Parameters
	Route     Route           // the one that answers; the zero Route if none does

	w         http.ResponseWriter
	form      func(*Problem) Form // of the call; nil: that of the face
	address   netip.Addr          // that the request came from; invalid if unknown
	accepted  bool                // the principal may make this call
	requestID string
	bodyRead  bool // to its end
	body      form

	// line has the attributes of the log line. They are in one allocation with the
	// exchange, and the record has them as one group without a name, which every
	// handler writes as its attributes. slog would copy more than five attributes.
	line [13]slog.Attr

	headers [4]string // values of the answer's headers
}

// ServeHTTP answers one request and writes its log line.
func (rs *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := rs.Config.Now()
	if rs.Canonical != nil {
		if sent, ok := r.Context().Value(sentURL{}).(*url.URL); ok {
			r.URL = sent // r is a copy
		}
	}
	x := &Exchange{resource: rs, w: w, Request: r, requestID: rand.Text()}
	a, err := x.answer()
	out := x.write(a, err)
	took := rs.Config.Now().Sub(began)
	x.log(out, took)
	rs.Config.Observe(x.operation(), out.code, took)
}

// answer does the work of the request. It never panics.
func (x *Exchange) answer() (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicFault(p)
		}
	}()
	x.address = x.Config.Source(x.Request)
	c, ok := x.calls[x.Request.Method]
	switch {
	case tokenInPath(x.Request.URL):
		return Answer{}, NewProblem("token_in_path", "The path has a whole token, and logs may keep paths. Revoke this token now"+x.TokenInPath)
	case x.pattern == "", ok && c.Serve == nil: // a gateway sends the call of another function only by mistake
		return Answer{}, NewProblem("path_not_found", "There is no such path."+x.UnknownPath)
	case !ok:
		return Answer{}, NewProblem("method_not_allowed", "This path does not allow this method; allowed: "+x.allow+".")
	}
	x.Route, x.form = c.Route, c.Form
	if c.Open || c.Shown {
		if c.Parameters != nil { // the others read no query
			if x.Query, err = parseQuery(x.Request.URL.RawQuery, c.Parameters, c.Lists); err != nil {
				return Answer{}, err
			}
		}
		return c.Serve(x)
	}
	if c.Posted {
		x.usePostedSecret()
	}
	if err := x.authenticate(c.Route); err != nil {
		return Answer{}, err
	}
	x.accepted = true
	x.noteBrowser()
	if x.Query, err = parseQuery(x.Request.URL.RawQuery, c.Parameters, c.Lists); err != nil {
		return Answer{}, err
	}
	return c.Serve(x)
}

// authenticate sets the principal of the request. It checks the scopes also after
// a gateway: the gateway may have cached its answer to another call. A route with
// Direct has no authorizer, so authenticate ignores the principal of a gateway
// there.
func (x *Exchange) authenticate(route Route) error {
	q := guard.QuestionOf(x.Request, x.address)
	q.Unscoped = route.Unscoped
	if route.Direct || !x.Config.TrustPrincipal {
		v := x.Config.Guard.Judge(x.Request.Context(), q)
		x.Principal = v.Principal
		return asOutage(v.Err())
	}
	principal, ok := guard.PrincipalFrom(x.Request.Context())
	if !ok || name.ValidOwner(principal.Owner) != nil { // another spelling would be another user, with a limit of its own
		return NewProblem("credential_missing", "The request did not come through the authorizer.")
	}
	x.Principal = principal
	return principal.Judge(q).Err()
}

// UIAddressHeader is the header in which the page names the address of its caller.
const UIAddressHeader = "Apitoken-Ui-Address"

// noteBrowser notes the address that the page names, for the records of a session that
// was opened at the page. Nothing decides by it: every client may send the header.
func (x *Exchange) noteBrowser() {
	values := x.Request.Header.Values(UIAddressHeader)
	if !x.Principal.UI || len(values) != 1 {
		return
	}
	if a, err := netip.ParseAddr(values[0]); err == nil && a.Zone() == "" {
		x.Principal.UIAddress = a.Unmap()
	}
}

func tokenInPath(u *url.URL) bool {
	return secret.WithinEscaped(u.EscapedPath()) || secret.Within(u.Path)
}

// Address returns the address that the request came from, or the zero Addr if it is
// unknown.
func (x *Exchange) Address() netip.Addr { return x.address }

// formOf returns a problem as the call writes it, or as the face does.
func (x *Exchange) formOf(p *Problem) Form {
	if x.form != nil {
		return x.form(p)
	}
	return x.Form(p)
}

// Path returns the path as the client sent it, with the prefix of a gateway.
func (x *Exchange) Path() string {
	u, err := url.ParseRequestURI(x.Request.RequestURI)
	if err != nil || !strings.HasSuffix(u.Path, x.Request.URL.Path) {
		return x.Request.URL.EscapedPath()
	}
	return u.EscapedPath()
}

// instance returns the path for a problem object, or "" if the path may contain a
// secret: people paste whole tokens in place of an id, a name or a path. So the only
// part of the path that a client chooses must be a token id.
func (x *Exchange) instance() string {
	if x.pattern == "" {
		return ""
	}
	for segment := range strings.SplitSeq(x.pattern, "/") {
		if strings.HasPrefix(segment, "{") && (segment != "{id}" || !secret.IsID(x.Request.PathValue("id"))) {
			return ""
		}
	}
	return x.Path()
}

// log writes the one log line of this request. The line has no query, no body, no
// header but a cut user agent, and no method or path that a client can choose
// freely: a known path is logged as its pattern, and an unknown one is cut. Its
// token_id is the acting token, or the token with a damaged view.
func (x *Exchange) log(out outcome, took time.Duration) {
	level := x.level(out)
	if !x.Config.Logger.Enabled(x.Request.Context(), level) {
		return
	}
	attrs := append(x.line[:0],
		slog.String("operation", x.operation()), slog.String("code", out.code),
		slog.String("token_id", cmp.Or(events.DamagedToken(out.err), x.Principal.TokenID)), slog.String("owner", x.Principal.Owner),
		slog.String("address", textOf(x.address)), slog.String("user_agent", secret.LogText(x.Request.UserAgent())),
		slog.String("method", knownMethod(x.Request.Method)), slog.String("route", x.pattern))
	if x.pattern == "" {
		attrs = append(attrs, slog.String("path", secret.LogPath(x.Request.URL.EscapedPath())))
	}
	attrs = append(attrs, slog.Int("status", out.status), slog.Float64("duration_ms", milliseconds(took)), slog.String("request_id", x.requestID))
	if out.fault {
		attrs = append(attrs, slog.Any("error", out.err))
	}
	x.Config.Logger.LogAttrs(x.Request.Context(), level, "request", slog.Attr{Value: slog.GroupValue(attrs...)})
}

// operation is the word for the call in the log, "none" if no route answers.
func (x *Exchange) operation() string { return cmp.Or(x.Route.operation(), "none") }

// level returns the level of the log line. A client that closes the connection is
// not a fault of the service.
func (x *Exchange) level(out outcome) slog.Level {
	switch {
	case out.fault && !errors.Is(x.Request.Context().Err(), context.Canceled):
		return slog.LevelError
	case out.code == "ok" && x.Route.Quiet:
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
