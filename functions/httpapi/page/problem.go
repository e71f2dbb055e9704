package page

import (
	"bytes"

	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/signin"
)

// SignInForm writes a problem of the sign-in at an issuer as a page: for
// machine.Config. These two calls are below Under, so the relative links fit.
func SignInForm(p *machine.Problem) machine.Form {
	var b bytes.Buffer
	err := templates["failed"].ExecuteTemplate(&b, "layout.html", view{
		Title: p.Title, Failed: true, Body: struct{ Detail, RequestID string }{p.Detail, p.RequestID},
	})
	if err != nil {
		return signin.Page(p) // it needs no template
	}
	return machine.Form{Status: p.Status, Type: "text/html; charset=utf-8", Document: bytes.ReplaceAll(b.Bytes(), []byte("\r"), nil), Policy: policy}
}
