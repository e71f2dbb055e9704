package page

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// form is a form with the values that a person has sent, and what is wrong with them.
type form struct {
	Values url.Values
	Errors map[string]string // by field; "" is about the whole form
	order  []string          // the fields with errors, as they were found
}

func newForm(values url.Values) *form { return &form{Values: values, Errors: map[string]string{}} }

// Value returns the value of a field.
func (f *form) Value(name string) string { return f.Values.Get(name) }

// Shown returns the value of a field for a page: nothing if it has a token, because a
// page repeats no token.
func (f *form) Shown(name string) string {
	if secret.WithinEscaped(f.Value(name)) {
		return ""
	}
	return f.Value(name)
}

// Is reports whether a field has the value.
func (f *form) Is(name, value string) bool { return f.Values.Get(name) == value }

// Error returns what is wrong with a field, "" if nothing is.
func (f *form) Error(name string) string { return f.Errors[name] }

// First reports whether the field is the first one with an error. It gets the focus.
func (f *form) First(name string) bool { return len(f.order) > 0 && f.order[0] == name }

// wrong says that a field is wrong. The first error of a field stays.
func (f *form) wrong(name, detail string) {
	if f.Errors[name] == "" {
		f.Errors[name] = detail
		f.order = append(f.order, name)
	}
}

func (f *form) ok() bool { return len(f.order) == 0 }

// check records the error of a rule at its field. It reports whether there is one.
func (f *form) check(name string, err error) bool {
	if err == nil {
		return true
	}
	detail := err.Error()
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		detail = r.Detail
	}
	f.wrong(name, sentence(detail))
	return false
}

// take records the problem of the API at the fields of the form. fields maps members
// of the request to fields. It returns the status for the answer, and an error if a
// person can do nothing about the problem in this form.
func (f *form) take(err error, fields map[string]string) (int, error) {
	p, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || p.Code == "" || p.Status == http.StatusUnauthorized || p.Status >= http.StatusInternalServerError && !p.Retryable {
		return 0, err
	}
	for _, e := range p.Errors {
		member, _, _ := strings.Cut(strings.TrimPrefix(e.Field, "user."), "[")
		if name, known := fields[member]; known {
			f.wrong(name, e.Detail)
		}
	}
	if f.ok() {
		f.wrong("", p.Detail)
	}
	return p.Status, nil
}

func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// field is one field for the template with this name.
type field struct {
	Form        *form
	Name, Label string
	Hint        string
}

// permissionsField are the boxes of all permissions, for the template permissions.
type permissionsField struct {
	Form  *form
	Who   string   // may have them
	Held  []string // before the form was sent
	Edits bool     // the person may change them
}

func newPermissions(f *form, who string, held []string, edits bool) permissionsField {
	return permissionsField{f, who, held, edits}
}

// Actions are all permissions, with what each allows.
func (permissionsField) Actions() []struct{ Name, Label string } {
	return []struct{ Name, Label string }{
		{"view", "see the tokens of all users"}, {"create", "make and rotate tokens for other users"},
		{"edit", "change tokens of other users, the settings and the permissions"}, {"delete", "revoke tokens of other users"},
	}
}

// Checked reports whether the box of a permission is checked.
func (p permissionsField) Checked(action string) bool {
	if sent, ok := p.Form.Values["permission"]; ok {
		return slices.Contains(sent, action)
	}
	return slices.Contains(p.Held, action)
}

// hideTokens empties the fields that have a token, and says so there: a page repeats no token.
func (f *form) hideTokens(fields ...string) {
	for _, name := range fields {
		if secret.WithinEscaped(f.Value(name)) {
			f.Values.Set(name, "")
			f.Errors[name] = ""
			f.wrong(name, "The text had a whole token. It is removed here. Revoke this token, because texts are no secrets.")
		}
	}
}

func newField(f *form, name, label, hint string) field { return field{f, name, label, hint} }

// Describes are the ids of the texts about the field.
func (f field) Describes() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Name+"-hint")
	}
	if f.Form.Error(f.Name) != "" {
		ids = append(ids, f.Name+"-wrong")
	}
	return strings.Join(ids, " ")
}
