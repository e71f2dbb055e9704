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
	CodePassword    = "password_unsupported"
	CodeInQuery     = "token_in_query"
	CodeMalformed   = "token_malformed"
	CodeInvalid     = "token_invalid" // the token is unknown or past its retention, or the secret is wrong
	CodeRevoked     = "token_revoked"
	CodeDisabled    = "token_disabled"
	CodeExpired     = "token_expired"
	CodeReplaced    = "token_replaced"  // the secret was replaced by a rotation, and its grace is over
	CodeSuspended   = "token_suspended" // the owner is suspended
	CodeWrongSource = "permission_denied_by_source"
	CodeOutOfScope  = "permission_denied_by_scope"
)

// Codes returns the codes of all denials.
func Codes() []string {
	return []string{
		CodeMissing, CodeRepeated, CodeScheme, CodePassword, CodeInQuery, CodeMalformed, CodeInvalid, CodeRevoked, CodeDisabled, CodeExpired,
		CodeReplaced, CodeSuspended, CodeWrongSource, CodeOutOfScope,
	}
}

// Each denial is one value. So reasons that must give the same answer, such as
// an unknown token and a wrong secret, cannot get different texts by mistake. The
// exported ones are those of a valid token.
var (
	missing     = &Denial{CodeMissing, "the request has no credential; send the header Authorization: Bearer TOKEN"}
	repeated    = &Denial{CodeRepeated, "the request has more than one credential; send exactly one"}
	unsupported = &Denial{CodeScheme, "the authorization scheme is not supported; allowed: Bearer, Api-Token, Token, or Basic with the token as the password"}
	inQuery     = &Denial{CodeInQuery, "the query has a token, and logs may keep queries; revoke this token, and send its replacement in the Authorization header"}
	malformed   = &Denial{CodeMalformed, "the credential is not a token; a token has 8 letters and digits, a dot, and 32 letters and digits"}
	invalid     = &Denial{CodeInvalid, "the token is not valid"}
	revoked     = &Denial{CodeRevoked, "the token is revoked"}
	replaced    = &Denial{CodeReplaced, "the token was rotated, and this older secret no longer passes; use the new one"}
	suspended   = &Denial{CodeSuspended, "the user of the token is suspended"}
	disabled    = &Denial{CodeDisabled, "the token is disabled"}
	expired     = &Denial{CodeExpired, "the token is expired"}

	WrongSource = &Denial{CodeWrongSource, "the token's source ranges do not allow the address of this request"}
	OutOfScope  = &Denial{CodeOutOfScope, "the token's scopes do not allow this call"}
)

// The mistakes in a header that gives no token. Each has a sentence of its own,
// under the code of its kind.
var (
	noScheme         = &Denial{CodeScheme, "the scheme is missing before the token; send Authorization: Bearer TOKEN"}
	noSpace          = &Denial{CodeScheme, "the space between the scheme and the token is missing; send Authorization: Bearer TOKEN"}
	schemePunctuated = &Denial{CodeScheme, "the scheme is followed by a colon or an equals sign; send a space in its place, as in Authorization: Bearer TOKEN"}
	nameInValue      = &Denial{CodeScheme, "the header's value begins with the name of the header; send Authorization: Bearer TOKEN"}

	schemeTwice    = &Denial{CodeMalformed, "the word of the scheme is there twice; send Authorization: Bearer TOKEN, with the word once"}
	lineBreak      = &Denial{CodeMalformed, "the token has a line break; send the token without it (echo adds one, printf does not)"}
	unsetVariable  = &Denial{CodeMalformed, "the credential is the name of a variable and not its value; a single quote around it stops a shell from replacing it"}
	pair           = &Denial{CodeMalformed, "the token is the value of a name, as in token=TOKEN; send the token alone after the scheme"}
	quoted         = &Denial{CodeMalformed, "the token has quotes around it; send the token without quotes"}
	bracketed      = &Denial{CodeMalformed, "the token has brackets around it; send the token without brackets"}
	percentEncoded = &Denial{CodeMalformed, "the token is percent-encoded; send the token as it was given, without encoding"}
	punctuation    = &Denial{CodeMalformed, "the token has a comma or a semicolon before or after it; send the token alone"}
	notASCII       = &Denial{CodeMalformed, "the credential has a character that is not ASCII, which may be invisible; copy the token again"}
	spaces         = &Denial{CodeMalformed, "the credential has a space or a tab in it; send the token alone after the scheme"}
	onlyID         = &Denial{CodeMalformed, "the credential is only the id of a token; send the whole token, with the dot and the 32 characters after it"}
	mistyped       = &Denial{CodeMalformed, "the token's checksum does not match; the token was mistyped"}

	noColon     = &Denial{CodeMalformed, "the Basic credential has no colon; it must be the base64 form of a user name, a colon and the token"}
	noPassword  = &Denial{CodeMalformed, "the Basic credential has no password; the password must be the token"}
	tokenAsUser = &Denial{CodeMalformed, "the Basic credential has the token as its user name; then the password must be empty or x-oauth-basic"}
	otherBase64 = &Denial{CodeMalformed, "the Basic credential is in another form of base64; use standard base64, with + and / and with padding"}
	isAPassword = &Denial{CodePassword, "the Basic credential has the password of a user, and no call takes one there; send a token as the password, or Authorization: Bearer TOKEN"}
	notBase64   = &Denial{CodeMalformed, "the Basic credential is not base64 of a user name, a colon and the token; to send the token itself, use Bearer"}
)
