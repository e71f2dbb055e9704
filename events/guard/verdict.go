package guard

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"apitoken/events/scope"
)

// Question asks whether a request may pass. Each way to guard an API builds one
// from what it gets, and translates the verdict into its own answer. It decides
// nothing itself.
type Question struct {
	Authorization []string   // all values of the header
	Method        string     // as the client sent it
	Host          string     // "" if unknown; no rule reads it: a scope holds at every service of one deployment
	Path          string     // as the client sent it: encoded, without the query. No scope allows ""
	Query         string     // a token in it is refused; "" if the adapter ignores the query
	Source        netip.Addr // of the client; the zero address means unknown, and no source range has it

	// Unscoped says that the call is one of this service about the acting token
	// itself. Such a call needs no scope.
	Unscoped bool
}

// QuestionOf returns the question about a request that a client at the address
// source has sent.
func QuestionOf(r *http.Request, source netip.Addr) Question {
	return Question{
		Authorization: r.Header["Authorization"], Method: r.Method, Host: r.Host, Path: sentPath(r.URL), Query: r.URL.RawQuery, Source: source,
	}
}

// sentPath returns the path as the client sent it: EscapedPath writes some paths
// again, and then an encoded slash is lost. If the two forms of the path differ, the
// router and the scopes would see different calls, so sentPath returns "".
func sentPath(u *url.URL) string {
	if u.RawPath == "" {
		return u.EscapedPath()
	}
	if decoded, err := url.PathUnescape(u.RawPath); err != nil || decoded != u.Path {
		return ""
	}
	return u.RawPath
}

// Verdict is the answer to a question: the request passes, or it is denied, or
// there is a fault and nothing is decided.
type Verdict struct {
	Principal Principal // of the token if its secret is right, also if the request is denied
	Denial    *Denial   // why the request is denied, or nil
	Fault     error     // why nothing could be decided, or nil; it says nothing about the token
}

// Allowed reports whether the request passes. The zero Verdict lets nothing pass.
func (v Verdict) Allowed() bool { return v.Err() == nil && v.Principal.Owner != "" }

// Err returns the fault or the denial, or nil if the request passes.
func (v Verdict) Err() error {
	switch {
	case v.Fault != nil:
		return v.Fault
	case v.Denial != nil:
		return v.Denial
	}
	return nil
}

// Judge answers a question. It checks in this order: the query must have no token,
// there must be one credential, Inspect must find no denial, and the token's scopes
// must allow the call. It reads the store once at most. It stores the use of a token
// that passes, also if only its scopes forbid the call.
func (g *Guard) Judge(ctx context.Context, q Question) Verdict {
	v := g.judge(ctx, q)
	g.judged(v.Denial, v.Fault)
	return v
}

func (g *Guard) judge(ctx context.Context, q Question) Verdict {
	if tokenInQuery(q.Query) {
		return Verdict{Denial: inQuery}
	}
	t, err := Credential(q.Authorization)
	if err != nil {
		return verdictOf(err)
	}
	i, err := g.Inspect(ctx, t, q.Source)
	if err != nil {
		return Verdict{Fault: err}
	}
	if i.Denial == nil {
		g.StoreUse(ctx, i)
	}
	return i.Judge(q)
}

// verdictOf is the verdict of an error of Credential.
func verdictOf(err error) Verdict {
	if d, ok := errors.AsType[*Denial](err); ok {
		return Verdict{Denial: d}
	}
	return Verdict{Fault: err}
}

// Judge answers a question about a token that Inspect has checked. Of the question
// it reads only the call.
func (i Inspection) Judge(q Question) Verdict {
	p := i.Principal()
	if i.Denial != nil {
		return Verdict{Principal: p, Denial: i.Denial}
	}
	return p.Judge(q)
}

// Judge answers a question about a principal that passed a check before: an
// authorizer in front of the service may have answered for another call. Only the
// scopes are left to compare.
func (p Principal) Judge(q Question) Verdict {
	if q.Unscoped || p.allows(q.Method, q.Path) {
		return Verdict{Principal: p}
	}
	return Verdict{Principal: p, Denial: OutOfScope}
}

// allows reports whether the token's scopes allow the call. A token without scopes
// makes every call.
func (p Principal) allows(method, path string) bool {
	return len(p.Scopes) == 0 || scope.Allows(p.Scopes, scope.CallOf(method, path))
}
