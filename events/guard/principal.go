package guard

import (
	"context"
	"net/netip"
	"time"

	"apitoken/events"
)

// The kinds of a principal: what it showed.
const (
	KindToken   = "token"
	KindSession = events.KindSession
)

// How the session of a principal was opened.
const (
	ViaOIDC     = events.ViaOIDC
	ViaPassword = events.ViaPassword
	ViaToken    = events.ViaToken
	ViaExchange = events.ViaExchange
)

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
	Kind        string         // KindToken or KindSession
	Credential  string         // CredentialCurrent or CredentialOutgoing
	Permissions []string       // of a session, beside those of its owner (settings.State.Actions); a token has none here
	Via         string         // how a session was opened; "" for a token
	MakesUntil  time.Time      // of a session: nothing that it makes may end later; zero: no bound. A token is bound by ExpiresAt
	From        string         // the token that a session was opened with; "" for none and for a token
	UI          bool           // a session that was opened at the page
	Scopes      []string       // of the token; none: all that the owner may do
	SourceIPs   []netip.Prefix // of the token; none: from any address
	ExpiresAt   time.Time      // of the token, UTC; zero: never; of an outgoing secret the end of its grace, if that is earlier
	Rotated     uint64         // the sequence of the token's last rotation when its secret was checked; 0: never rotated. Of a session: that of From when it opened the session
	Address     netip.Addr     // of the client; invalid if unknown

	// Name is the displayed name of the person with a session; "" if unknown. Only a
	// check by this process sets it, and nothing decides by it.
	Name string

	// UIAddress is the address of the browser, as the page says it; invalid if unknown.
	// The records of a session with UI have it. No rule may read it.
	UIAddress netip.Addr
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
