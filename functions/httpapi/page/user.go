package page

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"apitoken/functions/httpapi"
)

// userPage is one user, for holders of permissions.
type userPage struct {
	User        string
	Permissions httpapi.Permissions
	Limit       httpapi.Limit
	Form        *form
}

// showUser shows the user that the address names, or asks for one.
func (v *visit) showUser() error {
	user := strings.TrimSpace(v.r.URL.Query().Get("user"))
	if user == "" {
		v.render(http.StatusOK, "users", view{Title: "Users", Body: found{Form: newForm(url.Values{})}})
		return nil
	}
	return v.renderUser(http.StatusOK, user, newForm(url.Values{}))
}

func (v *visit) renderUser(status int, user string, f *form) (err error) {
	body := userPage{User: user, Form: f}
	if body.Permissions, err = v.api.Permissions(v.context(), user); err != nil {
		return err
	}
	if body.Limit, err = v.api.Limit(v.context(), user); err != nil {
		return err
	}
	if !f.Values.Has("token_limit") && body.Limit.TokenLimit != nil {
		f.Values.Set("token_limit", strconv.Itoa(*body.Limit.TokenLimit))
	}
	v.render(status, "user", view{Title: "User " + userText(body.Limit.User), Notice: v.notice(), Body: body})
	return nil
}

// changeUser changes the permissions, the limit or the suspension of a user.
func (v *visit) changeUser() error {
	user := strings.TrimSpace(v.r.URL.Query().Get("user"))
	if user == "" {
		return v.chooseUser()
	}
	f, done := newForm(url.Values{}), "saved"
	var err error
	switch v.r.PostForm.Get("act") {
	case "permissions":
		f.Values["permission"] = v.r.PostForm["permission"]
		_, err = v.api.SetPermissions(v.context(), user, v.r.PostForm["permission"])
	case "limit":
		err = v.setLimit(f, user)
	case "suspend":
		done = "suspended"
		if v.confirmed(f, "suspend", user) {
			_, err = v.api.Suspend(v.context(), user, "")
		}
	case "reinstate":
		done = "reinstated"
		_, err = v.api.Reinstate(v.context(), user)
	case "offboard":
		done = "offboarded"
		if v.confirmed(f, "offboard", user) {
			_, err = v.api.Offboard(v.context(), user, "")
		}
	default:
		f.wrong("", "The form does not say what to do. Nothing was changed.")
	}
	if err != nil {
		status, err := f.take(err, map[string]string{"permissions": "permission", "token_limit": "token_limit"})
		if err != nil {
			return err
		}
		return v.renderUser(status, user, f)
	}
	if !f.ok() {
		return v.renderUser(http.StatusUnprocessableEntity, user, f)
	}
	redirect(v.w, "user?"+url.Values{"user": {user}, "done": {done}}.Encode())
	return nil
}

// confirmed reports whether the person has typed the user's name into the form of
// this act.
func (v *visit) confirmed(f *form, act, user string) bool {
	field := "confirm-" + act
	f.Values.Set(field, v.r.PostForm.Get(field))
	f.confirmAt(field, user)
	return f.ok()
}

func (v *visit) setLimit(f *form, user string) error {
	text := strings.TrimSpace(v.r.PostForm.Get("token_limit"))
	f.Values.Set("token_limit", text)
	var limit *int
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			f.wrong("token_limit", "Enter a whole number from 0 to 50, or nothing for the limit of the settings.")
			return nil
		}
		limit = &n
	}
	_, err := v.api.SetLimit(v.context(), user, limit)
	return err
}

// chooseUser reads the name of a user from a form. A pasted token must not come into
// an address, so the form is posted, and goes through the search.
func (v *visit) chooseUser() error {
	text := unwrapped(v.r.PostForm.Get("what"))
	f := newForm(url.Values{})
	if detail := wrongUser(text); detail != "" {
		f.wrong("what", detail)
		v.render(http.StatusUnprocessableEntity, "users", view{Title: "Users", Body: found{Form: f}})
		return nil
	}
	redirect(v.w, "user?"+url.Values{"user": {text}}.Encode())
	return nil
}
