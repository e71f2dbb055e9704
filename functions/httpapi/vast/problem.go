package vast

import (
	"cmp"
	"net/http"
	"strings"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// The texts of VAST's schema.
const (
	limitText    = "Max allowed API tokens reached"
	notFoundText = "API key not found"
)

// Denied is the body of an answer that is about the caller or the path, and not about
// the request: 401, 403, 404 of a path, and 405. VAST's Go client repeats a request
// after a 403, unless the body contains "permission_denied", which every such code
// does.
type Denied struct {
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// form writes a problem as VAST does. A refused request is a JSON string. The
// statuses are those of VAST's schema: 503 at the limit, and 400 for every other rule.
func form(p *machine.Problem) machine.Form {
	f := machine.Form{Status: p.Status, Type: "application/json"}
	switch p.Code {
	case token.CodeLimitReached:
		f.Status, f.Body = http.StatusServiceUnavailable, limitText
		return f
	case token.CodeNotFound, token.CodeNotFoundRevoked:
		f.Body = notFoundText
		return f
	case guard.CodePassword:
		f.Body = Denied{Detail: passwordDetail(p), Code: p.Code}
		return f
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		f.Body = Denied{Detail: p.Detail, Code: p.Code}
		return f
	case http.StatusConflict, http.StatusUnprocessableEntity:
		f.Status = http.StatusBadRequest
	}
	f.Body = detail(p)
	return f
}

// members has the names that VAST gives to members, by the names in refusals of the
// rules.
var members = map[string]string{
	"user":                   "owner",
	"expires_in":             "expiry_date",
	"expiration_time":        "expiry_date",
	"token_limit":            "max_api_tokens_per_user",
	settings.FieldExpiration: "pwd_expiration_timeout",
}

// boundsText is for a token with scopes or source ranges. The refusals of the rules
// advise to give some, but VAST's form has no members for them.
const boundsText = "The token that you use has scopes or source ranges, and a token that it makes or changes must have some within them. " +
	"VAST's form cannot give a token any; use another token, or the calls of /v1/auth/access-tokens."

// detail is the text of a refused request. It names the member of a refusal of the
// rules as VAST does. The other problems have the names of this face already.
func detail(p *machine.Problem) string {
	switch {
	case p.Code == token.CodeScopeExceeds || p.Code == token.CodeSourceIPsExceed:
		return boundsText
	case p.Refusal == nil || p.Refusal.Field == "":
		return p.Detail
	}
	ours := p.Refusal.Field
	name := cmp.Or(members[ours], ours)
	if rest, ok := strings.CutPrefix(p.Detail, "The "+ours); ok {
		return "The " + name + rest
	}
	return name + ": " + p.Detail
}

// The details of refused passwords. basicDetail is for a password in the header: no call
// takes one there.
const (
	useToken = "Use a token in place of user and password: " +
		"VASTClient(address=..., token=TOKEN), or vastpy-cli with the variable VMS_TOKEN and without VMS_USER and VMS_PASSWORD."
	loginDetail = "This service has no passwords. " + useToken
	basicDetail = "No call takes a password. " + useToken
)

// passwordDetail is the detail of a refused password: that of this face for a call of
// this face, and basicDetail for the guard's.
func passwordDetail(p *machine.Problem) string {
	if p.Detail == loginDetail || p.Detail == refreshDetail {
		return p.Detail
	}
	return basicDetail
}
