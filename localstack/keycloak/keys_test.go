package keycloak_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

// TestRotatedKeysAreFoundAndOldOnesForgotten: a new key works soon, although the older
// keys are cached, and then a token of a disabled key is refused.
func TestRotatedKeysAreFoundAndOldOnesForgotten(t *testing.T) {
	s := newScene(t)
	s.signIn(keycloak.Ann)
	old := s.front.ProgramToken(t, keycloak.Job, keycloak.JobSecret)
	if code, out := s.exchange(old, "jwt"); code != http.StatusOK {
		t.Fatalf("before the rotation: got %d %v", code, out)
	}
	keycloak.Connect(t).RotateKeys(t)
	engines.Eventually(t, time.Minute, "the service asks for the keys again", func() string {
		// A stranger can send any number of JWTs with unknown keys. So it asks once in ten
		// seconds at most.
		if code, out := s.exchange(s.front.ProgramToken(t, keycloak.Job, keycloak.JobSecret), "jwt"); code != http.StatusOK {
			return fmt.Sprint(code, out)
		}
		return ""
	})
	if asked := s.front.Asked("certs"); asked < 2 || asked > 3 { // a slow answer is not taken
		t.Errorf("the service asked %d times for the keys, want twice, or once more", asked)
	}
	s.signIn(keycloak.Ann)
	if code, out := s.exchange(old, "jwt"); code != http.StatusBadRequest || out["code"] != "identity_invalid" {
		t.Errorf("a token of a disabled key got %d %v", code, out)
	}
}
