package guard

// Denial says that the guard does not accept a credential or a call. It is an
// answer for the caller, not a fault. Code is for programs and Detail is a
// sentence for people; neither contains any part of the credential. Denials are
// shared values: do not change them.
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
	CodeInvalid     = "token_invalid" // the token is unknown or past its retention, or the secret is wrong
	CodeRevoked     = "token_revoked"
	CodeDisabled    = "token_disabled"
	CodeExpired     = "token_expired"
	CodeWrongSource = "permission_denied_by_source"
	CodeOutOfScope  = "permission_denied_by_scope"
)

// Each denial is one value. So reasons that must give the same answer, such as
// an unknown token and a wrong secret, cannot get different texts by mistake.
var (
	missing     = &Denial{CodeMissing, "the request has no credential; send the header Authorization: Bearer TOKEN"}
	repeated    = &Denial{CodeRepeated, "the request has more than one credential; send exactly one"}
	unsupported = &Denial{CodeScheme, "the authorization scheme is not supported; allowed: Bearer, Api-Token, or Basic with the token as the password"}
	inQuery     = &Denial{CodeInQuery, "the query has a token, and logs may keep queries; revoke this token, and send its replacement in the Authorization header"}
	malformed   = &Denial{CodeMalformed, "the credential is not a token; its form or its checksum is wrong"}
	invalid     = &Denial{CodeInvalid, "the token is not valid"}
	revoked     = &Denial{CodeRevoked, "the token is revoked"}
	disabled    = &Denial{CodeDisabled, "the token is disabled"}
	expired     = &Denial{CodeExpired, "the token is expired"}
	wrongSource = &Denial{CodeWrongSource, "the token's source ranges do not allow the address of this request"}
	outOfScope  = &Denial{CodeOutOfScope, "the token's scopes do not allow this call"}
)
