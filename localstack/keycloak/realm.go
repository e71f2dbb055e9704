package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"apitoken/localstack/engines"
)

// The clients of the realm with their secrets, and its people with their passwords, as
// localstack/engines/keycloak/realm.json has them.
const (
	Page       = "apitoken" // signs people in at the page
	PageSecret = "the-secret-of-the-page"
	CLI        = "apitoken-cli" // public: a loopback redirect, or the device flow
	Job        = "backup"       // a program with tokens for the audience apitoken
	JobSecret  = "the-secret-of-the-job"
	Away       = "reports" // a program with tokens for another audience
	AwaySecret = "the-secret-of-the-reports"

	Ann, Bob = "ann", "bob" // they share one e-mail address
)

// Password returns the password of a person.
func Password(person string) string { return person + "'s password" }

// limit is for one call. It is long because the machine may be busy.
const limit = time.Minute

// Realm is the realm at one address: Keycloak's own, or that of a Front. Each address
// is an issuer of its own.
type Realm struct {
	URL string // of the server, without a slash at the end
}

// Connect returns the realm of the running engine. It skips or fails the test as
// engines.Require does.
func Connect(t testing.TB) Realm {
	t.Helper()
	return Realm{URL: engines.Require(t, engines.Keycloak)}
}

// Issuer is the URL that tokens of this address name.
func (r Realm) Issuer() string { return r.URL + "/realms/apitoken" }

// endpoint is the URL of one of the realm's endpoints of OpenID Connect.
func (r Realm) endpoint(name string) string { return r.Issuer() + "/protocol/openid-connect/" + name }

// Answer is the answer of the token endpoint or of the device endpoint.
type Answer struct {
	Status int            `json:"status"`
	Body   map[string]any `json:"body"`
}

// Text returns a member of the answer, or "" if it is not a text.
func (a Answer) Text(member string) string {
	text, _ := a.Body[member].(string)
	return text
}

// post sends a form to an endpoint.
func (r Realm) post(t testing.TB, endpoint string, form url.Values) Answer {
	t.Helper()
	status, body := send(t, http.MethodPost, r.endpoint(endpoint), "application/x-www-form-urlencoded", "", []byte(form.Encode()))
	a := Answer{Status: status}
	engines.Decode(t, body, &a.Body)
	return a
}

// ProgramToken returns an access token of a program, which is a JWT.
func (r Realm) ProgramToken(t testing.TB, client, secret string) string {
	t.Helper()
	a := r.post(t, "token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}})
	if a.Text("access_token") == "" {
		t.Fatalf("%s got %d %v", client, a.Status, a.Body)
	}
	return a.Text("access_token")
}

// send makes one call, with a bearer token if there is one, and returns the status and
// the body. Cleanup functions may use it: it does not end with the test's context.
func send(t testing.TB, method, url, kind, token string, body []byte) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, b
}

// sendJSON makes one call with a JSON body, which has to succeed, and reads the answer
// into out unless out is nil.
func sendJSON(t testing.TB, method, url, token string, in, out any) {
	t.Helper()
	var body []byte
	if in != nil {
		body = engines.Encode(t, in)
	}
	status, b := send(t, method, url, "application/json", token, body)
	if status >= 300 {
		t.Fatalf("%s %s: got %d %s", method, url, status, b)
	}
	if out != nil {
		if err := json.NewDecoder(strings.NewReader(string(b))).Decode(out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, url, err, b)
		}
	}
}
