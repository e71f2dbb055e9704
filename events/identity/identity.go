// Package identity has what a provider of identities has proved about a person or a
// program, and the values of a sign-in that has begun there. It has no rules: which
// user an identity is, and what a session of that user may do, is decided elsewhere.
package identity

import "time"

// Identity is who signed in. Issuer and Subject together name a person or a program for
// ever. Nothing else does: an e-mail address and a name can get another holder.
type Identity struct {
	Alias   string // the name of the issuer in the settings
	Issuer  string // its URL
	Subject string // the claim sub

	Name    string   // for people to read; "" if the issuer gave none
	Account string   // the name in ACTIVE_DIRECTORY, from the claim that the settings map; "" without that setting
	Groups  []string // as the issuer names them

	// Person says that the issuer gave an ID token to this service's own client, not
	// more than a few minutes ago: somebody signs in now. Otherwise a program shows a
	// JWT that it may have had for long.
	Person bool

	Expires    time.Time     // of the JWT
	MaxSession time.Duration // the setting of the issuer for sessions of programs; 0: they end with the JWT
}

// Issuer is what everybody may know about an issuer of the settings.
type Issuer struct {
	Alias    string
	URL      string
	ClientID string // the public client for command lines; "" if there is none
	Browser  bool   // people may sign in with a browser
}

// Attempt is a sign-in that a browser has begun. Only that browser may keep the
// attempt, and no other program may read it.
type Attempt struct {
	Alias    string `json:"a"`
	State    string `json:"s"` // ties the answer of the provider to the browser (RFC 6749 section 10.12)
	Nonce    string `json:"n"` // ties the ID token to the attempt (OpenID Connect Core 1.0 section 3.1.2.1)
	Verifier string `json:"v"` // of PKCE (RFC 7636): a thief of the code does not have it
}

// The codes of refusals.
const (
	CodeMalformed = "identity_malformed" // the text is no JWT that could be checked
	CodeInvalid   = "identity_invalid"   // the JWT is not for this service, or not of one of its issuers
	CodeExpired   = "identity_expired"   // the JWT has expired
	CodeOverage   = "permission_denied_groups_overage"
	CodeRefused   = "sign_in_refused" // the provider, or the answer of the provider, refuses the sign-in
)
