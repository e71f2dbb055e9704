package guard

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/events/token"
)

// Principal is whom a request acts for, and with which token. Its slices
// belong to the principal and are only read.
type Principal struct {
	Owner     string         // owner key
	TokenID   string         // the token that was shown
	Scopes    []string       // the token's; none: all that the owner may do
	SourceIPs []netip.Prefix // the token's; none: from anywhere
	ExpiresAt time.Time      // the token's, UTC; zero: never
	Address   netip.Addr     // where the request came from; invalid if unknown
}

// Allows says whether the token's scopes admit the call; the path is decoded
// and without query.
func (p Principal) Allows(method, path string) bool {
	return token.Allows(p.Scopes, method, path)
}

// AllowsRequest is Allows for a request. An escaped slash in its path divides
// one segment into two for the scopes, which see the decoded path, and not for
// the router; so no scope admits it.
func (p Principal) AllowsRequest(r *http.Request) bool {
	hidden := strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F")
	return !(hidden && len(p.Scopes) > 0) && p.Allows(r.Method, r.URL.Path)
}

type contextKey struct{}

// WithPrincipal is ctx with the principal that the guard returned.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// PrincipalFrom is the principal that the guard put there, and false if none
// was: then nobody has decided about the request.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}
