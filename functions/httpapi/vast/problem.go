package vast

import (
	"net/http"

	"apitoken/events/guard"
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
	const jsonType = "application/json"
	switch {
	case p.Code == token.CodeLimitReached:
		return machine.Form{Status: http.StatusServiceUnavailable, Type: jsonType, Body: limitText}
	case p.Code == token.CodeNotFound || p.Code == token.CodeNotFoundRevoked:
		return machine.Form{Status: http.StatusNotFound, Type: jsonType, Body: notFoundText}
	case p.Code == guard.CodePassword:
		return machine.Form{Status: p.Status, Type: jsonType, Body: Denied{Detail: loginDetail, Code: p.Code}}
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return machine.Form{Status: p.Status, Type: jsonType, Body: Denied{Detail: p.Detail, Code: p.Code}}
	case http.StatusConflict, http.StatusUnprocessableEntity:
		return machine.Form{Status: http.StatusBadRequest, Type: jsonType, Body: p.Detail}
	}
	return machine.Form{Status: p.Status, Type: jsonType, Body: p.Detail}
}

const loginDetail = "This service has no passwords and opens no sessions. Use a token in place of user and password: " +
	"VASTClient(address=..., token=TOKEN), or vastpy-cli with the variable VMS_TOKEN and without VMS_USER and VMS_PASSWORD."

// login refuses the login of VAST's clients, which is a user name and a password in
// the body. It does not read the body.
func (x exchange) login() (machine.Answer, error) {
	return machine.Answer{}, machine.NewProblem(guard.CodePassword, loginDetail)
}
