package httpapi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/token/tokentest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// TestAnswersSayWhenTheCredentialExpires: each answer after the credential was
// accepted has the expiry of the acting token, and no other answer has it.
func TestAnswersSayWhenTheCredentialExpires(t *testing.T) {
	w := newScene(t)
	made, expiring := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D"})
	_, lasting := w.make(httpapi.CreateRequest{User: named("ann")})
	_, scoped := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D", Scopes: []string{"GET /elsewhere"}})
	_, bound := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D", SourceIPs: []string{"192.0.2.0/24"}})
	want := instant.Format(made.ExpirationTime.Time)
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		want                      string
	}{
		{"GET", collection, expiring, "", 200, want},
		{"HEAD", collection, expiring, "", 200, want},
		{"GET", collection + made.ID, expiring, "", 200, want},
		{"GET", "/v1/auth/access-tokens/self", expiring, "", 200, want},
		{"GET", "/v1/session/who-am-i", expiring, "", 200, want},
		{"POST", "/v1/auth/authorize", expiring, `{"token":"` + lasting + `"}`, 200, want},
		{"GET", collection + "?surplus=1", expiring, "", 400, want},
		{"POST", collection, expiring, `{`, 400, want},
		{"POST", collection, expiring, `{"user":{"name":"bob"}}`, 403, want},
		{"GET", collection + "JhxND7ci", expiring, "", 404, want},
		{"POST", collection, expiring, `{"expires_in":"1Y"}`, 422, want},
		{"GET", collection, lasting, "", 200, ""},
		{"GET", collection, w.admin, "", 200, ""},
		{"GET", collection, scoped, "", 403, ""},
		{"GET", collection, bound, "", 403, ""},
		{"GET", collection, "", "", 401, ""},
		{"GET", collection, made.ID + "." + strings.Repeat("0", 32), "", 401, ""},
		{"PUT", collection, expiring, "", 405, ""},
		{"GET", "/v1/version", expiring, "", 200, ""},
		{"DELETE", "/v1/auth/access-tokens/self", expiring, "", 200, want},
		{"GET", collection, expiring, "", 401, ""},
	} {
		a := w.do(c.method, c.path, c.token, c.body)
		if got := a.header.Values(expiresHeader); a.status != c.status || strings.Join(got, ",") != c.want {
			t.Errorf("%s %s: got %d with %q, want %d with %q", c.method, c.path, a.status, got, c.status, c.want)
		}
		if complaints := documented(t).complaints(a); len(complaints) > 0 {
			t.Errorf("%s %s: %v", c.method, c.path, complaints)
		}
	}
}

// TestAnswersToAnOutgoingSecretSayWhenItsGraceEnds, also if the token never expires.
func TestAnswersToAnOutgoingSecretSayWhenItsGraceEnds(t *testing.T) {
	w := newScene(t)
	for name, in := range map[string]httpapi.CreateRequest{
		"of a token that never expires":     {User: named("ann")},
		"of a token that expires later":     {User: named("ann"), ExpiresIn: "1Y"},
		"of a token that expires with it":   {User: named("ann"), ExpiresIn: "1H"},
		"of a token that expires before it": {User: named("ann"), ExpiresIn: "30m"},
	} {
		made, old := w.make(in)
		end := w.clock().Add(time.Hour)
		current := tokentest.Rotate(t, w.store, w.keys, w.clock(), made.ID, time.Hour)
		if e := made.ExpirationTime.Time; !e.IsZero() && e.Before(end) {
			end = e
		}
		if got := w.do("GET", "/v1/session/who-am-i", old, "").expect(t, 200, "").header.Get(expiresHeader); got != instant.Format(end) {
			t.Errorf("the outgoing secret %s: got %q, want %q", name, got, instant.Format(end))
		}
		asked := decodeAs[httpapi.Introspection](t, w.do("POST", "/v1/auth/authorize", w.admin, `{"token":"`+old+`"}`))
		if !asked.Active || asked.ExpirationTime == nil || !asked.ExpirationTime.Equal(end) {
			t.Errorf("the introspection of the outgoing secret %s: got %+v, want it active until %s", name, asked, end)
		}
		now := ""
		if !made.ExpirationTime.IsZero() {
			now = instant.Format(made.ExpirationTime.Time)
		}
		if got := w.do("GET", "/v1/session/who-am-i", current.Text().Reveal(), "").expect(t, 200, "").header.Get(expiresHeader); got != now {
			t.Errorf("the current secret %s: got %q, want %q", name, got, now)
		}
	}
}

// TestAnswersAfterAGatewaySayWhenTheCredentialExpires: the handler takes the expiry
// from the principal of the gateway.
func TestAnswersAfterAGatewaySayWhenTheCredentialExpires(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *machine.Config) { c.TrustPrincipal = true })
	for _, expires := range []time.Time{{}, w.clock().Add(time.Hour)} {
		r := request(t, "GET", collection, "")
		p := guard.Principal{Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent, ExpiresAt: expires}
		want := ""
		if !expires.IsZero() {
			want = instant.Format(expires)
		}
		if got := handle(h, r.WithContext(guard.WithPrincipal(r.Context(), p))).expect(t, 200, "").header.Get(expiresHeader); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestDocumentHasTheExpiryInEachAnswerThatMayHaveIt. An answer that is sent before
// the credential was accepted has no expiry.
func TestDocumentHasTheExpiryInEachAnswerThatMayHaveIt(t *testing.T) {
	before := []string{"401", "417", "431"}
	for _, r := range httpapi.Routes() {
		responses, _ := documented(t).at("paths", r.Path, strings.ToLower(r.Method), "responses")
		for status := range responses.(map[string]any) {
			headers, _ := documented(t).at("paths", r.Path, strings.ToLower(r.Method), "responses", status, "headers")
			_, has := headers.(map[string]any)[expiresHeader]
			if may := !r.Open && !r.Shown && !slices.Contains(before, status); may && !has {
				t.Errorf("%s %s: the answer %s lacks the header %s: {$ref: \"#/components/headers/Expires\"}", r.Method, r.Path, status, expiresHeader)
			} else if slices.Contains(before, status) && has {
				t.Errorf("%s %s: the answer %s has the header %s, but no credential is accepted before it", r.Method, r.Path, status, expiresHeader)
			}
		}
	}
}
