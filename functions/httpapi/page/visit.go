package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// visit is one request of a browser.
type visit struct {
	*site
	w       http.ResponseWriter
	r       *http.Request
	path    string        // below Under
	session secret.Secret // the zero Secret without a session
	api     *httpapi.Client
	who     httpapi.WhoAmI // the zero WhoAmI on a page that needs no session
}

// maxForm is the maximum size of a form in bytes. The largest one has 16 scopes, 16
// ranges and a description.
const maxForm = 64 << 10

// answer does the work of the request.
func (v *visit) answer() error {
	found, known := v.routes[v.path]
	if !known {
		v.failed(http.StatusNotFound, "There is no such page", "The address may be mistyped or too old.", "")
		return nil
	}
	do := found.get
	if v.r.Method == http.MethodPost {
		do = found.post
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	}
	if do == nil || v.r.Method != http.MethodGet && v.r.Method != http.MethodHead && v.r.Method != http.MethodPost {
		v.w.Header().Set("Allow", found.allow())
		v.failed(http.StatusMethodNotAllowed, "This page cannot be called in this way", "Open the page itself and use its forms.", "")
		return nil
	}
	if err := v.r.ParseForm(); err != nil {
		v.failed(http.StatusBadRequest, "The form cannot be read", "The form is too large, or it was changed on its way. Nothing was changed.", "")
		return nil
	}
	v.session = v.readSession()
	v.api = v.client(v.session)
	if found.open {
		return do(v)
	}
	if stop, err := v.enter(); stop || err != nil {
		return err
	}
	return do(v)
}

func (r route) allow() string {
	var methods []string
	if r.get != nil {
		methods = append(methods, http.MethodGet, http.MethodHead)
	}
	if r.post != nil {
		methods = append(methods, http.MethodPost)
	}
	return strings.Join(methods, ", ")
}

// enter reads who the person is. It stops without a session, and with one that was
// idle, which it ends.
func (v *visit) enter() (stop bool, err error) {
	switch {
	case v.session.Reveal() == "":
		v.toSignIn("")
		return true, nil
	case v.idle():
		if err := v.endSession(); err != nil {
			return true, err
		}
		v.toSignIn(endedIdle)
		return true, nil
	}
	v.who, err = v.api.WhoAmI(v.r.Context())
	if err == nil {
		v.noteUse()
	}
	return false, err
}

// may reports whether the person has one of the permissions.
func (v *visit) may(permissions ...string) bool {
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(v.who.Permissions, p) })
}

// me is the person as a call names a user. A name alone is a user of each domain.
func (v *visit) me() string { return "auth_id:" + v.who.ID }

// client returns a client of the API with a credential.
func (v *visit) client(credential secret.Secret) *httpapi.Client {
	return httpapi.NewClient(v.Base, credential, &http.Client{Transport: v.transport()})
}

func (v *visit) transport() http.RoundTripper {
	return addressed{v.API(v.r), v.Source(v.r)}
}

// fail answers an error. A session that the API refuses has ended.
func (v *visit) fail(err error) {
	p, ok := errors.AsType[*httpapi.Problem](err)
	switch {
	case ok && p.Status == http.StatusUnauthorized:
		v.forget()
		v.toSignIn(endedCode(p.Code))
	case ok && p.Code != "":
		v.failed(p.Status, p.Title, v.detailOf(p), p.RequestID)
	default:
		if v.r.Context().Err() == nil {
			v.Logger.LogAttrs(v.r.Context(), slog.LevelError, "the page did not get an answer from the API", slog.Any("error", err))
		}
		v.failed(http.StatusBadGateway, "The service does not answer", "The page works, but the service behind it does not answer. Try again in a minute.", "")
	}
}

// detailOf returns what a problem says to the person. If the API sees the page as the
// source of its calls, the address in the refusal of a token with source ranges is that of
// the page, and the person's own address has no part in the refusal.
func (v *visit) detailOf(p *httpapi.Problem) string {
	if p.Code == guard.CodeWrongSource && v.Base != inProcess {
		return "A token with source ranges cannot sign in at this page. The page calls the service from an address of its own, and the ranges do not have this address. Your own address does not matter here. Use another token, or call the service without the page."
	}
	return p.Detail
}

// failed answers with a page that says what is wrong.
func (v *visit) failed(status int, title, detail, requestID string) {
	v.render(status, "failed", view{Title: title, Body: struct{ Detail, RequestID string }{detail, requestID}})
}

// toSignIn sends the browser to the sign-in. A page that only shows something is
// opened again after it, unless its address has a token: such an address is not repeated.
func (v *visit) toSignIn(ended string) {
	query := url.Values{}
	if v.r.Method == http.MethodGet && v.path != "" && !secret.WithinEscaped(v.r.URL.RawQuery) {
		query.Set("to", v.path+querySuffix(v.r.URL.Query()))
	}
	if ended != "" {
		query.Set("ended", ended)
	}
	redirect(v.w, "sign-in"+querySuffix(query))
}

func querySuffix(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// target returns the address of the page that a person wanted before the sign-in. It
// accepts only addresses of this page, because a link could name another one.
func (s *site) target(text string) string {
	path, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil || s.routes[path].get == nil || s.routes[path].open || path == "" {
		return "./"
	}
	return path + querySuffix(values)
}

func (v *visit) context() context.Context { return v.r.Context() }
