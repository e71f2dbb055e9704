package oci

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// serviceError is the error for an answer that is not a success, with the members of
// OCI's error. status is the status of the answer, and the code is that of OCI.
func (c *command) serviceError(p *httpapi.Problem, hint string) error {
	return c.jsonError("ServiceError", map[string]any{
		"code":                 orNull(codeOf(p)),
		"message":              messageOf(p) + hint,
		"opc-request-id":       orNull(p.RequestID),
		"operation_name":       c.operation,
		"request_endpoint":     c.method + " " + c.base + p.Instance,
		"status":               p.Status,
		"target_service":       "identity",
		"logging_tips":         "The log of the service has a line with this opc-request-id.",
		"troubleshooting_tips": "The message has the code of apitoken. The README of apitoken says what to do about each code.",
	})
}

// requestError is the error for a call without an answer.
func (c *command) requestError(err error) error {
	return c.jsonError("RequestException", map[string]any{
		"message":              access.Explain(err).Error(),
		"request_endpoint":     c.method + " " + c.base,
		"target_service":       "CLI",
		"logging_tips":         "The log of the service may have more about this call.",
		"troubleshooting_tips": "Check the endpoint, and that the service runs.",
	})
}

func messageOf(p *httpapi.Problem) string {
	if p == errNotOfUser {
		return p.Detail
	}
	return access.Describe(p).Error()
}

func (c *command) jsonError(class string, members map[string]any) error {
	members["client_version"] = "apitoken/" + console.Release()
	members["timestamp"] = time.Now().UTC().Format(timeForm)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	if err := e.Encode(members); err != nil {
		return err
	}
	return failf("%s:\n%s", class, console.EscapeJSON(b.Bytes()))
}

// codeOf is the code that OCI documents for such an answer, "" if the answer comes
// from something else than the service. OCI does not distinguish what is missing from
// what the caller may not see.
func codeOf(p *httpapi.Problem) string {
	switch {
	case p.Code == "":
		return ""
	case p.Code == "token_limit_reached":
		return "LimitExceeded"
	case p.Code == "malformed_json":
		return "CannotParseRequest"
	}
	switch p.Status {
	case http.StatusUnauthorized:
		return "NotAuthenticated"
	case http.StatusForbidden, http.StatusNotFound:
		return "NotAuthorizedOrNotFound"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusConflict:
		return "IncorrectState"
	case http.StatusPreconditionFailed:
		return "NoEtagMatch"
	case http.StatusTooManyRequests:
		return "TooManyRequests"
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	}
	if p.Status >= http.StatusInternalServerError {
		return "InternalServerError"
	}
	return "InvalidParameter"
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
