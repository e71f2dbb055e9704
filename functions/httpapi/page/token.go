package page

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// tokenPage is one token with its forms.
type tokenPage struct {
	Entry httpapi.Entry
	Form  *form
	Key   string // the Idempotency-Key of a rotation

	// What the person may do with the token. The API decides again.
	Rotates, Changes, Revokes bool
}

// showToken shows one token and what can be done with it.
func (v *visit) showToken() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	return v.renderToken(http.StatusOK, e, newForm(url.Values{"name": {e.Name}, "description": {e.Description}}))
}

func (v *visit) renderToken(status int, e httpapi.Entry, f *form) error {
	v.render(status, "token", view{Title: e.Name, Notice: v.notice(), Body: v.tokenPage(e, f)})
	return nil
}

func (v *visit) tokenPage(e httpapi.Entry, f *form) tokenPage {
	mine := v.mine(e)
	return tokenPage{Entry: e, Form: f, Rotates: mine || v.may("create"), Changes: mine || v.may("edit"), Revokes: mine || v.may("delete")}
}

// entry reads the token that the address names, in every state. Another text than an
// id would be another path of the API.
func (v *visit) entry() (httpapi.Entry, error) {
	id := v.r.URL.Query().Get("id")
	if !secret.IsID(id) {
		return httpapi.Entry{}, &httpapi.Problem{Status: http.StatusNotFound, Code: "not_found", Title: "There is no such token", Detail: "The address of this page has no id of a token."}
	}
	return v.api.GetInAnyState(v.context(), id)
}

func (v *visit) mine(e httpapi.Entry) bool { return ownerText(e.User) == ownerText(v.who.User) }

// changeToken renames, disables or enables a token, or ends its previous secret. For
// the last one the person types the name of the token.
func (v *visit) changeToken() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	f := newForm(url.Values{"name": {e.Name}, "description": {e.Description}})
	in, done := httpapi.UpdateRequest{}, ""
	switch v.r.PostForm.Get("act") {
	case "save":
		name, description := strings.TrimSpace(v.r.PostForm.Get("name")), strings.TrimSpace(v.r.PostForm.Get("description"))
		f.Values.Set("name", name)
		f.Values.Set("description", description)
		in.Name, in.Description, in.IfMatch, done = &name, &description, v.r.PostForm.Get("etag"), "saved"
	case "disable":
		in.Enabled, done = new(false), "disabled"
	case "enable":
		in.Enabled, done = new(true), "enabled"
	case "end-previous":
		f.Values.Set("confirm", v.r.PostForm.Get("confirm"))
		f.confirm(e.Name)
		in.EndPreviousSecret, done = true, "previous"
	default:
		v.failed(http.StatusBadRequest, "The form is not complete", "It does not say what to do. Nothing was changed.", "")
		return nil
	}
	if !f.ok() {
		return v.renderToken(http.StatusUnprocessableEntity, e, f)
	}
	if _, err := v.api.Update(v.context(), e.ID, in); err != nil {
		status, err := f.take(err, map[string]string{"name": "name", "description": "description"})
		if err != nil {
			return err
		}
		return v.renderToken(status, e, f)
	}
	redirect(v.w, tokenAddress(e.ID, done))
	return nil
}

func tokenAddress(id, done string) string {
	return "token?" + url.Values{"id": {id}, "done": {done}}.Encode()
}

// graces are the choices for how long the previous secret works. "" is the setting of
// the service.
var graces = []struct{ Value, Label string }{
	{"", "As the service is set up (24 hours, unless an administrator changed this)"},
	{"1H", "1 hour"}, {"7D", "7 days"}, {graceNone, "Not at all: programs with the previous secret fail at once"},
}

const graceNone = "0"

// showRotate asks how long the previous secret shall work.
func (v *visit) showRotate() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	return v.renderAsk(http.StatusOK, "rotate", "Rotate "+e.Name, e, newForm(url.Values{}))
}

// renderAsk shows the question before an act.
func (v *visit) renderAsk(status int, template, title string, e httpapi.Entry, f *form) error {
	body := v.tokenPage(e, f)
	body.Key = rand.Text()
	v.render(status, template, view{Title: title, Body: body})
	return nil
}

func (tokenPage) Graces() any { return graces }

// rotate gives the token a new secret. If the previous one ends at once, the person
// types the name of the token.
func (v *visit) rotate() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	f := newForm(url.Values{"grace": {v.r.PostForm.Get("grace")}, "confirm": {v.r.PostForm.Get("confirm")}})
	if f.Is("grace", graceNone) {
		f.confirm(e.Name)
	}
	if !f.ok() {
		return v.renderAsk(http.StatusUnprocessableEntity, "rotate", "Rotate "+e.Name, e, f)
	}
	made, err := v.api.Rotate(v.context(), e.ID, httpapi.RotateRequest{Grace: f.Value("grace"), Key: v.r.PostForm.Get("key")})
	if err != nil {
		status, err := f.take(err, map[string]string{"grace": "grace"})
		if err != nil {
			return err
		}
		return v.renderAsk(status, "rotate", "Rotate "+e.Name, e, f)
	}
	return v.showSecret(made, "rotated")
}

// confirm checks that the person has typed the name.
func (f *form) confirm(name string) { f.confirmAt("confirm", name) }

// confirmAt is confirm for one of several forms. One blank is as good as several: a
// person does not see how many there are, nor of which kind.
func (f *form) confirmAt(field, name string) {
	if !slices.Equal(strings.Fields(f.Value(field)), strings.Fields(name)) {
		f.wrong(field, "Type exactly this: "+name)
	}
}

func (v *visit) showRevoke() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	return v.renderAsk(http.StatusOK, "revoke", "Revoke "+e.Name, e, newForm(url.Values{}))
}

// revoke ends a token for ever, after the person has typed its name.
func (v *visit) revoke() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	f := newForm(url.Values{"confirm": {v.r.PostForm.Get("confirm")}, "children": {v.r.PostForm.Get("children")}})
	f.confirm(e.Name)
	if !f.ok() {
		return v.renderAsk(http.StatusUnprocessableEntity, "revoke", "Revoke "+e.Name, e, f)
	}
	err = v.api.RevokeWith(v.context(), e.ID, httpapi.RevokeOptions{WithChildren: f.Is("children", "yes")})
	if p, ok := errors.AsType[*httpapi.Problem](err); err != nil && !(ok && p.Code == "not_found_revoked") {
		return err
	}
	redirect(v.w, tokenAddress(e.ID, "revoked"))
	return nil
}

// Live reports whether the token has not ended.
func (p tokenPage) Live() bool { return p.Entry.State == "active" || p.Entry.State == "disabled" }

// Previous reports whether the secret before the last rotation still works.
func (p tokenPage) Previous() bool { return !p.Entry.PreviousSecretUntil.IsZero() }
