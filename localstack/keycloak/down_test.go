package keycloak_test

import (
	"net/http"
	"testing"
	"time"

	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

// TestWithoutKeycloakNobodyEntersAndNobodyIsThrownOut: each sign-in is 503, never 401,
// and sessions work as before.
func TestWithoutKeycloakNobodyEntersAndNobodyIsThrownOut(t *testing.T) {
	s := newScene(t)
	ann := s.signIn(keycloak.Ann)
	waiting := keycloak.NewBrowser(t)
	back := waiting.Authorize(t, s.login(), keycloak.Bob)
	s.front.Stop()
	s.unavailable("the callback", waiting.Get(t, back.String()))
	if s.sessionOf(waiting) != "" {
		t.Error("Bob has a session")
	}
	if _, err := ann.Client.WhoAmI(t.Context()); err != nil {
		t.Errorf("the session of before got %v", err)
	}
	s.front.Start()
	s.signIn(keycloak.Bob)
}

// TestTheServiceStartsWithoutKeycloak: only sign-in waits for it.
func TestTheServiceStartsWithoutKeycloak(t *testing.T) {
	var jwt string
	s := newSceneWith(t, func(f *keycloak.Front) {
		jwt = f.ProgramToken(t, keycloak.Job, keycloak.JobSecret)
		f.Stop()
	})
	s.unavailable("the sign-in", keycloak.NewBrowser(t).GetOne(t, s.login()))
	if code, out := s.exchange(jwt, "jwt"); code != http.StatusServiceUnavailable || out["error"] != "temporarily_unavailable" {
		t.Errorf("the exchange got %d %v", code, out)
	}
	if _, err := s.admin.WhoAmI(t.Context()); err != nil {
		t.Error(err)
	}
	s.front.Start()
	engines.Eventually(t, time.Minute, "the service finds Keycloak", func() string {
		if got := keycloak.NewBrowser(t).GetOne(t, s.login()); got.Status != http.StatusSeeOther {
			return keycloak.Message(got.Body)
		}
		return ""
	})
	s.signIn(keycloak.Ann)
	if code, out := s.exchange(jwt, "jwt"); code != http.StatusOK {
		t.Errorf("with Keycloak the exchange got %d %v", code, out)
	}
}

// unavailable checks an answer to a browser.
func (s *scene) unavailable(what string, got keycloak.Screen) {
	s.Helper()
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		s.Errorf("%s: got %d, Retry-After %q: %s", what, got.Status, got.Header.Get("Retry-After"), keycloak.Message(got.Body))
	}
}
