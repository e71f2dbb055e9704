package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"

	// retryAfter is what a client waits, in seconds, after an outage or when
	// too many others changed the same user's tokens.
	retryAfter = "1"
)

// reply is a success: a body that becomes JSON, or a document as it is.
type reply struct {
	body     any
	document []byte // in place of body
	kind     string // the document's media type
	etag     string
	cache    string // "": nobody may keep the answer
}

// Header values that never change, shared by all answers and never written to.
var (
	noStore   = []string{"no-store"}
	noSniff   = []string{"nosniff"}
	noContent = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// write sends the answer and returns its status and its code for the log: "ok"
// or the problem's.
func (x *exchange) write(done reply, err error) (status int, code string) {
	status, code = http.StatusOK, "ok"
	var body []byte
	if err == nil {
		body, err = done.encoded()
	}
	h := x.w.Header()
	if err != nil {
		p := x.problem(err)
		status, code = p.Status, p.Code
		body, done = p.encoded(), reply{kind: problemType}
		x.refusalHeaders(h, p)
	}
	h["X-Request-Id"] = []string{x.requestID}
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = noContent
	h["Cache-Control"] = noStore
	if done.cache != "" {
		h["Cache-Control"] = []string{done.cache}
	}
	if done.etag != "" {
		h["Etag"] = []string{done.etag}
	}
	h["Content-Type"] = []string{done.mediaType()}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // whoever hung up gets no answer, and there is no other to give
	}
	return status, code
}

func (d reply) mediaType() string {
	if d.kind == "" {
		return jsonType
	}
	return d.kind
}

func (d reply) encoded() ([]byte, error) {
	if d.document != nil {
		return d.document, nil
	}
	return encode(d.body)
}

// encode is JSON without the escapes that HTML needs: links hold an "&".
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return b.Bytes(), nil
}

func (p *Problem) encoded() []byte {
	b, err := encode(p)
	if err != nil {
		panic("httpapi: a problem has nothing that cannot be encoded: " + err.Error())
	}
	return b
}

func (x *exchange) refusalHeaders(h http.Header, p *Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		h["Www-Authenticate"] = []string{challenge(p.Code)}
	case http.StatusMethodNotAllowed:
		h["Allow"] = []string{x.allow}
	case http.StatusServiceUnavailable:
		h["Retry-After"] = []string{retryAfter}
	}
}

// challenge follows RFC 6750 section 3.1: no error word if there was no
// credential.
func challenge(code string) string {
	if code == "credential_missing" {
		return `Bearer realm="apitoken"`
	}
	return `Bearer realm="apitoken", error="invalid_token"`
}

// problem is the one place where an error becomes what the client sees.
func (x *exchange) problem(err error) *Problem {
	p := problemOf(err)
	p.Instance, p.RequestID = x.instance(), x.requestID
	return p
}

// outage is a fault of what we lean on: worth another try, and never a reason
// to call a token invalid.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// asOutage marks whatever the guard could not decide.
func asOutage(err error) error {
	if err == nil {
		return nil
	}
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return err
	}
	return outage{err}
}

func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if d, ok := errors.AsType[*guard.Denial](err); ok {
		return newProblem(d.Code, sentence(d.Detail))
	}
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		return refusalProblem(r)
	}
	_, out := errors.AsType[outage](err)
	if out || errors.Is(err, issuer.ErrBusy) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return newProblem("unavailable", "The service cannot do this just now. Try again.")
	}
	return newProblem("internal", internalDetail)
}

func refusalProblem(r *events.Refusal) *Problem {
	detail := sentence(r.Detail)
	var at []FieldError
	if r.Field != "" {
		at = append(at, FieldError{Field: r.Field, Detail: detail})
	}
	p := newProblem(r.Code, detail, at...)
	if r.Limit != nil {
		p.TokenLimit, p.LiveTokens = &r.Limit.TokenLimit, &r.Limit.Live
		p.SoonestExpiry = &Time{r.Limit.SoonestExpiry}
	}
	return p
}

// sentence makes a sentence of what the rules say as part of one.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if text != "" && 'a' <= text[0] && text[0] <= 'z' {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}
