package keycloak

import (
	"net/url"
	"strings"
	"testing"
)

// Device is a sign-in that waits for a person (RFC 8628).
type Device struct {
	Answer // of the device endpoint

	realm    Realm
	client   string
	verifier string // of PKCE
}

// NewDevice begins a sign-in of a public client. A client that must use PKCE (RFC 7636)
// must use it here too, or Keycloak refuses the request.
func (r Realm) NewDevice(t testing.TB, client string) Device {
	t.Helper()
	verifier, challenge := proofKey()
	d := Device{Answer: r.post(t, "auth/device", url.Values{
		"client_id": {client}, "scope": {"openid profile"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}), realm: r, client: client, verifier: verifier}
	if d.Text("device_code") == "" {
		t.Fatalf("the device got %d %v", d.Status, d.Body)
	}
	return d
}

// Poll asks whether the person has decided.
func (d Device) Poll(t testing.TB) Answer {
	t.Helper()
	return d.realm.post(t, "token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {d.client}, "device_code": {d.Text("device_code")},
		"code_verifier": {d.verifier},
	})
}

// Decide lets a person open the address of the device, sign in, and press a button of
// Keycloak's question: accept or cancel.
func (d Device) Decide(t testing.TB, person, button string) {
	t.Helper()
	b := NewBrowser(t)
	Decide(t, b, d.Text("verification_uri_complete"), person, button)
}

// Decide lets a person with a browser answer the question at an address of a device.
func Decide(t testing.TB, b *Browser, address, person, button string) {
	t.Helper()
	question := b.SignIn(t, b.Get(t, address), person)
	if !strings.Contains(question.Body, `name="`+button+`"`) {
		t.Fatalf("%s: got %d without the button %s: %s", question.URL, question.Status, button, Message(question.Body))
	}
	if end := b.Send(t, question, url.Values{button: {"x"}}); end.Status >= 500 {
		t.Fatalf("%s: got %d %s", end.URL, end.Status, Message(end.Body))
	}
}
