package guard

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/events/token"
)

// Principal is the result of a credential check: the owner that a request acts
// for, the acting token, and the limits of that token. Do not change its slices.
type Principal struct {
	Owner     string         // owner key
	TokenID   string         // of the acting token
	Scopes    []string       // of the token; none: all that the owner may do
	SourceIPs []netip.Prefix // of the token; none: from any address
	ExpiresAt time.Time      // of the token, UTC; zero: never
	Address   netip.Addr     // of the client; invalid if unknown
}

// Allows reports whether the token's scopes allow the call. The path must be
// decoded and have no query.
func (p Principal) Allows(method, path string) bool {
	return token.Allows(p.Scopes, method, path)
}

// AllowsRequest is Allows for a request. No scope allows a path with an escaped
// slash (%2F). Scopes see the decoded path, where this slash divides one segment
// into two; the router does not divide the segment.
func (p Principal) AllowsRequest(r *http.Request) bool {
	escapedSlash := strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F")
	return !(escapedSlash && len(p.Scopes) > 0) && p.Allows(r.Method, r.URL.Path)
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
