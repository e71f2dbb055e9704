package page

import (
	"net/http"
	"net/url"
	"strings"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// secretPage shows the text of a token. It is the only page with a secret.
type secretPage struct {
	Made    httpapi.Created
	Text    string
	Command string // to try the token; it has no secret
	Rotated bool
}

// showSecret answers a POST with the text of the token. The text is in no other
// answer: a form that was sent again gets the same token without it. A person who did
// not see the text rotates the token.
func (v *visit) showSecret(made httpapi.Created, act string) error {
	if made.Replayed {
		v.render(http.StatusOK, "replayed", view{Title: "This form was sent before", Body: secretPage{Made: made, Rotated: act == "rotated"}})
		return nil
	}
	text := made.BearerToken.Reveal()
	if text == "" {
		return errNoSecret
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.noteSoon()
	title := "Your new token"
	if act == "rotated" {
		title = "Your new secret"
	}
	v.render(http.StatusOK, "secret", view{Title: title, Body: secretPage{
		Made: made, Text: text, Command: tryCommand(v.address()), Rotated: act == "rotated",
	}})
	return nil
}

// tryCommand is a command for a shell that asks for the token. So the token is
// neither in the arguments of a program nor in the history of the shell.
func tryCommand(base string) string {
	return `read -rsp 'Token: ' T && printf 'header = "Authorization: Bearer %s"' "$T" | curl -sS -K - ` + base + "/v1/session/who-am-i"
}

// address is the address of the API for the person's own programs: PublicURL, or else
// the address in the browser. A host that is no host gets a placeholder, because
// people paste the command into a shell.
func (v *visit) address() string {
	if v.PublicURL != "" {
		return v.PublicURL
	}
	checked, err := events.PublicURL("https://" + v.r.Host)
	if err != nil {
		return "https://HOST"
	}
	if v.r.TLS == nil {
		checked = "http://" + strings.ToLower(v.r.Host)
	}
	return checked + v.prefix()
}

// prefix is the path that a gateway has before ours, if it is harmless in a shell.
func (v *visit) prefix() string {
	sent, err := url.ParseRequestURI(v.r.RequestURI)
	if err != nil {
		return ""
	}
	prefix, found := strings.CutSuffix(sent.Path, v.r.URL.Path)
	if !found || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/") != "" {
		return ""
	}
	return prefix
}
