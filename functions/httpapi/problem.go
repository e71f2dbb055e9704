package httpapi

import (
	"fmt"
	"net/http"

	"apitoken/functions/httpapi/machine"
)

const problemType = "application/problem+json" // RFC 9457

// Problem is the body of every answer that is not a success (RFC 9457). Client
// returns it as an error. It never contains a credential.
type Problem struct {
	Type      string       `json:"type"` // urn:apitoken:problem:CODE
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Instance  string       `json:"instance,omitempty"` // the path of the request, absent if it may contain a secret
	Code      string       `json:"code"`
	Retryable bool         `json:"retryable"` // the same request may succeed later: true for a 503 and a 429
	Errors    []FieldError `json:"errors"`
	RequestID string       `json:"request_id"` // the log line of the request has it too

	// The same problem for Qumulo's clients, which read these two members.
	ErrorClass  string `json:"error_class"`
	Description string `json:"description"`

	// Only with the code token_limit_reached.
	TokenLimit    *int  `json:"token_limit,omitempty"`
	LiveTokens    *int  `json:"live_tokens,omitempty"`
	SoonestExpiry *Time `json:"soonest_expiry,omitempty"` // "" if no live token expires

	EndedTime Time `json:"ended_time,omitzero"` // when the token ended; only with the codes not_found_revoked and token_ended

	FirstInstant Time `json:"first_instant,omitzero"` // the first instant that can be asked; only with the code history_trimmed
}

// FieldError names a member or parameter of the request that is wrong, and says
// why.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error returns the detail with status, code and request id. It has no code and
// no request id if the answer did not come from this service.
func (p *Problem) Error() string {
	if p.Code == "" {
		return fmt.Sprintf("%s (status %d)", p.Detail, p.Status)
	}
	return fmt.Sprintf("%s (%d %s, request %s)", p.Detail, p.Status, p.Code, p.RequestID)
}

// errorClass returns the word that Qumulo's client prints. The words for 400 and
// 404 are in the source of that client; the others follow the same form.
func errorClass(code string, status int) string {
	switch {
	case code == "token_limit_reached":
		return "access_token_limit_exceeded_error"
	case status == http.StatusUnauthorized:
		return "http_unauthorized_error"
	case status == http.StatusForbidden:
		return "http_forbidden_error"
	case status == http.StatusNotFound:
		return "http_not_found_error"
	case status == http.StatusMethodNotAllowed:
		return "http_method_not_allowed_error"
	case status == http.StatusServiceUnavailable:
		return "http_unavailable_error"
	case status == http.StatusInternalServerError:
		return "http_internal_error"
	}
	return "invalid_request_error"
}

// form writes a problem as the problem object of this face.
func form(p *machine.Problem) machine.Form {
	out := &Problem{
		Type: "urn:apitoken:problem:" + p.Code, Title: p.Title, Status: p.Status, Detail: p.Detail, Instance: p.Instance,
		Code: p.Code, Retryable: p.Retryable, Errors: make([]FieldError, len(p.Errors)), RequestID: p.RequestID,
		ErrorClass: errorClass(p.Code, p.Status), Description: p.Detail,
	}
	for i, e := range p.Errors {
		out.Errors[i] = FieldError(e)
	}
	if r := p.Refusal; r != nil {
		out.EndedTime, out.FirstInstant = Time{r.EndedAt}, Time{r.FirstInstant}
		if r.Limit != nil {
			out.TokenLimit, out.LiveTokens, out.SoonestExpiry = &r.Limit.TokenLimit, &r.Limit.Live, &Time{r.Limit.SoonestExpiry}
		}
	}
	return machine.Form{Status: p.Status, Type: problemType, Body: out}
}
