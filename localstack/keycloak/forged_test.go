package keycloak_test

import (
	"net/http"
	"testing"

	"apitoken/localstack/keycloak"
)

// forgery makes an ID token in place of the right one. It gets the right one and its
// nonce.
type forgery func(right, nonce string) string

// TestForeignIDTokensOpenNoSession: Keycloak answers the code of a sign-in with an ID
// token that differs from the right one in one thing. But for the last two each has a
// signature of Keycloak.
func TestForeignIDTokensOpenNoSession(t *testing.T) {
	s := newScene(t)
	direct, own, keys := keycloak.Connect(t), s.url+"/ui/callback", s.front.PublicKeys(t)
	of := func(r keycloak.Realm, nonce string) string {
		return r.IDToken(t, keycloak.Ann, keycloak.Page, keycloak.PageSecret, own, nonce)
	}
	for name, forge := range map[string]forgery{
		"of another issuer": func(_, nonce string) string { return of(direct, nonce) },
		"for another audience": func(_, nonce string) string {
			return s.front.IDToken(t, keycloak.Ann, keycloak.CLI, "", keycloak.Loopback, nonce)
		},
		"with another nonce": func(_, _ string) string { return of(s.front.Realm, "another") },
		"without a nonce":    func(_, _ string) string { return of(s.front.Realm, "") },
		"with an access token in its place": func(_, _ string) string {
			return s.front.ProgramToken(t, keycloak.Job, keycloak.JobSecret)
		},
		"with alg none":                 func(right, _ string) string { return keycloak.Unsigned(t, right) },
		"with HS256 and the public key": func(right, _ string) string { return keycloak.SignedWithPublicKey(t, right, keys) },
	} {
		t.Run(name, func(t *testing.T) {
			b, got := s.forged(forge)
			if got.Status < 400 || got.Status >= 500 || s.sessionOf(b) != "" {
				t.Errorf("got %d, a session: %v: %s", got.Status, s.sessionOf(b) != "", keycloak.Message(got.Body))
			}
		})
	}
	// Another right one passes: the refusals above are not those of the replacement.
	if b, got := s.forged(func(_, nonce string) string { return of(s.front.Realm, nonce) }); s.sessionOf(b) == "" {
		t.Errorf("a right one got %d %s", got.Status, keycloak.Message(got.Body))
	}
}

// forged signs Ann in with another ID token than Keycloak's answer to her code.
func (s *scene) forged(forge forgery) (*keycloak.Browser, keycloak.Screen) {
	s.Helper()
	b := keycloak.NewBrowser(s)
	begun := b.Begin(s, s.login())
	nonce := begun.Query().Get("nonce")
	if nonce == "" {
		s.Fatalf("the request at Keycloak has no nonce: %s", begun)
	}
	back := b.Authorize(s, begun.String(), keycloak.Ann)
	right := s.front.IDToken(s, keycloak.Ann, keycloak.Page, keycloak.PageSecret, s.url+"/ui/callback", nonce)
	foreign, replaced := forge(right, nonce), false
	s.front.ReplaceNext(func(string) string {
		replaced = true
		return foreign
	})
	got := b.Get(s, back.String())
	if !replaced {
		s.Error("the service asked for no ID token")
	}
	return b, got
}

// TestForgedJWTsAreNotExchanged: so do programs get no session.
func TestForgedJWTsAreNotExchanged(t *testing.T) {
	s := newScene(t)
	good := s.front.ProgramToken(t, keycloak.Job, keycloak.JobSecret)
	for name, jwt := range map[string]string{
		"of another issuer":             keycloak.Connect(t).ProgramToken(t, keycloak.Job, keycloak.JobSecret),
		"for another audience":          s.front.ProgramToken(t, keycloak.Away, keycloak.AwaySecret),
		"with alg none":                 keycloak.Unsigned(t, good),
		"with HS256 and the public key": keycloak.SignedWithPublicKey(t, good, s.front.PublicKeys(t)),
		"with a changed signature":      good[:len(good)-8] + "AAAAAAAA",
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := s.exchange(jwt, "jwt"); code != http.StatusBadRequest || out["access_token"] != nil {
				t.Errorf("got %d %v", code, out["error_description"])
			}
		})
	}
	if code, out := s.exchange(good, "jwt"); code != http.StatusOK || out["access_token"] == nil {
		t.Errorf("the right one got %d %v", code, out)
	}
}
