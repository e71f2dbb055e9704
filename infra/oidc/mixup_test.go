package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"apitoken/events/identity"
	"apitoken/events/secret"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

// twoIssuers is a service with an honest issuer and a hostile one, which know the client of
// the service by the same id. The hostile one is named evil, and its keys have the names of
// the honest one's.
type twoIssuers struct {
	*scene
	evil *oidctest.Provider
}

func newTwoIssuers(t *testing.T) twoIssuers {
	t.Helper()
	w := twoIssuers{scene: newScene(t)}
	w.evil = oidctest.Start(t, w.clock)
	w.evil.Rotate()
	id, text := w.Client()
	i := oidc.Issuer{Alias: "work", URL: w.URL(), ClientID: id, Secret: secret.New(text), CLIClientID: "cli", Audiences: []string{"api"}}
	j := i
	j.Alias, j.URL = "evil", w.evil.URL()
	w.providers = oidc.New(oidc.Config{Issuers: []oidc.Issuer{i, j}, Now: w.clock})
	return w
}

// evilKey is the key of the hostile issuer, which it publishes under the name of the honest
// one's.
func (w twoIssuers) evilKey() jose.JSONWebKey {
	key := w.evil.Key()
	key.KeyID = w.Key().KeyID
	public := key.Public()
	w.evil.Answer(oidctest.Keys, func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	})
	return key
}

// TestAnIssuerSignsNobodyOfAnotherOneIn: with the same client id, audience and key name.
func TestAnIssuerSignsNobodyOfAnotherOneIn(t *testing.T) {
	w := newTwoIssuers(t)
	key := w.evilKey()
	own, err := w.verify(oidctest.Sign(t, jose.RS256, key, w.Claims(changes{"iss": w.evil.URL(), "sub": "ann"})))
	if err != nil || own.Alias != "evil" || own.Issuer != w.evil.URL() {
		t.Fatalf("its own person: got %+v (%v)", own, err)
	}
	_, err = w.verify(oidctest.Sign(t, jose.RS256, key, w.Claims(changes{"sub": "ann"})))
	wantCode(t, err, identity.CodeInvalid, "signature")
	_, err = w.verify(oidctest.Sign(t, jose.RS256, w.Key(), w.Claims(changes{"iss": w.evil.URL()})))
	wantCode(t, err, identity.CodeInvalid, "signature")

	for name, answer := range map[string]func(nonce string) string{
		"that the other one signed": func(nonce string) string { return w.JWT(changes{"nonce": nonce}) },
		"with the other one's name": func(nonce string) string {
			return oidctest.Sign(t, jose.RS256, key, w.Claims(changes{"nonce": nonce}))
		},
	} {
		a, _, err := w.providers.Begin(t.Context(), "evil", redirect)
		if err != nil {
			t.Fatal(err)
		}
		w.evil.Answer(oidctest.Token, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(rw).Encode(changes{"access_token": "x", "token_type": "Bearer", "id_token": answer(a.Nonce)})
		})
		if _, err := w.finish(a, url.Values{"state": {a.State}, "code": {"x"}, "issuer": {"evil"}}); codeOf(err) != identity.CodeInvalid {
			t.Errorf("an ID token %s: got %v, want a refusal", name, err)
		}
	}
}

// TestAnIssuerGetsNoCodeOfAnotherOne: the hostile issuer leads the browser of a person who
// chose it to the honest issuer, with the question of an attempt of its own (RFC 9700 section
// 4.4). The honest issuer sends browsers only to addresses that are registered there.
func TestAnIssuerGetsNoCodeOfAnotherOne(t *testing.T) {
	for name, row := range map[string]struct {
		names    bool   // the honest issuer names itself in its answers (RFC 9207)
		redirect string // an address that is registered at the honest issuer
	}{
		"an issuer that names itself":      {true, redirect + "?issuer=work"},
		"an issuer without a name":         {false, redirect + "?issuer=work"},
		"an address from a time of one":    {false, redirect},
		"that address with two parameters": {false, redirect + "?issuer=work&issuer=evil"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwoIssuers(t)
			if row.names {
				w.SendIssuer(w.URL())
			}
			var stolen atomic.Value
			w.evil.Answer(oidctest.Token, func(rw http.ResponseWriter, r *http.Request) {
				stolen.Store(r.FormValue("code"))
				rw.WriteHeader(http.StatusBadRequest)
			})
			own, address := w.begin()
			victim, _, err := w.providers.Begin(t.Context(), "evil", redirect)
			if err != nil {
				t.Fatal(err)
			}
			w.SignIn(changes{"sub": "ann"})
			_, err = w.finish(victim, w.browse(with(t, address, "state", victim.State, "redirect_uri", row.redirect)))
			wantCode(t, err, identity.CodeRefused, "not of the issuer "+w.evil.URL())
			if code, got := stolen.Load().(string); got {
				id, err := w.finish(own, url.Values{"state": {own.State}, "code": {code}, "iss": {w.URL()}, "issuer": {"work"}})
				t.Errorf("the hostile issuer has the code, and signs in as %q (%v)", id.Subject, err)
			}
		})
	}
}

// with returns an address with other parameters.
func with(t *testing.T, address string, pairs ...string) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	for n := 0; n < len(pairs); n += 2 {
		q.Set(pairs[n], pairs[n+1])
	}
	to.RawQuery = q.Encode()
	return to.String()
}

// TestEachOfSeveralIssuersHasItsOwnAddress, which it and its token endpoint get.
func TestEachOfSeveralIssuersHasItsOwnAddress(t *testing.T) {
	w := newTwoIssuers(t)
	w.SignIn(changes{"sub": "ann"})
	a, address := w.begin()
	to, err := url.Parse(address)
	if err != nil || to.Query().Get("redirect_uri") != redirect+"?issuer=work" {
		t.Errorf("the browser is sent to %s (%v)", address, err)
	}
	answer := w.browse(address)
	if id, err := w.finish(a, answer); err != nil || id.Subject != "ann" || id.Alias != "work" {
		t.Errorf("got %+v (%v)", id, err)
	}
	var got string
	w.Answer(oidctest.Token, func(rw http.ResponseWriter, r *http.Request) {
		got = r.FormValue("redirect_uri")
		rw.WriteHeader(http.StatusBadRequest)
	})
	_, err = w.finish(a, answer)
	wantCode(t, err, "fault", "400")
	if got != redirect+"?issuer=work" {
		t.Errorf("the token endpoint got the address %q", got)
	}
}
