package page

import (
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// found is what the search of a pasted token has found.
type found struct {
	Form   *form
	Result *httpapi.Introspection
	Sent   bool
}

func (v *visit) showFind() error {
	v.render(http.StatusOK, "find", view{Title: "Find a token", Body: found{Form: newForm(url.Values{})}})
	return nil
}

// find looks for a token by its id, by its user, or by its text. The text of a token
// comes with a POST and never goes into an address. The form of the answer does not
// have it either.
func (v *visit) find() error {
	text := unwrapped(v.r.PostForm.Get("what"))
	f := newForm(url.Values{"what": {text}})
	switch {
	case text == "":
		f.wrong("what", "Enter the id of a token, a user, or a whole token.")
	case secret.WithinEscaped(text):
		return v.findPasted(text)
	case secret.IsID(text):
		if _, err := v.api.Get(v.context(), text); err == nil || !isNotFound(err) {
			redirect(v.w, "token?"+url.Values{"id": {text}}.Encode())
			return nil
		}
		users, err := v.hasTokens(text)
		if err != nil {
			return err
		}
		if !users {
			f.wrong("what", "You can see no token with the id "+text+".")
		}
	}
	if _, err := name.OwnersNamed(text); f.ok() {
		f.check("what", err)
	}
	if f.ok() && v.may("view") {
		redirect(v.w, "all?"+url.Values{"user": {text}}.Encode())
		return nil
	}
	if f.ok() {
		f.wrong("what", "This is neither the id of a token nor a whole token. You can see your own tokens only.")
	}
	v.render(http.StatusUnprocessableEntity, "find", view{Title: "Find a token", Body: found{Form: f}})
	return nil
}

// hasTokens reports whether a user with a live token has this name. A name of 8 letters and
// digits looks like an id.
func (v *visit) hasTokens(user string) (bool, error) {
	if !v.may("view") {
		return false, nil
	}
	list, err := v.api.List(v.context(), httpapi.ListQuery{User: user, Limit: 1})
	return len(list.Entries) > 0, err
}

func (v *visit) findPasted(text string) error {
	f := newForm(url.Values{})
	if _, err := secret.Parse(text); err != nil {
		f.wrong("what", "The text has a token and something else, or the token is damaged. Paste the token alone.")
		v.render(http.StatusUnprocessableEntity, "find", view{Title: "Find a token", Body: found{Form: f}})
		return nil
	}
	result, err := v.introspect(text)
	if err != nil {
		return err
	}
	v.render(http.StatusOK, "find", view{Title: "Find a token", Body: found{Form: f, Result: &result, Sent: true}})
	return nil
}

// unwrapped is a text without what people copy with a token: blanks, quotes and the
// scheme of a header.
func unwrapped(text string) string {
	text = strings.TrimSpace(text)
	if rest, ok := cutPrefixFold(text, "authorization:"); ok {
		text = strings.TrimSpace(rest)
	}
	if rest, ok := cutPrefixFold(text, "bearer "); ok {
		text = strings.TrimSpace(rest)
	}
	return strings.Trim(text, `"'`)
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}
