package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const callbackPath = "/callback"

// question is a question to the person, with a listener for the answer.
type question struct {
	address           string // where the person signs in
	state             string // only the answer to this question has it
	issuer            string
	issuerNamesItself bool

	listener net.Listener
	start    string // the path that leads to the address, once
	started  atomic.Bool
	answered atomic.Bool
	answers  chan answer
}

type answer struct {
	code string
	err  error
}

// ask listens until the answer is there, the time is over, or ctx is done. show gets the
// address on this machine that leads to the issuer.
func (q *question) ask(ctx context.Context, l net.Listener, show func(start string)) (code string, err error) {
	q.listener, q.start, q.answers = l, "/"+rand.Text(), make(chan answer, 1)
	server := &http.Server{
		Handler: q, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // a broken request is no message for the person
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the browser gets its page
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	}()
	show("http://" + l.Addr().String() + q.start)
	late := time.NewTimer(personTimeout)
	defer late.Stop()
	select {
	case a := <-q.answers:
		return a.code, a.err
	case err := <-failed:
		return "", fmt.Errorf("listening for the answer of the browser: %w", err)
	case <-late.C:
		return "", ErrLate
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// ServeHTTP answers the browser. A page of another site can send requests to the port, so
// everything but the answer to this question is refused, and the command goes on to wait.
func (q *question) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	switch {
	case r.Host != q.listener.Addr().String(): // a name that someone else gave this address (DNS rebinding)
		http.Error(w, "This address is for a sign-in on this machine.", http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet:
		http.Error(w, "This address is for a browser.", http.StatusMethodNotAllowed)
	case r.URL.Path == q.start:
		q.lead(w, r)
	case r.URL.Path == callbackPath:
		q.take(w, r)
	default:
		http.NotFound(w, r)
	}
}

// lead leads to the issuer, once: if somebody else was first, the person notices.
func (q *question) lead(w http.ResponseWriter, r *http.Request) {
	if q.started.Swap(true) {
		http.Error(w, "This address was used already. Open the address that the command shows in the terminal.", http.StatusGone)
		return
	}
	http.Redirect(w, r, q.address, http.StatusSeeOther)
}

func (q *question) take(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || values.Get("state") != q.state || len(values["state"]) != 1 {
		http.Error(w, "This is not the answer to the sign-in that the command waits for. Go back to the terminal.", http.StatusBadRequest)
		return
	}
	if q.answered.Swap(true) {
		http.Error(w, "This sign-in has its answer already. Go back to the terminal.", http.StatusGone)
		return
	}
	code, err := q.codeIn(values)
	if err != nil {
		http.Error(w, "The sign-in failed. The terminal has the reason. You can close this window.", http.StatusBadRequest)
	} else {
		fmt.Fprintln(w, "The browser has done its part. Go back to the terminal. You can close this window.")
	}
	q.answers <- answer{code, err}
}

// codeIn is the code of an answer with the right state. The answer of another issuer is
// refused (RFC 9207 section 2.4).
func (q *question) codeIn(values url.Values) (string, error) {
	switch issuers := values["iss"]; {
	case len(issuers) == 0 && q.issuerNamesItself:
		return "", errors.New("the answer does not name its issuer (iss), although the issuer says that its answers do")
	case len(issuers) > 0 && (len(issuers) > 1 || issuers[0] != q.issuer):
		return "", errors.New("the answer is that of another issuer (iss)")
	case values.Has("error"):
		return "", refusalOf(values.Get("error"), values.Get("error_description"), nil)
	case len(values["code"]) != 1 || values.Get("code") == "":
		return "", errors.New("the answer has no code, or more than one")
	}
	return values.Get("code"), nil
}
