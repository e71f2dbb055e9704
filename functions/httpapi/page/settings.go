package page

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// settingsPage is the form with the settings, and the groups that give permissions.
type settingsPage struct {
	Form   *form
	Groups []httpapi.Group
}

// settingFields are the members of the settings, which are fields of the form too.
var settingFields = map[string]string{
	"token_limit": "token_limit", "expiration_timeout_seconds": "expiration_timeout_seconds", "rotation_grace_seconds": "rotation_grace_seconds",
	"retention_seconds": "retention_seconds", "warning_days": "warning_days", "change_rate": "change_rate",
}

func (v *visit) showSettings() error {
	set, err := v.api.Settings(v.context())
	if err != nil {
		return err
	}
	return v.renderSettings(http.StatusOK, newForm(settingsValues(set)))
}

func (v *visit) renderSettings(status int, f *form) error {
	all, err := v.api.Groups(v.context())
	if err != nil {
		return err
	}
	v.render(status, "settings", view{Title: "Settings", Notice: v.notice(), Body: settingsPage{f, all.Groups}})
	return nil
}

func settingsValues(s httpapi.Settings) url.Values {
	days := make([]string, len(s.WarningDays))
	for i, d := range s.WarningDays {
		days[i] = strconv.Itoa(d)
	}
	return url.Values{
		"token_limit": {strconv.Itoa(s.TokenLimit)}, "change_rate": {strconv.Itoa(s.ChangeRate)}, "warning_days": {strings.Join(days, ", ")},
		"expiration_timeout_seconds": {lifetimeField(s.ExpirationTimeout)}, "rotation_grace_seconds": {lifetimeField(s.RotationGrace)},
		"retention_seconds": {lifetimeField(s.Retention)},
	}
}

// changeSettings changes the settings that the form has.
func (v *visit) changeSettings() error {
	f := newForm(url.Values{})
	for field := range settingFields {
		f.Values.Set(field, strings.TrimSpace(v.r.PostForm.Get(field)))
	}
	in := httpapi.SettingsChange{
		TokenLimit: f.number("token_limit"), ChangeRate: f.number("change_rate"), WarningDays: f.numbers("warning_days"),
		ExpirationTimeout: f.seconds("expiration_timeout_seconds"), RotationGrace: f.seconds("rotation_grace_seconds"), Retention: f.seconds("retention_seconds"),
	}
	status := http.StatusUnprocessableEntity
	if f.ok() {
		_, err := v.api.ChangeSettings(v.context(), in)
		if err == nil {
			redirect(v.w, "settings?done=saved")
			return nil
		}
		if status, err = f.take(err, settingFields); err != nil {
			return err
		}
	}
	return v.renderSettings(status, f)
}

func (f *form) number(field string) *int {
	n, err := strconv.Atoi(f.Value(field))
	if err != nil {
		f.wrong(field, "Enter a whole number.")
	}
	return &n
}

func (f *form) numbers(field string) *[]int {
	list := []int{}
	for text := range strings.FieldsFuncSeq(f.Value(field), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(text)
		if err != nil {
			f.wrong(field, "Enter whole numbers with commas between them, like 30, 7, 1.")
		}
		list = append(list, n)
	}
	return &list
}

func (f *form) seconds(field string) *int64 {
	n, err := secondsOf(f.Value(field))
	if err != nil {
		f.wrong(field, "Enter a number and a unit, like 180D, 24H or 30m, or 0.")
	}
	return &n
}

// wrongUser says why a text is no user, "" if it is one.
func wrongUser(text string) string {
	switch {
	case text == "":
		return "Enter the name of a user."
	case secret.WithinEscaped(text):
		return "This is a token and no user. The search finds the user of a token."
	}
	f := newForm(nil)
	_, err := name.OwnerKey(text)
	f.check("", err)
	return f.Error("")
}
