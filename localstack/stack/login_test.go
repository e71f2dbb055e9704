package stack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/localstack/engines"
)

// checkLoginRoute calls a route of the function login. The stack has no domain, so no
// issuer could send a browser back.
func (s *stack) checkLoginRoute(t *testing.T, r machine.Route, path string) {
	t.Helper()
	want := http.StatusOK
	switch {
	case r.Method == http.MethodPost:
		want = http.StatusBadRequest
	case strings.HasPrefix(path, "/ui/"):
		want = http.StatusNotFound
	}
	if a := s.api.request(t, r.Method, path, "", nil); a.Status != want {
		t.Errorf("%s %s: got %s, want %d", r.Method, path, a, want)
	}
}

// exchange opens a session with a token.
func (s *stack) exchange(t *testing.T, bearer string) engines.Answer {
	return s.postForm(t, "/v1/session/exchange", "", url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"subject_token":      {bearer},
	})
}

// exchangeCall opens a session and uses it.
func (s *stack) exchangeCall(t *testing.T) string {
	made := s.createToken(t, httpapi.CreateRequest{User: newUser("signed-in")})
	a := s.exchange(t, made.BearerToken.Reveal())
	if !a.OK() {
		return a.String()
	}
	var session httpapi.Exchanged
	engines.Decode(t, a.Body, &session)
	if a := s.api.request(t, "GET", "/v1/session/who-am-i", session.AccessToken.Reveal(), nil); !a.OK() {
		return a.String()
	}
	return ""
}
