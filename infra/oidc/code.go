package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"apitoken/events"
	"apitoken/events/identity"
	"apitoken/events/secret"
)

// Begin starts a sign-in with a browser at the issuer with an alias: an authorization
// code with PKCE (RFC 7636). It returns the address to send the browser to. redirect is
// the address of this service that the browser comes back to; with several issuers for
// browsers, the alias is added as the parameter issuer. The error is a refusal of the alias,
// or a fault.
func (p *Providers) Begin(ctx context.Context, alias, redirect string) (identity.Attempt, string, error) {
	i := p.forBrowsers(alias)
	if i == nil {
		return identity.Attempt{}, "", &events.Refusal{
			Code: "invalid_parameter", Field: "issuer", Detail: fmt.Sprintf("issuer is %s; allowed: %s", secret.Quote(alias), p.browserAliases()),
		}
	}
	found, err := i.published(ctx)
	if err != nil {
		return identity.Attempt{}, "", err
	}
	a := identity.Attempt{Alias: alias, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	c := i.webClient(found.metadata, p.callback(i, redirect))
	return a, c.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// forBrowsers returns the issuer with an alias, or nil.
func (p *Providers) forBrowsers(alias string) *issuer {
	n := slices.IndexFunc(p.issuers, func(i *issuer) bool { return i.Alias == alias && i.ClientID != "" })
	if n < 0 {
		return nil
	}
	return p.issuers[n]
}

func (p *Providers) browserAliases() string {
	names := p.webAliases()
	if names == nil {
		return "none, because no issuer has a client for browsers"
	}
	return strings.Join(names, ", ")
}

// webAliases returns the aliases of the issuers for browsers.
func (p *Providers) webAliases() (aliases []string) {
	for _, i := range p.issuers {
		if i.ClientID != "" {
			aliases = append(aliases, i.Alias)
		}
	}
	return aliases
}

// callbackIssuer is the parameter of the address that a browser comes back to which names
// the issuer. No parameter of OpenID Connect has this name.
const callbackIssuer = "issuer"

// callback returns the address that a browser comes back to from an issuer. With several
// issuers each has one of its own, because not all of them name themselves in their answers
// (RFC 9700 section 4.4.2): one of them could lead the browser to another one, get that
// one's code, and sign in as the person. An issuer sends browsers only to the addresses that
// are registered there, so the address shows which issuer answers.
func (p *Providers) callback(i *issuer, redirect string) string {
	if !p.hasSeveral() {
		return redirect
	}
	return redirect + "?" + url.Values{callbackIssuer: {i.Alias}}.Encode()
}

func (p *Providers) hasSeveral() bool { return len(p.webAliases()) > 1 }

// webClient returns the configuration of the client for browsers.
func (i *issuer) webClient(m metadata, redirect string) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: i.ClientID, ClientSecret: i.Secret.Reveal(), RedirectURL: redirect, Scopes: i.scopes(m),
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
	// The form has one reading. Providers disagree whether a secret in the header is
	// percent-encoded (RFC 6749 section 2.3.1). A guess and a second try, as x/oauth2 can
	// do it, would show the code twice.
	if c.ClientSecret == "" || slices.Contains(m.AuthMethods, "client_secret_post") {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c
}

// Finish ends a sign-in that Begin has started in the same browser. answer are the
// parameters that the provider sent the browser back with. The error is a refusal, or a
// fault.
func (p *Providers) Finish(ctx context.Context, a identity.Attempt, redirect string, answer url.Values) (identity.Identity, error) {
	i := p.forBrowsers(a.Alias)
	if i == nil {
		return identity.Identity{}, refused("the issuer of this sign-in is not in the settings any more; sign in again")
	}
	found, err := i.published(ctx)
	if err != nil {
		return identity.Identity{}, err
	}
	code, err := i.checkAnswer(a, found.metadata, answer, p.hasSeveral())
	if err != nil {
		return identity.Identity{}, err
	}
	jwt, err := i.exchange(ctx, found.metadata, a, p.callback(i, redirect), code)
	if err != nil {
		return identity.Identity{}, err
	}
	return i.signedIn(ctx, jwt, a.Nonce)
}

// checkAnswer returns the code. It compares the state first: nothing of an answer to
// another attempt is read. Then it compares the issuer (RFC 9207), and, if there are
// several, the address that the browser came back to: a provider could otherwise get the
// code of another provider.
func (i *issuer) checkAnswer(a identity.Attempt, m metadata, answer url.Values, several bool) (secret.Secret, error) {
	var values [4]string
	for n, name := range [...]string{"state", "iss", "error", "code"} {
		if len(answer[name]) > 1 {
			return secret.Secret{}, refused("the provider sent %s more than once; sign in again", name)
		}
		values[n] = answer.Get(name)
	}
	state, iss, problem, code := values[0], values[1], values[2], values[3]
	switch _, sent := answer["iss"]; {
	case a.State == "" || !same(state, a.State):
		return secret.Secret{}, refused("this answer belongs to another sign-in, or to one that has ended; sign in again")
	case sent && iss != i.URL, several && !slices.Equal(answer[callbackIssuer], []string{i.Alias}):
		return secret.Secret{}, refused("the answer is not of the issuer %s that you chose; sign in again", i.URL)
	case !sent && m.SendsIssuer:
		return secret.Secret{}, refused("the answer does not name its issuer, as the issuer %s always does; sign in again", i.URL)
	case problem == "server_error" || problem == "temporarily_unavailable":
		return secret.Secret{}, fmt.Errorf("signing in at issuer %s: it answers %s", i.Alias, problem)
	case problem == "access_denied":
		return secret.Secret{}, refused("the provider denied the sign-in")
	case problem != "":
		return secret.Secret{}, refused("the provider refused the sign-in with %s", secret.Quote(problem))
	case code == "":
		return secret.Secret{}, refused("the answer of the provider has no code; sign in again")
	}
	return secret.New(code), nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// exchange gives the code to the provider and gets the ID token. Errors have neither the
// body of the answer nor its description: some providers repeat there what was sent.
func (i *issuer) exchange(ctx context.Context, m metadata, a identity.Attempt, redirect string, code secret.Secret) (secret.Secret, error) {
	t, err := i.webClient(m, redirect).Exchange(oidc.ClientContext(ctx, i.client), code.Reveal(), oauth2.VerifierOption(a.Verifier))
	if answered, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if answered.ErrorCode == "invalid_grant" {
			return secret.Secret{}, refused("the provider does not accept the code of this sign-in: it was used already, or is too old; sign in again")
		}
		return secret.Secret{}, fmt.Errorf("getting the ID token from issuer %s: it answers %d %s", i.Alias, answered.Response.StatusCode, secret.Quote(answered.ErrorCode))
	}
	if err != nil {
		return secret.Secret{}, fmt.Errorf("getting the ID token from issuer %s: %w", i.Alias, brief(err))
	}
	text, ok := t.Extra("id_token").(string)
	if !ok {
		return secret.Secret{}, fmt.Errorf("getting the ID token from issuer %s: the answer has no id_token", i.Alias)
	}
	return secret.New(text), nil
}

// signedIn checks the ID token of a sign-in.
func (i *issuer) signedIn(ctx context.Context, jwt secret.Secret, nonce string) (identity.Identity, error) {
	signed, err := parse(jwt)
	if err != nil {
		return identity.Identity{}, err
	}
	c, err := i.verify(ctx, jwt, signed)
	if err != nil {
		return identity.Identity{}, err
	}
	if got, err := c.text("nonce"); err != nil || nonce == "" || !same(got, nonce) {
		return identity.Identity{}, refused("the ID token belongs to another sign-in: its nonce is another one; sign in again")
	}
	id, err := i.identityOf(c, isIDToken(signed, c))
	if err != nil {
		return identity.Identity{}, err
	}
	if audience, err := c.texts("aud"); err != nil || !slices.Contains(audience, i.ClientID) {
		return identity.Identity{}, invalid("the ID token is not for the client %s", secret.Quote(i.ClientID))
	}
	if !id.Person {
		return identity.Identity{}, invalid("the ID token was not issued to this service within the last %d minutes; the clocks of the issuer and of this service may differ", personFor/time.Minute)
	}
	return id, nil
}
