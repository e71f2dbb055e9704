package machine

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"apitoken/events"
)

// Problem is a request that is refused, or a fault. It is an error. A face writes it
// in its own form. It never contains a credential.
type Problem struct {
	Code      string // of the one table of codes, see Codes
	Title     string
	Detail    string
	Status    int          // of this code; a face may answer with another one
	Retryable bool         // the same request may succeed later; the answer then has Retry-After
	Errors    []FieldError // empty, but not nil, if no field is wrong
	Instance  string       // the path of the request, "" if it may contain a secret
	RequestID string       // the log line of the request has it too

	Refusal *events.Refusal // of the rules, with the values that only some codes have; nil if the rules did not refuse

	retryAt time.Time // when the client may send the request again; zero: after retryAfter
}

// FieldError names a member or parameter of the request that is wrong, and says
// why.
type FieldError struct{ Field, Detail string }

// Error returns the detail with status and code.
func (p *Problem) Error() string { return fmt.Sprintf("%s (%d %s)", p.Detail, p.Status, p.Code) }

// kind is the part that all problems with the same code share.
type kind struct {
	status int
	title  string
}

// retryable reports whether the same request may succeed later.
func (k kind) retryable() bool {
	return k.status == http.StatusServiceUnavailable || k.status == http.StatusTooManyRequests
}

// tokenDenied is one title for two codes: API Gateway's 403 has the code of the
// authorizer's answer, but its title is a fixed text of the template.
const tokenDenied = "The token does not allow this call"

// kinds is the one table of codes, statuses and titles. A code that is missing
// here is a fault of the service and is answered as "internal".
var kinds = map[string]kind{
	"body_too_large":                  {http.StatusRequestEntityTooLarge, "The request body is too large"},
	"change_rate_exceeded":            {http.StatusTooManyRequests, "The user's tokens were changed too often"},
	"credential_missing":              {http.StatusUnauthorized, "A credential is needed"},
	"credential_repeated":             {http.StatusUnauthorized, "More than one credential was given"},
	"encoding_unsupported":            {http.StatusUnsupportedMediaType, "The request body is encoded"},
	"expectation_unsupported":         {http.StatusExpectationFailed, "The request expects something unknown"},
	"expiry_exceeds_maximum":          {http.StatusUnprocessableEntity, "The token would live too long"},
	"expiry_in_past":                  {http.StatusUnprocessableEntity, "The token would already be expired"},
	"expiry_outlives_maker":           {http.StatusUnprocessableEntity, "The token would expire after the acting token"},
	"forward_misconfigured":           {http.StatusInternalServerError, "The proxy does not send what it must"},
	"grace_too_short":                 {http.StatusUnprocessableEntity, "The grace is too short"},
	"header_too_large":                {http.StatusRequestHeaderFieldsTooLarge, "The request's header is too large"},
	"history_trimmed":                 {http.StatusUnprocessableEntity, "The history does not say this any more"},
	"idempotency_key_reused":          {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"},
	"instant_in_future":               {http.StatusUnprocessableEntity, "The instant is in the future"},
	"internal":                        {http.StatusInternalServerError, "The service failed"},
	"invalid_field":                   {http.StatusBadRequest, "A member of the request is not valid"},
	"invalid_header":                  {http.StatusBadRequest, "A header of the request is not valid"},
	"invalid_parameter":               {http.StatusBadRequest, "A parameter of the request is not valid"},
	"last_edit_holder":                {http.StatusUnprocessableEntity, "The last user with the permission edit cannot lose it"},
	"malformed_json":                  {http.StatusBadRequest, "The request body is not one JSON object"},
	"malformed_request":               {http.StatusBadRequest, "The request is not valid HTTP"},
	"method_not_allowed":              {http.StatusMethodNotAllowed, "The path does not allow this method"},
	"not_found":                       {http.StatusNotFound, "There is no such token"},
	"not_found_revoked":               {http.StatusNotFound, "The token is revoked"},
	CodePasswordFailures:              {http.StatusTooManyRequests, "Too many passwords were wrong"},
	CodePassword:                      {http.StatusUnauthorized, "The user name or the password is wrong"},
	"password_unsupported":            {http.StatusUnauthorized, "Passwords are not supported"},
	"path_not_found":                  {http.StatusNotFound, "There is no such path"},
	"permission_denied":               {http.StatusForbidden, "A permission is missing"},
	"permission_denied_by_credential": {http.StatusForbidden, "This secret manages no tokens"},
	"permission_denied_by_owner":      {http.StatusForbidden, "The user has a permission that the caller does not have"},
	"permission_denied_by_peer":       {http.StatusForbidden, "This address may not ask for verdicts"},
	"permission_denied_by_scope":      {http.StatusForbidden, tokenDenied},
	"permission_denied_by_source":     {http.StatusForbidden, tokenDenied},
	"rotated_recently":                {http.StatusConflict, "The token has just rotated itself"},
	"scheme_unsupported":              {http.StatusUnauthorized, "The authorization scheme is not supported"},
	"scope_exceeds_maker":             {http.StatusUnprocessableEntity, "The scopes exceed the scopes of the acting token"},
	"self_suspension":                 {http.StatusUnprocessableEntity, "Users cannot suspend themselves"},
	"session_unchangeable":            {http.StatusConflict, "A session is neither changed nor rotated"},
	"sign_in_rate_exceeded":           {http.StatusTooManyRequests, "The user signed in too often"},
	"source_ips_exceed_maker":         {http.StatusUnprocessableEntity, "The source ranges exceed the ranges of the acting token"},
	"state_too_large":                 {http.StatusUnprocessableEntity, "The data is too large to store"},
	"token_disabled":                  {http.StatusUnauthorized, "The token is disabled"},
	"token_ended":                     {http.StatusConflict, "The token has ended"},
	"token_expired":                   {http.StatusUnauthorized, "The token is expired"},
	"token_in_path":                   {http.StatusBadRequest, "A token in the path is not allowed"},
	"token_in_query":                  {http.StatusBadRequest, "A token in the query is not allowed"},
	"token_invalid":                   {http.StatusUnauthorized, "The token is not valid"},
	"token_limit_reached":             {http.StatusConflict, "The user's token limit is reached"},
	"token_malformed":                 {http.StatusUnauthorized, "The token is malformed"},
	"token_replaced":                  {http.StatusUnauthorized, "The secret was replaced"},
	"token_revoked":                   {http.StatusUnauthorized, "The token is revoked"},
	"token_rotated":                   {http.StatusConflict, "The secret of the token was replaced"},
	"token_suspended":                 {http.StatusUnauthorized, "The user of the token is suspended"},
	"too_many_groups":                 {http.StatusUnprocessableEntity, "Too many groups give permissions"},
	"too_many_holders":                {http.StatusUnprocessableEntity, "Too many users have permissions"},
	"transfer_unsupported":            {http.StatusNotImplemented, "The Transfer-Encoding is not supported"},
	"unavailable":                     {http.StatusServiceUnavailable, "The service is not available"},
	"unknown_member":                  {http.StatusBadRequest, "The request has an unknown member"},
	"user_suspended":                  {http.StatusConflict, "The user is suspended"},
	"version_conflict":                {http.StatusPreconditionFailed, "The token has changed"},
	"version_unsupported":             {http.StatusHTTPVersionNotSupported, "The version of HTTP is not supported"},
	"wrong_type":                      {http.StatusBadRequest, "A member of the request has the wrong type"},

	// Of sign-ins.
	"identity_expired":                 {http.StatusBadRequest, "The JWT is expired"},
	"identity_invalid":                 {http.StatusBadRequest, "The JWT does not pass here"},
	"identity_malformed":               {http.StatusBadRequest, "The text is no JWT"},
	"permission_denied_groups_overage": {http.StatusForbidden, "The issuer left the groups out"},
	"sign_in_refused":                  {http.StatusBadRequest, "The sign-in did not succeed"},
}

// StatusOf returns the status of a code, and 0 for a text that is no code.
func StatusOf(code string) int { return kinds[code].status }

// Codes returns all codes that a problem may have, sorted.
func Codes() []string {
	codes := make([]string, 0, len(kinds))
	for code := range kinds {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// NewProblem returns a problem with all members that follow from its code. detail is
// a sentence.
func NewProblem(code, detail string, fields ...FieldError) *Problem {
	k, known := kinds[code]
	if !known {
		code, detail, fields = "internal", internalDetail, nil
		k = kinds[code]
	}
	if fields == nil {
		fields = []FieldError{}
	}
	return &Problem{Code: code, Title: k.title, Detail: detail, Status: k.status, Retryable: k.retryable(), Errors: fields}
}

// FieldProblem is a problem with one member or parameter. The detail continues
// a sentence that begins with the field's name.
func FieldProblem(code, field, detail string) *Problem {
	sentence := fmt.Sprintf("%s %s.", field, detail)
	return NewProblem(code, sentence, FieldError{Field: field, Detail: sentence})
}

const internalDetail = "The service failed to answer this request. Its log has the reason under the request id."
