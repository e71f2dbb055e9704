package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"apitoken/events/identity"
	"apitoken/events/secret"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

func (w *scene) finish(a identity.Attempt, answer url.Values) (identity.Identity, error) {
	return w.providers.Finish(w.t.Context(), a, redirect, answer)
}

func TestASignInWithABrowser(t *testing.T) {
	w := newScene(t)
	w.Metadata(nil)
	w.SignIn(changes{"sub": "ann", "groups": []string{"admins"}, "email": "ann@example.com"})
	a, address := w.begin()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q, digest := u.Query(), sha256.Sum256([]byte(a.Verifier))
	client, _ := w.Client()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": client, "redirect_uri": redirect, "scope": "openid groups profile email", "state": a.State, "nonce": a.Nonce,
		"code_challenge_method": "S256", "code_challenge": base64.RawURLEncoding.EncodeToString(digest[:]),
	} {
		if got := q.Get(name); got != want || want == "" {
			t.Errorf("the address has %s=%q, want %q", name, got, want)
		}
	}
	if strings.Contains(address, a.Verifier) || len(a.State) < 22 || len(a.Nonce) < 22 || a.State == a.Nonce {
		t.Errorf("the address shows the verifier, or state and nonce are weak: %s", address)
	}
	id, err := w.finish(a, w.browse(address))
	if err != nil || !id.Person || id.Subject != "ann" || id.Name != "ann@example.com" || id.Groups[0] != "admins" {
		t.Errorf("got %+v (%v)", id, err)
	}
}

// TestOnlyTheBrowserThatBeganASignInEndsIt has a row for each value of an answer that an
// attacker may choose.
func TestOnlyTheBrowserThatBeganASignInEndsIt(t *testing.T) {
	for _, row := range []struct {
		name       string
		iss        string // that the provider sends
		sendsIss   bool   // as its metadata say
		attempt    func(*identity.Attempt)
		answer     func(url.Values)
		code, part string
	}{
		{name: "good"},
		{name: "good with its issuer", iss: "own", sendsIss: true},
		{name: "issuer that was not announced", iss: "own"},
		{name: "another issuer", iss: "https://evil.example.com", code: identity.CodeRefused, part: "not of the issuer"},
		{name: "without the announced issuer", sendsIss: true, code: identity.CodeRefused, part: "does not name its issuer"},
		{name: "empty issuer", answer: func(v url.Values) { v.Set("iss", "") }, code: identity.CodeRefused, part: "not of the issuer"},
		{name: "two issuers", iss: "own", answer: func(v url.Values) { v.Add("iss", "x") }, code: identity.CodeRefused, part: "iss more than once"},
		{name: "another state", attempt: func(a *identity.Attempt) { a.State = "x" }, code: identity.CodeRefused, part: "another sign-in"},
		{name: "no state", answer: func(v url.Values) { v.Del("state") }, code: identity.CodeRefused, part: "another sign-in"},
		{name: "no state at all", attempt: func(a *identity.Attempt) { a.State = "" }, answer: func(v url.Values) { v.Del("state") }, code: identity.CodeRefused, part: "another sign-in"},
		{name: "two codes", answer: func(v url.Values) { v.Add("code", "x") }, code: identity.CodeRefused, part: "code more than once"},
		{name: "no code", answer: func(v url.Values) { v.Del("code") }, code: identity.CodeRefused, part: "no code"},
		{name: "another nonce", attempt: func(a *identity.Attempt) { a.Nonce = "x" }, code: identity.CodeRefused, part: "nonce"},
		{name: "no nonce", attempt: func(a *identity.Attempt) { a.Nonce = "" }, code: identity.CodeRefused, part: "nonce"},
		{name: "another verifier", attempt: func(a *identity.Attempt) { a.Verifier = strings.Repeat("x", 43) }, code: identity.CodeRefused, part: "code"},
		{name: "another alias", attempt: func(a *identity.Attempt) { a.Alias = "gone" }, code: identity.CodeRefused, part: "settings"},
		{name: "denied", answer: func(v url.Values) { v.Set("error", "access_denied") }, code: identity.CodeRefused, part: "denied"},
		{name: "another error", answer: func(v url.Values) { v.Set("error", "<b>") }, code: identity.CodeRefused, part: `"<b>"`},
		{name: "the provider has a fault", answer: func(v url.Values) { v.Set("error", "temporarily_unavailable") }, code: "fault", part: "temporarily_unavailable"},
		{name: "an error of another state", attempt: func(a *identity.Attempt) { a.State = "x" }, answer: func(v url.Values) { v.Set("error", "server_error") }, code: identity.CodeRefused, part: "another sign-in"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newScene(t)
			if row.sendsIss {
				w.Metadata(changes{"authorization_response_iss_parameter_supported": true})
			}
			if row.iss == "own" {
				row.iss = w.URL()
			}
			w.SendIssuer(row.iss)
			a, address := w.begin()
			answer := w.browse(address)
			if row.attempt != nil {
				row.attempt(&a)
			}
			if row.answer != nil {
				row.answer(answer)
			}
			_, err := w.finish(a, answer)
			wantCode(t, err, row.code, row.part)
		})
	}
}

func TestACodeWorksOnce(t *testing.T) {
	w := newScene(t)
	a, address := w.begin()
	answer := w.browse(address)
	if _, err := w.finish(a, answer); err != nil {
		t.Fatal(err)
	}
	_, err := w.finish(a, answer)
	wantCode(t, err, identity.CodeRefused, "used already")
	if strings.Contains(err.Error(), answer.Get("code")) {
		t.Errorf("the error has the code: %v", err)
	}
}

// TestIDTokensOfASignIn: what the provider answers is checked as what a client sends.
func TestIDTokensOfASignIn(t *testing.T) {
	for name, row := range map[string]struct {
		changes    changes
		code, part string
	}{
		"another audience":          {changes{"aud": "api"}, identity.CodeInvalid, "not for the client"},
		"client for command lines":  {changes{"aud": "cli"}, identity.CodeInvalid, "not for the client"},
		"given to another client":   {changes{"azp": "other"}, identity.CodeInvalid, "last 5 minutes"},
		"too many groups":           {changes{"_claim_names": changes{"groups": "s"}, "_claim_sources": changes{"s": changes{}}}, identity.CodeOverage, "groups"},
		"clocks that differ":        {changes{"iat": 1}, identity.CodeInvalid, "clocks"},
		"expired":                   {changes{"exp": 1}, identity.CodeExpired, "1970"},
		"another issuer":            {changes{"iss": "https://evil.example.com"}, identity.CodeInvalid, "issuer"},
		"nonce of another sign-in":  {changes{"nonce": "x"}, identity.CodeRefused, "nonce"},
		"nonce that is left out":    {changes{"nonce": nil}, identity.CodeRefused, "nonce"},
		"nonce that is not a text ": {changes{"nonce": 7}, identity.CodeInvalid, "wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t)
			w.SignIn(row.changes)
			a, address := w.begin()
			_, err := w.finish(a, w.browse(address))
			wantCode(t, err, row.code, row.part)
		})
	}
}

// TestASignInWithoutANonceIsRefused, also if the ID token has none.
func TestASignInWithoutANonceIsRefused(t *testing.T) {
	w := newScene(t)
	w.SignIn(changes{"nonce": nil})
	a, address := w.begin()
	a.Nonce = ""
	_, err := w.finish(a, w.browse(address))
	wantCode(t, err, identity.CodeRefused, "nonce")
}

// TestTheTokenEndpointNeverPutsSecretsIntoErrors: mockoidc, as some providers, repeats
// the client secret and the code in its error texts.
func TestTheTokenEndpointNeverPutsSecretsIntoErrors(t *testing.T) {
	w := newScene(t, func(i *oidc.Issuer) { i.Secret = secret.New("wrong-secret-of-this-client") })
	w.Metadata(nil)
	a, address := w.begin()
	answer := w.browse(address)
	_, err := w.finish(a, answer)
	wantCode(t, err, "fault", "401")
	for _, text := range []string{"wrong-secret", answer.Get("code"), a.Verifier} {
		if strings.Contains(err.Error(), text) {
			t.Errorf("the error has a secret: %v", err)
		}
	}
}

// TestTheCodeGoesOnlyToTheTokenEndpoint: a redirect would give code and client secret to
// another address.
func TestTheCodeGoesOnlyToTheTokenEndpoint(t *testing.T) {
	w := newScene(t)
	a, address := w.begin()
	answer := w.browse(address)
	w.Answer(oidctest.Token, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "/oidc/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := w.finish(a, answer)
	wantCode(t, err, "fault", "redirect")
	if w.Asked("/elsewhere") > 0 {
		t.Error("the redirect was followed")
	}
}

func TestFaultsOfTheTokenEndpoint(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		part   string
	}{
		"a fault":          {500, "oops", "500"},
		"no JSON":          {200, "<html>", "cannot parse"},
		"no ID token":      {200, `{"access_token":"x","token_type":"Bearer"}`, "no id_token"},
		"large":            {200, `{"access_token":"` + strings.Repeat("x", 256<<10) + `"}`, "more than 262144 bytes"},
		"our client wrong": {400, `{"error":"unauthorized_client","error_description":"text of the provider"}`, "unauthorized_client"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t)
			a, address := w.begin()
			answer := w.browse(address)
			w.Answer(oidctest.Token, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(row.status)
				_, _ = rw.Write([]byte(row.body))
			})
			_, err := w.finish(a, answer)
			wantCode(t, err, "fault", row.part)
			wantBrief(t, err)
			if strings.Contains(err.Error(), "text of the provider") {
				t.Errorf("the error has a text of the provider: %v", err)
			}
		})
	}
}

// TestHowTheClientShowsItsSecret: in the form if the provider takes it there, otherwise
// in the header. A public client has none.
func TestHowTheClientShowsItsSecret(t *testing.T) {
	for name, row := range map[string]struct {
		secret  string
		methods any
		basic   bool
		form    string
	}{
		"form":   {"s", []string{"client_secret_basic", "client_secret_post"}, false, "s"},
		"header": {"s", []string{"client_secret_basic"}, true, ""},
		"unsaid": {"s", nil, true, ""}, // OpenID Connect Discovery 1.0 section 3: the default is client_secret_basic
		"public": {"", []string{"client_secret_basic"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t, func(i *oidc.Issuer) { i.ClientID, i.Secret = "web", secret.New(row.secret) })
			w.Metadata(changes{"token_endpoint_auth_methods_supported": row.methods})
			asked := 0
			w.Answer(oidctest.Token, func(rw http.ResponseWriter, r *http.Request) {
				asked++
				id, text, basic := r.BasicAuth()
				if basic != row.basic || basic && (id != "web" || text != "s") || r.FormValue("client_secret") != row.form || !basic && r.FormValue("client_id") != "web" {
					t.Errorf("the request has the header %q and the form %v", r.Header["Authorization"], r.Form)
				}
				if !r.Close {
					t.Error("the connection stays open, and the next POST may find it closed")
				}
				if r.FormValue("code") != "c" || r.FormValue("redirect_uri") != redirect || r.FormValue("grant_type") != "authorization_code" {
					t.Errorf("the form is %v", r.Form)
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusBadRequest)
				_, _ = rw.Write([]byte(`{"error":"invalid_grant"}`))
			})
			a, _ := w.begin()
			_, err := w.finish(a, url.Values{"state": {a.State}, "code": {"c"}})
			wantCode(t, err, identity.CodeRefused, "code")
			if asked != 1 {
				t.Errorf("the code was shown %d times, want 1", asked)
			}
		})
	}
}

func TestAnUnknownAliasIsRefused(t *testing.T) {
	w, programs := newScene(t), newScene(t, func(i *oidc.Issuer) { i.ClientID, i.Secret = "", secret.Secret{} })
	_, _, err := w.providers.Begin(t.Context(), "wrok", redirect)
	wantCode(t, err, "invalid_parameter", `"wrok"; allowed: work`)
	_, _, err = programs.providers.Begin(t.Context(), "work", redirect)
	wantCode(t, err, "invalid_parameter", "allowed: none")
	if w.Asked(oidctest.Discovery)+programs.Asked(oidctest.Discovery) > 0 {
		t.Error("a provider was asked")
	}
}

func TestAProviderThatIsDownStartsAndEndsNoSignIn(t *testing.T) {
	w := newScene(t)
	a, address := w.begin()
	answer := w.browse(address)
	w.Down(true)
	_, err := w.finish(a, answer)
	wantCode(t, err, "fault", "502")
	_, _, err = newDown(t).providers.Begin(t.Context(), "work", redirect)
	wantCode(t, err, "fault", "502")
}

func newDown(t *testing.T) *scene {
	t.Helper()
	w := newScene(t)
	w.Down(true)
	return w
}
