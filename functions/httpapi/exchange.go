package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/events/secret"
)

// resource is all that one path answers, by method.
type resource struct {
	api     *api
	pattern string // "" for every path that is not ours
	calls   map[string]call
	allow   string
}

// resources are the calls by path.
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

// exchange is one request on its way to its answer and its log line.
type exchange struct {
	*resource
	w         http.ResponseWriter
	r         *http.Request
	who       guard.Principal
	query     url.Values
	requestID string
	operation string // "none" for what is no call of ours
}

// ServeHTTP answers one request and writes its log line.
func (rs *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := rs.api.Now()
	x := &exchange{resource: rs, w: w, r: r, requestID: rand.Text(), operation: "none"}
	done, err := x.answer()
	status, code := x.write(done, err)
	x.log(status, code, err, rs.api.Now().Sub(began))
}

// answer does the work. It never panics.
func (x *exchange) answer() (done reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crashed(p)
		}
	}()
	c, ok := x.calls[x.r.Method]
	switch {
	case x.pattern == "":
		return reply{}, newProblem("path_not_found", "There is no such path. GET /openapi.yaml has all there are.")
	case !ok:
		return reply{}, newProblem("method_not_allowed", "This path answers to "+x.allow+".")
	}
	x.operation = c.Function
	if c.Open {
		return c.serve(x)
	}
	if err := x.authenticate(); err != nil {
		return reply{}, err
	}
	if x.query, err = parseQuery(x.r.URL.RawQuery, c.parameters); err != nil {
		return reply{}, err
	}
	return c.serve(x)
}

// authenticate finds out who asks. A gateway in front may have cached what it
// decided about another call, so scopes are held against this one here too.
func (x *exchange) authenticate() (err error) {
	if !x.api.TrustPrincipal {
		x.who, err = x.api.Guard.Authorize(x.r, x.api.Source(x.r))
		return asOutage(err)
	}
	who, ok := guard.PrincipalFrom(x.r.Context())
	if !ok {
		return newProblem("credential_missing", "The request did not come through the authorizer.")
	}
	x.who = who
	if !who.AllowsRequest(x.r) {
		return newProblem("permission_denied_by_scope", "The token's scopes do not admit this request.")
	}
	return nil
}

// path is the path as the client wrote it, a prefix of the gateway included.
func (x *exchange) path() string {
	u, err := url.ParseRequestURI(x.r.RequestURI)
	if err != nil || !strings.HasSuffix(u.Path, x.r.URL.Path) {
		return x.r.URL.EscapedPath()
	}
	return u.EscapedPath()
}

// instance is the path if it holds nothing but what we know: people paste
// whole tokens where an id, a name or some other path should stand.
func (x *exchange) instance() string {
	if x.pattern == "" || strings.Contains(x.pattern, "{user}") {
		return ""
	}
	if strings.Contains(x.pattern, "{id}") && !secret.IsID(x.r.PathValue("id")) {
		return ""
	}
	return x.path()
}

// log writes the one line of this request. It has nothing that a client can
// choose freely: neither path nor query, header, body or unknown method.
func (x *exchange) log(status int, code string, err error, took time.Duration) {
	level := slog.LevelInfo
	attrs := make([]slog.Attr, 0, 9)
	attrs = append(attrs,
		slog.String("operation", x.operation), slog.String("code", code), slog.String("token_id", x.who.TokenID),
		slog.String("method", knownMethod(x.r.Method)), slog.String("route", x.pattern), slog.Int("status", status),
		slog.Duration("duration", took), slog.String("request_id", x.requestID))
	if status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.Any("error", err))
		if !errors.Is(x.r.Context().Err(), context.Canceled) { // then the client hung up, which is no fault of ours
			level = slog.LevelError
		}
	}
	x.api.Logger.LogAttrs(x.r.Context(), level, "request", attrs...)
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// crashed is the fault that a panic becomes. The panic's own text might hold
// anything, so only its type and where it happened are kept; the runtime's own
// errors, such as an index out of range, hold no texts of ours.
func crashed(p any) error {
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
