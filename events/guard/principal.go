package guard

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"apitoken/events/scope"
)

// KindToken is the kind of a principal that showed an API token. There is no
// other kind yet.
const KindToken = "token"

// The secret that a principal showed.
const (
	CredentialCurrent  = "current"
	CredentialOutgoing = "outgoing" // the one that the last rotation replaced
)

// Principal is the result of a credential check: the owner that a request acts
// for, the acting token, and the limits of that token. Do not change its slices.
type Principal struct {
	Owner       string         // owner key
	TokenID     string         // of the acting token
	Kind        string         // KindToken
	Credential  string         // CredentialCurrent or CredentialOutgoing
	Permissions []string       // of a session; a token has those of its owner, and none here
	Via         string         // how a session was opened; "" for a token
	Scopes      []string       // of the token; none: all that the owner may do
	SourceIPs   []netip.Prefix // of the token; none: from any address
	ExpiresAt   time.Time      // of the token, UTC; zero: never; of an outgoing secret the end of its grace, if that is earlier
	Rotated     uint64         // the sequence of the token's last rotation when its secret was checked; 0: never rotated
	Address     netip.Addr     // of the client; invalid if unknown
}

// Allows reports whether the token's scopes allow the call.
func (p Principal) Allows(c scope.Call) bool { return scope.Allows(p.Scopes, c) }

// AllowsRequest is Allows for a request.
func (p Principal) AllowsRequest(r *http.Request) bool { return p.Allows(callOf(r)) }

// callOf returns the call of a request. It reads the path as the client sent it:
// EscapedPath writes some paths again, and then an encoded slash is lost. If the
// two forms of the path differ, the router and the scopes would see different
// calls, so callOf returns the zero Call.
func callOf(r *http.Request) scope.Call {
	sent := r.URL.RawPath
	if sent == "" {
		return scope.CallOf(r.Method, r.URL.EscapedPath())
	}
	if decoded, err := url.PathUnescape(sent); err != nil || decoded != r.URL.Path {
		return scope.Call{}
	}
	return scope.CallOf(r.Method, sent)
}

type contextKey struct{}

// WithPrincipal returns a context with the principal that the guard returned.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// PrincipalFrom returns the principal of WithPrincipal. It returns false if the
// context has none: then the guard has not checked the request.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}
