package signin

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/identity"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
)

// The paths of the two calls.
const (
	LoginPath    = root + "login"
	CallbackPath = root + "callback"
)

// Calls returns the two calls. They are calls of the function login.
func Calls() []machine.Call {
	return []machine.Call{
		{
			Route: machine.Route{Function: "login", Operation: "sign_in", Method: http.MethodGet, Path: LoginPath, Open: true},
			Serve: formed(begin), Form: Page, Parameters: []string{"issuer", "to"},
		},
		{
			Route: machine.Route{Function: "login", Operation: "signed_in", Method: http.MethodGet, Path: CallbackPath, Open: true, Command: true, Mints: true},
			Serve: formed(finish), Form: Page,
		},
	}
}

// formed writes the problems of a call in the form of the configuration, if there is one.
func formed(serve func(*machine.Exchange) (machine.Answer, error)) func(*machine.Exchange) (machine.Answer, error) {
	return func(x *machine.Exchange) (machine.Answer, error) {
		if form := x.Config.SignInForm; form != nil {
			x.SetForm(form)
		}
		return serve(x)
	}
}

// begin sends the browser to the issuer that the query names.
func begin(x *machine.Exchange) (machine.Answer, error) {
	back, err := redirectOf(x)
	if err != nil {
		return machine.Answer{}, err
	}
	to := cmp.Or(x.Query.Get("to"), root)
	if !IsTarget(to) {
		return machine.Answer{}, machine.FieldProblem("invalid_parameter", "to", "is no page of this service; allowed: a path that begins with "+root+", with or without a query")
	}
	a, address, err := x.Config.Identities.Begin(x.Request.Context(), x.Query.Get("issuer"), back)
	if err != nil {
		return machine.Answer{}, Fault("beginning a sign-in", err)
	}
	value, err := begun{a, to, x.Config.Now()}.seal(x.Config.Keys)
	if err != nil {
		return machine.Answer{}, err
	}
	x.SetCookie(attempt(value))
	return redirect(address), nil
}

// finish ends the sign-in of the browser, and gives the browser the session. Whatever
// the outcome is, the attempt has ended.
func finish(x *machine.Exchange) (machine.Answer, error) {
	x.SetCookie(endAttempt())
	back, err := redirectOf(x)
	if err != nil {
		return machine.Answer{}, err
	}
	b, err := attemptOf(x)
	if err != nil {
		return machine.Answer{}, err
	}
	answer, err := url.ParseQuery(x.Request.URL.RawQuery)
	if err != nil {
		return machine.Answer{}, machine.NewProblem("invalid_parameter", "The query is not NAME=VALUE pairs, percent-encoded and joined by &.")
	}
	id, err := x.Config.Identities.Finish(x.Request.Context(), b.Attempt, back, answer)
	if err != nil {
		return machine.Answer{}, Fault("ending a sign-in", err)
	}
	_, text, err := Open(x, id, true)
	if err != nil {
		return machine.Answer{}, err
	}
	endEarlier(x)
	x.SetCookie(Session(text))
	return redirect(fromCallback(b.To)), nil
}

// redirectOf returns the address that browsers come back to, as it is registered at the
// issuers.
func redirectOf(x *machine.Exchange) (string, error) {
	if x.Config.PublicURL == "" || x.Config.Identities == nil {
		return "", machine.NewProblem("path_not_found", "Sign-in with a browser is not possible here: the service has no issuers, or does not know its public address.")
	}
	return x.Config.PublicURL + CallbackPath, nil
}

// attemptOf returns the sign-in that the browser has begun. Of several cookies with the
// name, none is read: a browser sends one.
func attemptOf(x *machine.Exchange) (begun, error) {
	stale := &events.Refusal{Code: identity.CodeRefused, Detail: fmt.Sprintf("this browser has begun no sign-in within the last %d minutes, or has ended it already; sign in again", attemptFor/time.Minute)}
	given := x.Request.CookiesNamed(attemptCookie)
	if len(given) != 1 {
		return begun{}, stale
	}
	b, err := open(x.Config.Keys, given[0].Value, x.Config.Now())
	if errors.Is(err, errStale) {
		return begun{}, stale
	}
	return b, err
}

// Open opens a session for an identity. A person's session is not bound by the JWT. That
// of a program lives as long as the JWT, or as the settings of the issuer say.
func Open(x *machine.Exchange, id identity.Identity, ui bool) (issuer.Token, secret.Secret, error) {
	owner, err := ownerOf(id)
	if err != nil {
		return issuer.Token{}, secret.Secret{}, err
	}
	s := issuer.SignIn{
		Owner: owner, Name: id.Name, Via: guard.ViaOIDC, Alias: id.Alias, Issuer: id.Issuer, Subject: id.Subject, Groups: id.Groups, Address: x.Address(), UI: ui,
	}
	if !id.Person {
		s.Via, s.Until = guard.ViaExchange, id.Expires
		if id.MaxSession > 0 {
			s.Until = x.Config.Now().Add(id.MaxSession)
		}
	}
	t, text, err := x.Config.Issuer.OpenSession(x.Request.Context(), s)
	if err != nil {
		return issuer.Token{}, secret.Secret{}, fmt.Errorf("opening a session: %w", err)
	}
	x.Principal = guard.Principal{Owner: t.Owner, TokenID: t.ID} // for the log line
	return t, text, nil
}

// ownerOf returns the owner key of an identity.
func ownerOf(id identity.Identity) (string, error) {
	if id.Account == "" {
		return name.OwnerOf(id.Alias, id.Issuer, id.Subject), nil
	}
	owner, err := name.Identity{Domain: "ACTIVE_DIRECTORY", Name: id.Account}.Key()
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		return "", &events.Refusal{Code: identity.CodeInvalid, Detail: "the JWT names no valid user: " + r.Detail}
	}
	return owner, err
}

// Fault returns a refusal unchanged, and marks every other error of an issuer as an
// outage.
func Fault(doing string, err error) error {
	if _, refused := errors.AsType[*events.Refusal](err); refused {
		return err
	}
	return machine.Outage(fmt.Errorf("%s: %w", doing, err))
}
