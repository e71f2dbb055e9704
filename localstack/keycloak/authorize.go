package keycloak

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"
)

// Loopback is where a program on a person's machine waits for its code. Nothing listens
// there in the tests, which read the code from the redirect.
const Loopback = "http://127.0.0.1:1/callback"

// IDToken signs a person in to a client with a nonce, as a program of this machine does,
// and returns the ID token. The redirect must be allowed for the client. The secret is
// empty for a public client.
func (r Realm) IDToken(t testing.TB, person, client, secret, redirect, nonce string) string {
	t.Helper()
	verifier, challenge := proofKey()
	query := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirect}, "scope": {"openid profile"}, "state": {rand.Text()},
		"nonce": {nonce}, "code_challenge_method": {"S256"}, "code_challenge": {challenge},
	}
	back := NewBrowser(t).Authorize(t, r.endpoint("auth")+"?"+query.Encode(), person)
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {redirect}, "code": {back.Query().Get("code")},
		"code_verifier": {verifier},
	}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	a := r.post(t, "token", form)
	if a.Text("id_token") == "" {
		t.Fatalf("%s got %d %v from Keycloak", person, a.Status, a.Body)
	}
	return a.Text("id_token")
}

// proofKey returns a verifier of PKCE and its challenge by S256.
func proofKey() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(digest[:])
}
