package keycloak_test

import (
	"net/http"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/localstack/keycloak"
)

// TestProgramsExchangeTheirTokens: the session lives as long as the JWT, has the
// permissions of the groups of the program, and makes nothing that outlives it.
func TestProgramsExchangeTheirTokens(t *testing.T) {
	s := newScene(t)
	s.mapGroup("storage-admins", "view")
	jwt := s.front.ProgramToken(t, keycloak.Job, keycloak.JobSecret)
	left := func() float64 {
		return time.Until(time.Unix(int64(keycloak.Claims(t, jwt)["exp"].(float64)), 0)).Seconds()
	}
	before := left()
	code, out := s.exchange(jwt, "jwt")
	after := left()
	if code != http.StatusOK || out["token_type"] != "Bearer" || out["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" {
		t.Fatalf("got %d %v", code, out)
	}
	if in, _ := out["expires_in"].(float64); in < after-1 || in > before+1 { // whole seconds
		t.Errorf("the session lives %v s, and the JWT %v s before the exchange and %v s after it", in, before, after)
	}
	session, _ := out["access_token"].(string)
	job := signedIn{Client: s.client(session)}
	s.permissions("the program", job, "view")
	if _, err := job.Create(t.Context(), httpapi.CreateRequest{Name: "long", ExpiresIn: "1H"}); status(err) != http.StatusUnprocessableEntity {
		t.Errorf("a token that outlives the JWT got %v", err)
	}
	made, err := job.Create(t.Context(), httpapi.CreateRequest{Name: "short"})
	if err != nil {
		t.Fatal(err)
	}
	if end := made.ExpirationTime; end.IsZero() || float64(end.Unix()) > keycloak.Claims(t, jwt)["exp"].(float64) {
		t.Errorf("a token ends at %v, and the JWT has %v", end, keycloak.Claims(t, jwt))
	}
}
