package oidc_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	jose "github.com/go-jose/go-jose/v4"

	"apitoken/events/identity"
	"apitoken/events/secret"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

type changes = map[string]any

// TestOnlyAJWTForThisServicePasses has a row for each claim that can be wrong.
func TestOnlyAJWTForThisServicePasses(t *testing.T) {
	w := newScene(t)
	at := func(d time.Duration) int64 { return w.now.Add(d).Unix() }
	for _, row := range []struct {
		name    string
		changes changes
		code    string
		part    string
	}{
		{"good", nil, "", ""},
		{"audience of programs", changes{"aud": "api"}, "", ""},
		{"one of several audiences", changes{"aud": []string{"other", "api"}}, "", ""},
		{"client of the command line", changes{"aud": "cli"}, "", ""},
		{"another issuer", changes{"iss": "https://evil.example.com"}, identity.CodeInvalid, "known: " + w.URL()},
		{"issuer with a slash", changes{"iss": w.URL() + "/"}, identity.CodeInvalid, "known: "},
		{"no issuer", changes{"iss": nil}, identity.CodeMalformed, "iss"},
		{"issuer that is no text", changes{"iss": 7}, identity.CodeMalformed, "iss"},
		{"another audience", changes{"aud": "other"}, identity.CodeInvalid, `"other"`},
		{"no audience", changes{"aud": nil}, identity.CodeInvalid, "audience"},
		{"empty audience", changes{"aud": ""}, identity.CodeInvalid, "audience"},
		{"audience that is no text", changes{"aud": 7}, identity.CodeInvalid, "wrong type"},
		{"never expires", changes{"exp": nil}, identity.CodeInvalid, "exp"},
		{"expired for 59 seconds", changes{"exp": at(-59 * time.Second)}, "", ""},
		{"expired for a minute", changes{"exp": at(-time.Minute)}, identity.CodeExpired, "2026-11-27T11:59:00Z"},
		{"expiry that is no time", changes{"exp": "soon"}, identity.CodeInvalid, "wrong type"},
		{"expiry beyond all years", changes{"exp": 1e300}, identity.CodeInvalid, "exp"},
		{"valid in a minute", changes{"nbf": at(time.Minute)}, "", ""},
		{"valid in 61 seconds", changes{"nbf": at(61 * time.Second)}, identity.CodeInvalid, "not valid before"},
		{"issued in 61 seconds", changes{"iat": at(61 * time.Second)}, identity.CodeInvalid, "future"},
		{"no subject", changes{"sub": nil}, identity.CodeInvalid, "sub"},
		{"empty subject", changes{"sub": ""}, identity.CodeInvalid, "sub"},
		{"long subject", changes{"sub": strings.Repeat("s", 1025)}, identity.CodeInvalid, "sub"},
		{"subject in another spelling", changes{"sub": nil, "Sub": "admin"}, identity.CodeInvalid, "sub"},
		{"groups as one text", changes{"groups": "admins"}, "", ""},
		{"groups that are no texts", changes{"groups": changes{"a": 1}}, identity.CodeInvalid, "groups"},
		{"groups elsewhere", changes{"_claim_names": changes{"groups": "src1"}, "_claim_sources": changes{"src1": changes{"endpoint": w.URL() + "/groups"}}}, identity.CodeOverage, "too many groups"},
		{"groups elsewhere without a place", changes{"_claim_names": changes{"groups": "src1"}}, identity.CodeOverage, "too many groups"},
		{"groups elsewhere and here", changes{"groups": []string{"a"}, "_claim_names": changes{"groups": "src1"}, "_claim_sources": changes{"src1": changes{}}}, identity.CodeOverage, "too many groups"},
		{"Entra's mark of too many groups", changes{"hasgroups": true}, identity.CodeOverage, "too many groups"},
		{"another claim elsewhere", changes{"_claim_names": changes{"address": "src1"}, "_claim_sources": changes{"src1": changes{"endpoint": w.URL() + "/address"}}}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			id, err := w.verify(w.JWT(row.changes))
			wantCode(t, err, row.code, row.part)
			if err == nil && (id.Subject != "1234567890" || id.Alias != "work" || id.Issuer != w.URL()) {
				t.Errorf("got %+v", id)
			}
		})
	}
	if w.Asked("/groups")+w.Asked("/address") > 0 {
		t.Error("an address of a claim was fetched")
	}
}

// TestASpellingOfAClaimDoesNotReplaceTheClaim: a person may choose some claims, and
// encoding/json would not tell "Sub" from "sub".
func TestASpellingOfAClaimDoesNotReplaceTheClaim(t *testing.T) {
	w := newScene(t)
	id, err := w.verify(w.JWT(changes{"zub": 1, "ſub": "admin", "Sub": "admin", "Groups": []string{"admins"}, "Name": "Admin"}))
	if err != nil || id.Subject != "1234567890" || id.Groups != nil || id.Name != "" {
		t.Errorf("got %+v (%v), want the claims as they are spelled", id, err)
	}
}

func TestFourSignatureAlgorithmsPass(t *testing.T) {
	w := newScene(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		key := w.AddKey(alg)
		w.sleep(time.Minute)
		if _, err := w.verify(oidctest.Sign(t, alg, key, w.Claims(nil))); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestOtherSignaturesAreRefused also has the attack with the public key as the secret of
// HMAC, and a key that the JWT itself brings.
func TestOtherSignaturesAreRefused(t *testing.T) {
	w := newScene(t)
	key := w.Key()
	public := key.Public()
	der, err := x509.MarshalPKIXPublicKey(public.Key)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := public.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	good := w.JWT(nil)
	parts := strings.Split(good, ".")
	other := oidctest.Start(t, w.clock)
	other.Rotate()
	stranger := other.Key()
	stranger.KeyID = key.KeyID
	brought, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: other.Key().Key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	ownKey, err := brought.Sign([]byte(`{"iss":"` + w.URL() + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := ownKey.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	hmac := func(bytes []byte) string {
		return oidctest.Sign(t, jose.HS256, jose.JSONWebKey{Key: bytes, KeyID: key.KeyID}, w.Claims(nil))
	}
	for _, row := range []struct{ name, jwt, code, part string }{
		{"none", oidctest.Sign(t, "none", key, w.Claims(nil)), identity.CodeInvalid, `"none"`},
		{"HS256 with the public key (PEM)", hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), identity.CodeInvalid, `"HS256"`},
		{"HS256 with the public key (DER)", hmac(der), identity.CodeInvalid, `"HS256"`},
		{"HS256 with the public key (JWK)", hmac(asJSON), identity.CodeInvalid, `"HS256"`},
		{"RS512", oidctest.Sign(t, jose.RS512, key, w.Claims(nil)), identity.CodeInvalid, `"RS512"`},
		{"no signature", parts[0] + "." + parts[1] + ".", identity.CodeInvalid, "signature"},
		{"other claims", parts[0] + "." + strings.Split(w.JWT(changes{"sub": "admin"}), ".")[1] + "." + parts[2], identity.CodeInvalid, "signature"},
		{"key of a stranger under the same name", oidctest.Sign(t, jose.RS256, stranger, w.Claims(nil)), identity.CodeInvalid, "signature"},
		{"key in the JWT itself", compact, identity.CodeInvalid, "signature"},
		{"JSON form", `{"payload":"e30","protected":"e30","signature":"AA"}`, identity.CodeMalformed, "three parts"},
		{"encrypted", "a.b.c.d.e", identity.CodeMalformed, "encrypted"},
		{"empty", "", identity.CodeMalformed, "three parts"},
		{"no base64", "a!.b.c", identity.CodeMalformed, "compact form"},
		{"line end", good + "\n", identity.CodeMalformed, "white space"},
		{"blank inside", parts[0] + " ." + parts[1] + "." + parts[2], identity.CodeMalformed, "white space"},
		{"huge", strings.Repeat("a", 32<<10) + good, identity.CodeMalformed, "32768"},
		{"claims that are no object", oidctest.Sign(t, jose.RS256, key, []int{1}), identity.CodeMalformed, "claims"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := w.verify(row.jwt)
			wantCode(t, err, row.code, row.part)
			if err != nil && len(row.jwt) > 20 && strings.Contains(err.Error(), row.jwt[len(row.jwt)-20:]) {
				t.Errorf("the error repeats the JWT: %v", err)
			}
		})
	}
}

// TestAPersonSignsInWithAFreshIDTokenOfOurClient: every other JWT is a program's.
func TestAPersonSignsInWithAFreshIDTokenOfOurClient(t *testing.T) {
	w := newScene(t)
	client, _ := w.Client()
	at := func(d time.Duration) int64 { return w.now.Add(d).Unix() }
	for _, row := range []struct {
		name    string
		changes changes
		person  bool
	}{
		{"client for browsers", nil, true},
		{"client for command lines", changes{"aud": []string{"cli"}}, true},
		{"five minutes old", changes{"iat": at(-5 * time.Minute)}, true},
		{"of a single sign-on hours ago", changes{"auth_time": at(-8 * time.Hour)}, true},
		{"older", changes{"iat": at(-5*time.Minute - time.Second)}, false},
		{"without its time", changes{"iat": nil}, false},
		{"audience of programs", changes{"aud": "api"}, false},
		{"given to another client", changes{"azp": "other"}, false},
		{"given to us, with azp", changes{"azp": client}, true},
		{"for others too", changes{"aud": []string{client, "other"}}, false},
		{"marked as an ID token by Keycloak", changes{"typ": "ID"}, true},
		{"access token of Keycloak", changes{"typ": "Bearer"}, false},
		{"marked as an ID token by Cognito", changes{"token_use": "id"}, true},
		{"access token of Cognito", changes{"token_use": "access"}, false},
		{"for others too, given to us", changes{"aud": []string{client, "other"}, "azp": client}, true},
	} {
		id, err := w.verify(w.JWT(row.changes))
		if err != nil || id.Person != row.person {
			t.Errorf("%s: got %t (%v), want %t", row.name, id.Person, err, row.person)
		}
	}
	for typ, person := range map[any]bool{"JWT": true, "jwt": true, 7: false, "at+jwt": false, "application/at+jwt": false, "other+jwt": false} {
		if id, err := w.verify(w.typed(typ)); err != nil || id.Person != person {
			t.Errorf("typ %v: got %t (%v), want %t", typ, id.Person, err, person)
		}
	}
	id, err := w.providers.Verify(t.Context(), secret.New(w.JWT(nil)), false)
	if err != nil || id.Person {
		t.Errorf("not sent as an ID token: got %+v (%v), want no person", id, err)
	}
}

// typed is a good JWT with a type in its header.
func (w *scene) typed(typ any) string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: w.Key()}, (&jose.SignerOptions{}).WithHeader(jose.HeaderType, typ))
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(w.Claims(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// TestAJWTThatReportsAnEventSignsNobodyIn, not even a program: an issuer sends a logout
// token when a session of the person has ended.
func TestAJWTThatReportsAnEventSignsNobodyIn(t *testing.T) {
	w := newScene(t)
	logout := changes{"http://schemas.openid.net/event/backchannel-logout": changes{}}
	for name, jwt := range map[string]string{
		"logout token": w.JWT(changes{"events": logout}), "events that are null": w.JWT(changes{"events": json.RawMessage("null")}),
		"for programs": w.JWT(changes{"events": logout, "aud": "api"}),
		"logout+jwt":   w.typed("logout+jwt"), "Application/LogOut+JWT": w.typed("Application/LogOut+JWT"), "secevent+jwt": w.typed("secevent+jwt"),
	} {
		for _, idToken := range []bool{true, false} {
			if _, err := w.providers.Verify(t.Context(), secret.New(jwt), idToken); codeOf(err) != identity.CodeInvalid || !strings.Contains(err.Error(), "reports an event") {
				t.Errorf("%s: got %v, want a refusal", name, err)
			}
		}
	}
}

func TestTheIdentityHasWhatTheSettingsName(t *testing.T) {
	w := newScene(t, func(i *oidc.Issuer) { i.MapClaim, i.MaxSession = "sam", 3*time.Hour })
	id, err := w.verify(w.JWT(changes{
		"sam": "ANN", "groups": []string{"admins", "all"}, "name": "\u202eAnn\nB \u0007", "preferred_username": "ann", "email": "ann@example.com",
	}))
	want := identity.Identity{
		Alias: "work", Issuer: w.URL(), Subject: "1234567890", Name: "AnnB", Account: "ANN", Groups: []string{"admins", "all"},
		Person: true, Expires: w.now.Add(10 * time.Minute), MaxSession: 3 * time.Hour,
	}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("got  %+v (%v)\nwant %+v", id, err, want)
	}
	_, err = w.verify(w.JWT(nil))
	wantCode(t, err, identity.CodeInvalid, `"sam"`)
	_, err = w.verify(w.JWT(changes{"sam": []string{"ann"}}))
	wantCode(t, err, identity.CodeInvalid, `"sam"`)
}

func TestTheNameForPeople(t *testing.T) {
	w, named := newScene(t), newScene(t, func(i *oidc.Issuer) { i.NameClaim = "nick" })
	all := changes{"name": " ", "preferred_username": 7, "email": "ann@example.com", "nick": "a" + strings.Repeat("ä", 200)}
	if id, err := w.verify(w.JWT(all)); err != nil || id.Name != "ann@example.com" {
		t.Errorf("got %q (%v), want the first that is a name", id.Name, err)
	}
	if id, err := named.verify(named.JWT(all)); err != nil || id.Name != "a"+strings.Repeat("ä", 63) {
		t.Errorf("got %q (%v), want the claim of the settings, cut", id.Name, err)
	}
}

// TestNewKeysVerifyAtOnceAndOldKeysForTenMinutes: a JWT under a key that the issuer has
// withdrawn may have been stolen.
func TestNewKeysVerifyAtOnceAndOldKeysForTenMinutes(t *testing.T) {
	w := newScene(t)
	before := w.Key()
	if _, err := w.verify(w.JWT(nil)); err != nil {
		t.Fatal(err)
	}
	w.Rotate()
	w.sleep(10 * time.Second)
	if _, err := w.verify(w.JWT(nil)); err != nil {
		t.Errorf("under the new key: %v", err)
	}
	old := oidctest.Sign(t, jose.RS256, before, w.Claims(nil))
	_, err := w.verify(old)
	wantCode(t, err, identity.CodeInvalid, "signature")

	w.Rotate()
	current := w.Key()
	w.sleep(10 * time.Second)
	if _, err := w.verify(w.JWT(nil)); err != nil {
		t.Fatal(err)
	}
	w.Rotate()
	w.sleep(9 * time.Minute)
	if _, err := w.verify(oidctest.Sign(t, jose.RS256, current, w.Claims(nil))); err != nil {
		t.Errorf("within ten minutes: %v", err)
	}
	w.sleep(time.Minute)
	_, err = w.verify(oidctest.Sign(t, jose.RS256, current, w.Claims(nil)))
	wantCode(t, err, identity.CodeInvalid, "signature")
}

// TestStrangersCauseFewFetches sends many JWTs with unknown keys at the same time.
func TestStrangersCauseFewFetches(t *testing.T) {
	w := newScene(t)
	key := w.Key()
	key.KeyID = "unknown"
	jwt := oidctest.Sign(t, jose.RS256, key, w.Claims(nil))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := w.verify(jwt)
			wantCode(t, err, identity.CodeInvalid, "signature")
		})
	}
	all.Wait()
	if discoveries, keys := w.Asked(oidctest.Discovery), w.Asked(oidctest.Keys); discoveries != 1 || keys != 1 {
		t.Errorf("%d discoveries and %d fetches of keys, want 1 and 1", discoveries, keys)
	}
	for range 3 {
		w.sleep(10 * time.Second)
		_, _ = w.verify(jwt)
		_, _ = w.verify(jwt)
	}
	if n := w.Asked(oidctest.Keys); n != 4 {
		t.Errorf("%d fetches of keys in 30 seconds, want 4", n)
	}
}

// TestAProviderThatIsDownIsAFault and never a refusal.
func TestAProviderThatIsDownIsAFault(t *testing.T) {
	w := newScene(t)
	w.Down(true)
	_, err := w.verify(w.JWT(nil))
	wantCode(t, err, "fault", "502")
	if n := w.Asked(oidctest.Discovery); n != 1 {
		t.Errorf("%d discoveries, want 1", n)
	}
	_, err = w.verify(w.JWT(nil))
	wantCode(t, err, "fault", "502")
	if n := w.Asked(oidctest.Discovery); n != 1 {
		t.Errorf("%d discoveries within five seconds, want 1", n)
	}
	w.Down(false)
	w.sleep(5 * time.Second)
	if _, err = w.verify(w.JWT(nil)); err != nil {
		t.Fatalf("after five seconds: %v", err)
	}

	// Known keys work on. An unknown one may be a new one, so it is no refusal.
	w.Down(true)
	w.sleep(time.Minute)
	unknown := w.Key()
	unknown.KeyID = "unknown"
	_, err = w.verify(oidctest.Sign(t, jose.RS256, unknown, w.Claims(nil)))
	wantCode(t, err, "fault", "502")
	if _, err := w.verify(w.JWT(nil)); err != nil {
		t.Errorf("a known key, after an unknown one met a provider that is down: %v", err)
	}
	w.sleep(10 * time.Minute)
	_, err = w.verify(w.JWT(nil))
	wantCode(t, err, "fault", "502")
}

func TestACallerThatLeavesDoesNotWait(t *testing.T) {
	w := newScene(t)
	reached, release := make(chan struct{}), make(chan struct{})
	w.Answer(oidctest.Discovery, func(rw http.ResponseWriter, _ *http.Request) {
		close(reached)
		<-release
		http.Error(rw, "late", http.StatusInternalServerError)
	})
	first := make(chan error, 1)
	go func() {
		_, err := w.verify(w.JWT(nil))
		first <- err
	}()
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.providers.Verify(ctx, secret.New(w.JWT(nil)), true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	close(release)
	wantCode(t, <-first, "fault", "500")
}

// TestAProviderThatDoesNotAnswerIsAFault after some seconds, whatever the caller would
// wait for.
func TestAProviderThatDoesNotAnswerIsAFault(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	w.Answer(oidctest.Discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	began := time.Now()
	_, err := w.verify(w.JWT(nil))
	wantCode(t, err, "fault", "metadata")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the answer took %s", took)
	}
}

// FuzzTexts: no text passes without a signature, and none panics. Only a JWT that names
// the issuer leads to a fetch.
func FuzzTexts(f *testing.F) {
	const issuer = "https://login.example.com"
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIn0.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		fetched := ""
		p := oidc.New(oidc.Config{Issuers: []oidc.Issuer{{Alias: "work", URL: issuer, ClientID: "web"}}, Transport: transport(func(r *http.Request) (*http.Response, error) {
			fetched = r.URL.String()
			return nil, errors.New("no network")
		})})
		_, err := p.Verify(t.Context(), secret.New(text), true)
		switch code := codeOf(err); {
		case err == nil:
			t.Errorf("%q passes", text)
		case code == "fault" && fetched != issuer+oidctest.Discovery:
			t.Errorf("%q: %v, after a fetch of %q", text, err, fetched)
		case code != "fault" && fetched != "":
			t.Errorf("%q: %v, after a fetch of %q", text, err, fetched)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAFetchIsForAllCallers: the caller that began it may leave.
func TestAFetchIsForAllCallers(t *testing.T) {
	for _, path := range []string{oidctest.Discovery, oidctest.Keys} {
		w := newScene(t)
		ctx, leave := context.WithCancel(t.Context())
		w.Before(path, leave)
		_, _ = w.providers.Verify(ctx, secret.New(w.JWT(nil)), true)
		w.Before(path, nil)
		if _, err := w.verify(w.JWT(nil)); err != nil || w.Asked(path) != 1 {
			t.Errorf("%s: after a caller left: %v, %d fetches", path, err, w.Asked(path))
		}
	}
}

// TestNonsenseOfAProviderIsAFault has answers that must not look like a wrong credential.
func TestNonsenseOfAProviderIsAFault(t *testing.T) {
	text := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(text)) }
	}
	to := func(address string) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, address, http.StatusFound) }
	}
	for _, row := range []struct {
		name, path string
		answer     func(http.ResponseWriter, *http.Request)
		part       string
	}{
		{"metadata that are no JSON", oidctest.Discovery, text("<html>"), "failed to decode"},
		{"metadata of another issuer", oidctest.Discovery, text(`{"issuer":"https://evil.example.com"}`), "did not match"},
		{"metadata of an issuer with a long name", oidctest.Discovery, text(`{"issuer":"` + strings.Repeat("x\u202e", 50_000) + `"}`), "did not match"},
		{"metadata elsewhere, far away", oidctest.Discovery, to("/" + strings.Repeat("x", 8_000)), "404"},
		{"large metadata", oidctest.Discovery, text(`"` + strings.Repeat("a", 256<<10) + `"`), "more than 262144 bytes"},
		{"metadata elsewhere without TLS", oidctest.Discovery, to("http://192.0.2.1/"), "no https"},
		{"metadata elsewhere in a file", oidctest.Discovery, to("file:///etc/passwd"), "no https"},
		{"metadata in a circle", oidctest.Discovery, to("/oidc" + oidctest.Discovery), "more than 3 redirects"},
		{"keys that are no JSON", oidctest.Keys, text("<html>"), "no JSON Web Key Set"},
		{"no set of keys", oidctest.Keys, text("{}"), "no JSON Web Key Set"},
		{"large keys", oidctest.Keys, text(strings.Repeat(" ", 256<<10) + `{"keys":[]}`), "more than 262144 bytes"},
		{"keys elsewhere without TLS", oidctest.Keys, to("http://192.0.2.1/"), "no https"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newScene(t)
			w.Answer(row.path, row.answer)
			_, err := w.verify(w.JWT(nil))
			wantCode(t, err, "fault", row.part)
			wantBrief(t, err)
			if n := w.Asked(row.path); n > 4 {
				t.Errorf("%d fetches", n)
			}
		})
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"jwks_uri", nil},
		{"jwks_uri", "https://192.0.2.1/" + strings.Repeat("x", 1024)},
		{"jwks_uri", "https://user:password@192.0.2.1/keys"},
		{"token_endpoint", "http://192.0.2.1/token"},
		{"authorization_endpoint", "javascript:alert(1)"},
		{"scopes_supported", 7},
	} {
		t.Run(fmt.Sprintf("metadata with %s %.30v", row.name, row.value), func(t *testing.T) {
			w := newScene(t)
			w.Metadata(changes{row.name: row.value})
			_, err := w.verify(w.JWT(nil))
			wantCode(t, err, "fault", "member")
			wantBrief(t, err)
		})
	}
}

// wantBrief fails the test if an error is long, or has characters that a terminal obeys: a
// log has it.
func wantBrief(t *testing.T, err error) {
	t.Helper()
	if err != nil && (len(err.Error()) > 600 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsGraphic(r) })) {
		t.Errorf("the error has %d bytes, or other than printable characters: %.300q", len(err.Error()), err)
	}
}

// TestKeysThatAreNotUnderstoodAreIgnored: an issuer may add a new kind of key.
func TestKeysThatAreNotUnderstoodAreIgnored(t *testing.T) {
	w := newScene(t)
	key := w.Key()
	public := key.Public()
	good, err := public.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]string{
		`{"kty":"OKP","crv":"Ed448","x":"AA"},{"kty":"new"},7,{"kty":"RSA","n":"!"},` + string(good): "",
		strings.Replace(string(good), `"use":"sig"`, `"use":"enc"`, 1):                               identity.CodeInvalid,
		strings.Replace(string(good), `"use":"sig"`, `"use":"sig","alg":"PS256"`, 1):                 identity.CodeInvalid,
		`{"kty":"oct","k":"AAAA"}`: identity.CodeInvalid,
	}
	for keys, code := range sets {
		w.Answer(oidctest.Keys, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"keys":[` + keys + `]}`)) })
		w.sleep(10 * time.Minute)
		_, err := w.verify(oidctest.Sign(t, jose.RS256, w.Key(), w.Claims(nil)))
		wantCode(t, err, code, "signature")
	}
}

func TestIssuersAsEverybodyMayKnowThem(t *testing.T) {
	p := oidc.New(oidc.Config{Issuers: []oidc.Issuer{
		{Alias: "work", URL: "https://a.example.com", ClientID: "web", CLIClientID: "cli", Secret: secret.New("s3cret")},
		{Alias: "ci", URL: "https://b.example.com", Audiences: []string{"api"}},
	}})
	want := []identity.Issuer{{Alias: "work", URL: "https://a.example.com", ClientID: "cli", Browser: true}, {Alias: "ci", URL: "https://b.example.com"}}
	if got := p.Issuers(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
