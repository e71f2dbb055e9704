package machine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/issuer"
)

const (
	jsonType = "application/json"

	// retryAfter is the time in seconds that a client waits after a 503: an
	// outage, or too many other changes of the same user's tokens at the same
	// time.
	retryAfter = "1"
)

// Answer is the answer of a call that succeeded: a body that is encoded as JSON, a
// document that is sent unchanged, or neither.
type Answer struct {
	Status       int // 0 means 200
	Body         any
	Document     []byte // in place of Body
	DocumentType string // the document's media type
	ETag         string
	Location     string // with a Status that redirects: where to
	Replayed     bool   // it is the answer of an earlier request with the same Idempotency-Key
	Cache        string // the Cache-Control header; "" means no-store
}

// Constant header values. All answers share these slices, so no code may write
// to them.
var (
	noStore      = []string{"no-store"}
	noSniff      = []string{"nosniff"}
	uncompressed = []string{"identity"}

	replayed        = []string{"true"}
	closeConnection = []string{"close"}
	contentPolicy   = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// outcome is what was answered.
type outcome struct {
	status int    // as the face writes it
	code   string // "ok", "replayed" for the answer of an earlier request, or the problem's code
	err    error  // that the problem is about
	fault  bool   // of the service: the status of the code is a 5xx, whatever the face writes
}

// write sends the answer. An answer to a request whose credential and scopes were
// accepted has the expiry of this credential, whatever its status is: as the check
// found it, before the request itself changed anything. write returns the outcome for
// the log.
func (x *Exchange) write(a Answer, err error) outcome {
	out := outcome{status: cmp.Or(a.Status, http.StatusOK), code: "ok"}
	var body []byte
	policy := ""
	if err == nil {
		body, err = a.encoded()
	}
	h := x.w.Header()
	if err != nil {
		p := x.problem(err)
		form := x.formOf(p)
		out = outcome{form.Status, p.Code, err, p.Status >= http.StatusInternalServerError}
		body, a, policy = form.encoded(), Answer{DocumentType: form.Type}, form.Policy
		x.problemHeaders(h, p, form.Status)
	}
	h["X-Request-Id"] = x.header(0, x.requestID)
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = noStore
	if policy != "" {
		h["Content-Security-Policy"] = []string{policy}
	}
	if a.Cache != "" {
		h["Cache-Control"] = []string{a.Cache}
	}
	if a.ETag != "" {
		h["Etag"] = []string{a.ETag}
	}
	if a.Location != "" {
		h["Location"] = []string{a.Location}
	}
	if a.Replayed {
		out.code = "replayed"
		h["Idempotent-Replayed"] = replayed
	}
	if expires := x.Principal.ExpiresAt; x.accepted && !expires.IsZero() {
		h["Apitoken-Expires"] = x.header(1, instant.Format(expires))
	}
	if x.leavesBody() {
		h["Connection"] = closeConnection
	}
	if err != nil || !a.isEmpty() {
		h["Content-Type"] = x.header(2, a.mediaType())
		h["Content-Length"] = x.header(3, strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(out.status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.w.Write(body) // after an error the connection is broken, and no other answer can be sent
	}
	return out
}

// SetForm replaces the form in which this answer is written if it is a problem.
func (x *Exchange) SetForm(form func(*Problem) Form) { x.form = form }

// SetCookie adds a cookie to the answer, also if the answer is a problem.
func (x *Exchange) SetCookie(c *http.Cookie) { http.SetCookie(x.w, c) }

// header returns the values of a header that has one value. They are in one
// allocation with the exchange: each header has its own i.
func (x *Exchange) header(i int, value string) []string {
	x.headers[i] = value
	return x.headers[i : i+1 : i+1]
}

// drainTime is how long a connection is read after an answer that did not wait for
// the rest of the request. If the connection were closed with bytes unread, the
// client's system might drop the answer.
const drainTime = time.Second

// leavesBody reports whether the answer is sent before the body of the request was
// read. Without the header Connection: close, the server of net/http would first
// wait for the body. So a client without a credential that never sends its body
// could hold a connection, and its answer, for a long time. On Lambda the body is
// there already, and the connection is the gateway's.
func (x *Exchange) leavesBody() bool {
	if x.bodyRead || x.Request.ContentLength == 0 || x.Request.ProtoMajor != 1 {
		return false
	}
	return http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(drainTime)) == nil
}

func (a Answer) mediaType() string {
	if a.DocumentType == "" {
		return jsonType
	}
	return a.DocumentType
}

// isEmpty reports whether the answer has no body at all, as with the status 204.
func (a Answer) isEmpty() bool { return a.Document == nil && a.Body == nil }

func (a Answer) encoded() ([]byte, error) {
	switch {
	case a.Document != nil:
		return a.Document, nil
	case a.isEmpty():
		return nil, nil
	}
	return encode(a.Body)
}

// JSONAppender is a Body that encodes itself, as encoding/json would encode it.
// AppendJSON returns false if it cannot: encoding/json then encodes the body.
type JSONAppender interface {
	AppendJSON([]byte) (_ []byte, ok bool)
}

// encode returns v as JSON. It does not escape characters for HTML, because
// links contain "&".
func encode(v any) ([]byte, error) {
	if a, ok := v.(JSONAppender); ok {
		if body, ok := a.AppendJSON(make([]byte, 0, 256)); ok {
			return append(body, '\n'), nil
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return b.Bytes(), nil
}

func (f Form) encoded() []byte {
	if f.Document != nil {
		return f.Document
	}
	b, err := encode(f.Body)
	if err != nil {
		panic("machine: encoding a problem, which has plain values only: " + err.Error())
	}
	return b
}

// problemHeaders sets the headers that belong to the problem. Only an answer that is
// written as a 401 asks for another credential.
func (x *Exchange) problemHeaders(h http.Header, p *Problem, written int) {
	switch p.Status {
	case http.StatusUnauthorized:
		if written != p.Status {
			break
		}
		h["Www-Authenticate"] = x.Config.challenges(p.Code)
	case http.StatusUnsupportedMediaType:
		h["Accept-Encoding"] = uncompressed // RFC 9110 section 15.5.16
	case http.StatusMethodNotAllowed:
		h["Allow"] = []string{x.allow}
	}
	if p.Retryable {
		h["Retry-After"] = []string{x.secondsUntil(p.retryAt)}
	}
}

// secondsUntil returns the value of Retry-After: whole seconds, rounded up, so that
// a client which waits for them is not too early. It is retryAfter at least.
func (x *Exchange) secondsUntil(at time.Time) string {
	wait := at.Sub(x.Config.Now())
	if at.IsZero() || wait <= time.Second {
		return retryAfter
	}
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

// The WWW-Authenticate headers. Clients choose a scheme from them: wget and curl
// --anyauth send a password only if Basic is there. Api-Token and Token carry the
// same credential as Bearer and are no registered schemes. As RFC 6750 section
// 3.1 asks, there is no error member if the request had no credential.
const (
	bearerChallenge = `Bearer realm="apitoken"`
	basicChallenge  = `Basic realm="apitoken"`
)

// challengesOf returns the challenges of a service with this public URL: those for a
// request without a credential, and those for a refused credential. With a public URL
// the challenge says where the metadata of RFC 9728 are.
func challengesOf(publicURL string) (missing, refused []string) {
	metadata := ""
	if publicURL != "" {
		metadata = `, resource_metadata="` + publicURL + MetadataPath + `"`
	}
	return []string{bearerChallenge + metadata, basicChallenge},
		[]string{bearerChallenge + `, error="invalid_token"` + metadata, basicChallenge}
}

// plainMissing and plainRefused are the challenges about another service: that
// service, and not this one, is the protected resource.
var plainMissing, plainRefused = challengesOf("")

func challenges(code string) []string {
	if code == "credential_missing" {
		return plainMissing
	}
	return plainRefused
}

func (c *Config) challenges(code string) []string {
	if code == "credential_missing" {
		return c.challengesMissing
	}
	return c.challengesRefused
}

// problem turns an error into the problem that the client gets.
func (x *Exchange) problem(err error) *Problem {
	p := problemOf(err)
	p.Instance, p.RequestID = x.instance(), x.requestID
	return p
}

// Outage marks an error as a fault of the store or of another dependency. The client
// may send the request again. An outage is never a reason to call a token invalid.
func Outage(err error) error { return outage{err} }

type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// asOutage returns a denial and damaged data unchanged, and marks every other
// error of the guard as an outage. Damaged data stays damaged, so a client must not
// send the request again.
func asOutage(err error) error {
	if err == nil || errors.Is(err, events.ErrDamaged) {
		return err
	}
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return err
	}
	return outage{err}
}

// problemOf returns the problem of an error. Every error answer comes from here.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if d, ok := errors.AsType[*guard.Denial](err); ok {
		return NewProblem(d.Code, sentence(d.Detail))
	}
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		return refusalProblem(r)
	}
	_, out := errors.AsType[outage](err)
	if out || errors.Is(err, issuer.ErrBusy) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return NewProblem("unavailable", "The service cannot do this just now. Try again.")
	}
	return NewProblem("internal", internalDetail)
}

func refusalProblem(r *events.Refusal) *Problem {
	detail := sentence(r.Detail)
	var at []FieldError
	if r.Field != "" {
		at = append(at, FieldError{Field: r.Field, Detail: detail})
	}
	p := NewProblem(r.Code, detail, at...)
	p.Refusal, p.retryAt = r, r.RetryAt
	return p
}

// sentence returns a text of the rules as a sentence: with a capital letter and
// a full stop.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if text != "" && 'a' <= text[0] && text[0] <= 'z' {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}
