package page

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/signin"
)

// The words in the address of the sign-in that say why a session has ended.
const (
	endedIdle = "idle"
	endedHere = "signed-out"
)

var endings = map[string]string{
	endedIdle:   "You were signed out, because the page was not used for 30 minutes.",
	endedHere:   "You are signed out.",
	"expired":   "Your session has expired. Sign in again.",
	"suspended": "This user is suspended. Ask an administrator.",
	"ended":     "Your session has ended. Sign in again.",
}

// endedCode is the word for the code of a refused session.
func endedCode(code string) string {
	switch code {
	case "token_expired":
		return "expired"
	case "token_suspended":
		return "suspended"
	}
	return "ended"
}

// signInPage is the form of the sign-in.
type signInPage struct {
	Ways issuers
	Form *form
	Path string // of the page to open after it
}

// Browsers are the issuers at which a browser can sign in.
func (p signInPage) Browsers() (list []signInIssuer) {
	for _, i := range p.Ways.Issuers {
		if i.Browser {
			list = append(list, i)
		}
	}
	return list
}

func (v *visit) showSignIn() error {
	q := v.r.URL.Query()
	return v.renderSignIn(http.StatusOK, newForm(url.Values{"to": {q.Get("to")}}), endings[q.Get("ended")])
}

// renderSignIn shows the forms. Without an answer about the other ways, people can
// still sign in with a token.
func (v *visit) renderSignIn(status int, f *form, notice string) error {
	ways, err := v.signInWays()
	if p, ok := errors.AsType[*httpapi.Problem](err); err != nil && !(ok && p.Status == http.StatusNotFound) {
		return err
	}
	path := Under + strings.TrimPrefix(v.target(f.Shown("to")), "./")
	if !signin.IsTarget(path) { // a cookie has no room for it
		path = Under
	}
	v.who = httpapi.WhoAmI{}
	v.render(status, "signin", view{Title: "Sign in", Notice: notice, Body: signInPage{Ways: ways, Form: f, Path: path}})
	return nil
}

// signIn opens a session with a token or a password.
func (v *visit) signIn() error {
	f := newForm(url.Values{"to": {v.r.PostForm.Get("to")}, "username": {v.r.PostForm.Get("username")}, "way": {v.r.PostForm.Get("way")}})
	session, err := v.openSession(f)
	if !f.ok() {
		return v.renderSignIn(http.StatusUnprocessableEntity, f, "")
	}
	if err != nil {
		status, err := v.refused(f, err)
		if err != nil {
			return err
		}
		return v.renderSignIn(status, f, "")
	}
	v.endEarlier()
	v.keep(session)
	redirect(v.w, v.target(f.Value("to")))
	return nil
}

// endEarlier closes the session that the browser had before a new sign-in, because the
// browser forgets its text. The person is signed in also if this fails: the session then
// is in the list of the person's sessions until it expires.
func (v *visit) endEarlier() {
	if err := v.closeOwn(); err != nil && v.context().Err() == nil {
		v.Logger.LogAttrs(v.context(), slog.LevelError, "the earlier session of a browser could not be closed", slog.String("token_id", sessionID(v.session)), slog.Any("error", err))
	}
}

func (v *visit) openSession(f *form) (secret.Secret, error) {
	posted := v.r.PostForm
	if f.Is("way", "password") {
		if posted.Get("username") == "" {
			f.wrong("username", "Enter your user name.")
		}
		if posted.Get("password") == "" {
			f.wrong("password", "Enter your password.")
		}
		for _, field := range []struct{ name, noun string }{{"username", "user name"}, {"password", "password"}} {
			if secret.WithinEscaped(posted.Get(field.name)) {
				f.wrong(field.name, "This is a token and no "+field.noun+". Enter it in the form for tokens.")
			}
		}
		if !f.ok() {
			return secret.Secret{}, nil
		}
		return v.login(posted.Get("username"), posted.Get("password"))
	}
	text := unwrapped(posted.Get("token"))
	if text == "" {
		f.wrong("token", "Paste a token.")
		return secret.Secret{}, nil
	}
	if _, err := secret.Parse(text); err != nil {
		f.wrong("token", "This is not a whole token. A token has 8 characters, a dot, and 32 characters.")
		return secret.Secret{}, nil
	}
	return v.exchange(secret.New(text))
}

// refused records why a sign-in was refused. A fault of the service is an error.
func (v *visit) refused(f *form, err error) (int, error) {
	p, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable {
		return 0, err
	}
	at := "token"
	if f.Is("way", "password") {
		at = "password"
	}
	detail := v.detailOf(p)
	if detail == "" {
		detail = "The sign-in was refused."
	}
	f.wrong(at, detail)
	return p.Status, nil
}

// signOut closes the session. The browser forgets it also if the API does not answer.
func (v *visit) signOut() error {
	if err := v.endSession(); err != nil {
		return err
	}
	redirect(v.w, "sign-in?ended="+endedHere)
	return nil
}

// endSession closes the session and lets the browser forget it. A session that has
// ended already is no error.
func (v *visit) endSession() error {
	v.forget()
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return v.closeOwn()
}

// closeOwn closes the session that the browser sent, if it sent one.
func (v *visit) closeOwn() error {
	if v.session.Reveal() == "" {
		return nil
	}
	err := v.api.RevokeSelf(v.context())
	if p, ok := errors.AsType[*httpapi.Problem](err); ok && p.Status == http.StatusUnauthorized {
		return nil
	}
	return err
}
