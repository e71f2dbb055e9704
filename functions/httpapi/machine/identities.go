package machine

import (
	"context"
	"net/url"

	"apitoken/events/identity"
	"apitoken/events/secret"
)

// Identities are the issuers of other identities than tokens. Their errors are refusals
// (*events.Refusal), or faults: an issuer that does not answer is a fault, and no refusal.
type Identities interface {
	// Verify checks a JWT of one of the issuers. idToken says that the client sent it as
	// an ID token.
	Verify(ctx context.Context, jwt secret.Secret, idToken bool) (identity.Identity, error)

	// Begin starts a sign-in with a browser at the issuer with an alias, and returns the
	// address to send the browser to. The browser comes back to the address redirect,
	// perhaps with a query that names the issuer.
	Begin(ctx context.Context, alias, redirect string) (identity.Attempt, string, error)

	// Finish ends the sign-in, with the query that the browser came back with.
	Finish(ctx context.Context, a identity.Attempt, redirect string, answer url.Values) (identity.Identity, error)

	// Issuers returns what everybody may know about the issuers.
	Issuers() []identity.Issuer
}
