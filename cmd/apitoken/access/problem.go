package access

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// Explain returns an error that the user can act on: for a problem of the
// service, and for a call that did not reach the service. It returns other errors
// unchanged.
func Explain(err error) error {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return Describe(p)
	}
	if h := Hint(err); h != "" {
		return fmt.Errorf("%w: %s", err, h)
	}
	return err
}

// Describe is a problem as a message: its detail and code, and the members of
// the request that caused it.
func Describe(p *httpapi.Problem) error {
	text := p.Error()
	for _, e := range p.Errors {
		switch {
		case e.Detail != p.Detail:
			text += "; " + e.Field + ": " + e.Detail
		case !strings.HasPrefix(p.Detail, e.Field): // otherwise the detail already names the member
			text = e.Field + ": " + text
		}
	}
	if p.SoonestExpiry != nil && !p.SoonestExpiry.IsZero() {
		text += "; the next token expires at " + console.FormatTime(p.SoonestExpiry.Time)
	}
	if !p.EndedTime.IsZero() {
		text += "; it was revoked at " + console.FormatTime(p.EndedTime.Time)
	}
	if p.Code == "" && p.Status == http.StatusBadRequest { // many servers answer this on a port with TLS
		text += "; if the port speaks https, begin the address with https://"
	}
	return errors.New(console.Plain(text))
}

// Refusal returns the problem of a call that the service refused.
func Refusal(err error) (*httpapi.Problem, bool) {
	p, answered := errors.AsType[*httpapi.Problem](err)
	return p, answered && p.Code != "" && p.Status < http.StatusInternalServerError
}

// ChangedNothing reports whether the error shows that the call changed nothing: the
// service refused it, or no service was there that the client trusts.
func ChangedNothing(err error) bool {
	_, refused := Refusal(err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return refused || untrusted || errors.Is(err, syscall.ECONNREFUSED)
}

// Foreign returns the problem of a call that something else than this service
// answered: a proxy, or another service.
func Foreign(err error) (*httpapi.Problem, bool) {
	p, answered := errors.AsType[*httpapi.Problem](err)
	return p, answered && p.Code == ""
}

// CheckCreated refuses an answer without a token of this form. Another service
// could otherwise write any text to the terminal as the new token.
func CheckCreated(made httpapi.Created) error {
	if _, err := secret.Parse(made.BearerToken.Reveal()); err != nil || !secret.IsID(made.ID) {
		return errors.New("the answer has no valid token and id; check the address of the service")
	}
	return nil
}
