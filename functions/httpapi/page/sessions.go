package page

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// sessionsPage is the list of a user's open sessions.
type sessionsPage struct {
	User     string
	Mine     bool
	Closes   bool // the person may close them; the API decides again
	Sessions []httpapi.Entry
	Here     string // the id of the session of this page
	Next     string // the address of the next page, "" at the end
}

// Way says how a session was opened.
func (sessionsPage) Way(e httpapi.Entry) string {
	switch e.Via {
	case "oidc":
		return "at an identity provider"
	case "password":
		return "with a password"
	case "token":
		return "with a token"
	case "exchange":
		return "by a program, with a JWT"
	}
	return e.Via
}

// showSessions shows the sessions of the person, or of the user that the address names.
func (v *visit) showSessions() error {
	me := ownerText(v.who.User)
	user := cmp.Or(strings.TrimSpace(v.r.URL.Query().Get("user")), me)
	asked := user
	if user == me {
		asked = v.me()
	}
	list, err := v.api.List(v.context(), httpapi.ListQuery{User: asked, Kind: "session", After: v.r.URL.Query().Get("after"), Limit: pageSize})
	if err != nil {
		return err
	}
	body := sessionsPage{User: user, Mine: user == me, Closes: user == me || v.may("delete"), Sessions: list.Entries, Here: sessionID(v.session)}
	if list.Paging.After != "" {
		body.Next = "sessions?" + url.Values{"user": {user}, "after": {list.Paging.After}}.Encode()
	}
	title := "My sessions"
	if !body.Mine {
		title = "Sessions of " + user
	}
	v.render(http.StatusOK, "sessions", view{Title: title, Notice: v.notice(), Body: body})
	return nil
}

// closeSession closes one session. The session of this page is closed by the sign-out.
func (v *visit) closeSession() error {
	id := v.r.PostForm.Get("id")
	if !secret.IsID(id) {
		v.failed(http.StatusBadRequest, "The form is not complete", "It has no id of a session. Nothing was changed.", "")
		return nil
	}
	if id == sessionID(v.session) {
		return v.signOut()
	}
	if err := v.api.Revoke(v.context(), id); err != nil && !isNotFound(err) {
		return err
	}
	back := url.Values{"done": {"closed"}}
	if user := v.r.PostForm.Get("user"); !secret.WithinEscaped(user) { // an address has no token
		back.Set("user", user)
	}
	redirect(v.w, "sessions"+querySuffix(back))
	return nil
}
