package guard

// Denial is the guard saying no. It is an answer for whoever asked: Code is
// for programs, Detail is a sentence for people, and neither holds anything of
// the credential. Denials are shared values, so they are only read.
type Denial struct {
	Code   string
	Detail string
}

func (d *Denial) Error() string { return d.Detail }

// The codes of all denials.
const (
	CodeMissing     = "credential_missing"
	CodeRepeated    = "credential_repeated"
	CodeScheme      = "scheme_unsupported"
	CodeInQuery     = "token_in_query"
	CodeMalformed   = "token_malformed"
	CodeInvalid     = "token_invalid" // unknown or past its retention, or the secret is wrong
	CodeRevoked     = "token_revoked"
	CodeDisabled    = "token_disabled"
	CodeExpired     = "token_expired"
	CodeWrongSource = "permission_denied_by_source"
	CodeOutOfScope  = "permission_denied_by_scope"
)

// Each denial is one value, so that reasons which must look alike, such as an
// unknown token and a wrong secret, cannot drift apart.
var (
	missing     = &Denial{CodeMissing, "the request carries no credential: send the header Authorization: Bearer TOKEN"}
	repeated    = &Denial{CodeRepeated, "the request carries more than one credential: send exactly one"}
	unsupported = &Denial{CodeScheme, "the authorization scheme is not supported: use Bearer, Api-Token, or Basic with the token as the password"}
	inQuery     = &Denial{CodeInQuery, "a token in the query string ends up in logs: send it in the Authorization header, and revoke this one"}
	malformed   = &Denial{CodeMalformed, "the credential is not a token: its form or its checksum is wrong"}
	invalid     = &Denial{CodeInvalid, "the token is not valid"}
	revoked     = &Denial{CodeRevoked, "the token was revoked"}
	disabled    = &Denial{CodeDisabled, "the token is disabled"}
	expired     = &Denial{CodeExpired, "the token has expired"}
	wrongSource = &Denial{CodeWrongSource, "the token may not be used from this address"}
	outOfScope  = &Denial{CodeOutOfScope, "the token's scopes do not admit this call"}
)
