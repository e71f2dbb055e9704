package machine

import (
	"net/http"
	"strconv"

	"apitoken/events/guard"
)

// What follows is for handlers beside the faces, so that they answer a refusal in
// the same way.

// VerdictProblem returns the problem of a verdict that lets no request pass. Every
// fault is an outage: a proxy cannot tell one fault from another.
func VerdictProblem(v guard.Verdict) *Problem {
	if v.Fault != nil {
		return problemOf(Outage(v.Fault))
	}
	return problemOf(v.Err())
}

// GuardError returns a denial and damaged data unchanged, and marks every other error of
// the guard as an outage.
func GuardError(err error) error { return asOutage(err) }

// PanicFault turns the value of a panic into a fault without its text, which may
// contain a secret.
func PanicFault(p any) error { return panicFault(p) }

// SetHeaders sets the headers that all answers of the service have.
func SetHeaders(h http.Header, requestID string) {
	h["X-Request-Id"] = []string{requestID}
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = noStore
}

// Send answers a request with the problem in a form.
func (p *Problem) Send(w http.ResponseWriter, r *http.Request, form func(*Problem) Form) {
	written := form(p)
	body := written.encoded()
	h := w.Header()
	SetHeaders(h, p.RequestID)
	if p.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = challenges(p.Code)
	}
	if p.Retryable {
		h["Retry-After"] = []string{retryAfter}
	}
	h["Content-Type"] = []string{written.Type}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(written.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // after an error the connection is broken, and no other answer can be sent
	}
}

// LogMethod returns a method as a log line may have it.
func LogMethod(method string) string { return knownMethod(method) }
