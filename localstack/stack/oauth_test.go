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

// postForm sends a form to the deployed API.
func (s *stack) postForm(t *testing.T, path, bearer string, form url.Values) engines.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return engines.Do(t, s.api.http, r)
}

// checkOAuthRoute calls a route of the function oauth. The function answers in OAuth's
// form, itself also the 401. A revocation reads no credential.
func (s *stack) checkOAuthRoute(t *testing.T, r machine.Route, path string) {
	t.Helper()
	for bearer, code := range map[string]string{"": "credential_missing", unknownToken: "token_invalid", "garbage": "token_malformed", s.admin: "invalid_parameter"} {
		status, oauth := http.StatusUnauthorized, "invalid_client"
		if r.Shown {
			code = "invalid_parameter"
		}
		if code == "invalid_parameter" {
			status, oauth = http.StatusBadRequest, "invalid_request"
		}
		var e httpapi.OAuthError
		a := s.postForm(t, path, bearer, nil)
		if engines.Decode(t, a.Body, &e); a.Status != status || e.Error != oauth || e.Code != code || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with token %q: got %s with %v, want %d %s %s", path, bearer, a, a.Header, status, oauth, code)
		}
	}
}

// oauthIntrospection checks a token of another user.
func (s *stack) oauthIntrospection(of func(*testing.T) httpapi.Created) exercise {
	return func(t *testing.T) string {
		made := of(t)
		a := s.postForm(t, "/v1/oauth/introspect", s.admin, url.Values{"token": {made.BearerToken.Reveal()}})
		if !a.OK() {
			return a.String()
		}
		var got httpapi.OAuthIntrospection
		engines.Decode(t, a.Body, &got)
		if !got.Active || got.JTI != made.ID || got.Sub != made.User.Name || !strings.HasPrefix(got.Iss, "urn:apitoken:") {
			return "the token is not described: " + a.String()
		}
		return ""
	}
}

// oauthRevocation ends a new token, and the outgoing secret of another one.
func (s *stack) oauthRevocation(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("shown")})
	rotated, err := s.api.client(c.BearerToken.Reveal()).RotateSelf(t.Context(), httpapi.RotateRequest{})
	if err != nil {
		return err.Error()
	}
	for _, step := range []struct {
		text         string
		passes, next bool // the outgoing secret, and the current one, after the step
	}{{c.BearerToken.Reveal(), false, true}, {rotated.BearerToken.Reveal(), false, false}} {
		if a := s.postForm(t, "/v1/oauth/revoke", "", url.Values{"token": {step.text}}); !a.OK() {
			return a.String()
		}
		for text, want := range map[string]bool{c.BearerToken.Reveal(): step.passes, rotated.BearerToken.Reveal(): step.next} {
			if a := s.api.request(t, "GET", "/v1/session/who-am-i", text, nil); a.OK() != want {
				return "after a revocation: " + a.String()
			}
		}
	}
	return ""
}
