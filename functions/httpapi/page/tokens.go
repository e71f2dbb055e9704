package page

import (
	"net/http"
	"net/url"

	"apitoken/functions/httpapi"
)

// listPage is one page of a list of tokens.
type listPage struct {
	List  httpapi.List
	Ended bool // it shows the tokens that have ended
	All   bool // of all users
	User  string
	Next  string // the address of the next page, "" at the end
}

// pageSize is the number of tokens on one page. A user has 50 live ones at most.
const pageSize = 50

var endedStates = []string{"expired", "revoked"}

// showTokens shows the person's own tokens.
func (v *visit) showTokens() error {
	body, err := v.list(v.me(), "./")
	if err != nil {
		return err
	}
	v.render(http.StatusOK, "tokens", view{Title: "My tokens", Notice: v.notice(), Body: body})
	return nil
}

// showAll shows the tokens of all users, or of one.
func (v *visit) showAll() error {
	user := v.r.URL.Query().Get("user")
	body, err := v.list(user, "all")
	if err != nil {
		return err
	}
	body.All = true
	title := "All tokens"
	if user != "" {
		title = "Tokens of " + user
	}
	v.render(http.StatusOK, "tokens", view{Title: title, Notice: v.notice(), Body: body})
	return nil
}

// list reads the page of a list that the address asks for.
func (v *visit) list(user, address string) (listPage, error) {
	q := v.r.URL.Query()
	body := listPage{User: user, Ended: q.Get("state") == "ended"}
	want := httpapi.ListQuery{User: user, After: q.Get("after"), Limit: pageSize}
	if body.Ended {
		want.States = endedStates
	}
	var err error
	if body.List, err = v.api.List(v.context(), want); err != nil {
		return body, err
	}
	if after := body.List.Paging.After; after != "" {
		next := url.Values{"after": {after}}
		for _, name := range []string{"user", "state"} {
			if q.Has(name) {
				next.Set(name, q.Get(name))
			}
		}
		body.Next = address + querySuffix(next)
	}
	return body, nil
}

// notices say what an act has done. The address after the act has the word.
var notices = map[string]string{
	"saved":      "The changes are saved.",
	"disabled":   "The token is disabled. It works again when you enable it.",
	"enabled":    "The token is enabled.",
	"revoked":    "The token is revoked. It will never work again.",
	"previous":   "The previous secret has ended.",
	"suspended":  "The user is suspended. None of the user's tokens works.",
	"reinstated": "The user is reinstated. The user's live tokens work again.",
	"offboarded": "The user is suspended, and all tokens of the user are revoked.",
	"closed":     "The session is closed.",
	"grouped":    "The permissions of the group are saved. Its members have them from their next sign-in.",
}

// notice returns what the act before has done. A link of another site must not say that
// something was done: the address comes from the page itself then.
func (v *visit) notice() string {
	if site := v.r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return ""
	}
	return notices[v.r.URL.Query().Get("done")]
}
