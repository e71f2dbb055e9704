package stack_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
)

// newUser returns a user without tokens.
func newUser(prefix string) *name.Identity {
	return &name.Identity{Name: prefix + "-" + strings.ToLower(rand.Text()[:8])}
}

// createToken creates a token as the administrator.
func (s *stack) createToken(t *testing.T, in httpapi.CreateRequest) httpapi.Created {
	t.Helper()
	c, err := s.api.client(s.admin).Create(t.Context(), in)
	if err != nil {
		t.Fatalf("creating a token: %v", err)
	}
	return c
}

func (s *stack) tokenLife(t *testing.T) {
	ctx, admin, ann := t.Context(), s.api.client(s.admin), newUser("ann")
	c := s.createToken(t, httpapi.CreateRequest{User: ann, Name: "laptop", ExpiresIn: "90D"})
	own := s.api.client(c.BearerToken.Reveal())
	if me, err := own.WhoAmI(ctx); err != nil || me.Name != ann.Name || len(me.Permissions) != 0 {
		t.Errorf("who am I: got %+v, %v", me, err)
	}
	engines.Eventually(t, time.Minute, "get has the token and its last use", func() string { // a use that takes too long is not noted
		if e, err := own.Get(ctx, c.ID); err != nil || e.Name != "laptop" || e.State != "active" || e.LastUsed.IsZero() {
			return fmt.Sprintf("got %+v, %v", e, err)
		}
		return ""
	})
	if l, err := own.List(ctx, httpapi.ListQuery{}); err != nil || len(l.Entries) != 1 || l.Entries[0].ID != c.ID {
		t.Errorf("list: got %+v, %v", l, err)
	}
	s.checkIntrospection(t, c.BearerToken.Reveal(), "")
	s.checkIntrospection(t, unknownToken, "token_invalid")
	if err := own.Revoke(ctx, c.ID); err != nil {
		t.Errorf("revoke: %v", err)
	}
	if _, err := own.WhoAmI(ctx); statusOf(err) != http.StatusUnauthorized {
		t.Errorf("who am I with a revoked token: got %v, want 401", err)
	}
	if _, err := admin.Get(ctx, c.ID); statusOf(err) != http.StatusNotFound {
		t.Errorf("get of a revoked token: got %v, want 404", err)
	}
	ofToken, err := admin.TokenEvents(ctx, c.ID, httpapi.HistoryQuery{})
	s.checkHistory(t, "token", ofToken, err)
	ofUser, err := admin.UserEvents(ctx, ann.Name, httpapi.HistoryQuery{})
	s.checkHistory(t, "user", ofUser, err)
	if l, err := admin.List(ctx, httpapi.ListQuery{User: ann.Name, States: []string{"revoked"}}); err != nil || len(l.Entries) != 1 {
		t.Errorf("list of revoked tokens: got %+v, %v", l, err)
	}
}

// checkIntrospection asks about a token. An empty reason means an active token.
func (s *stack) checkIntrospection(t *testing.T, text, reason string) {
	t.Helper()
	a := s.api.request(t, "POST", "/v1/auth/authorize", s.admin, object{"token": text})
	var i httpapi.Introspection
	engines.Decode(t, a.Body, &i)
	if a.Status != http.StatusOK || i.Active != (reason == "") || i.Reason != reason {
		t.Errorf("introspect: got %s, want reason %q", a, reason)
	}
}

func (s *stack) checkHistory(t *testing.T, of string, h httpapi.History, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("history of the %s: %v", of, err)
		return
	}
	if got := s.kindsOf(t, h); !slices.Equal(got, []string{"TokenCreated", "TokenRevoked"}) {
		t.Errorf("history of the %s: got %v", of, got)
	}
}

// kindsOf returns the types of the events, which must have the source of this
// stack.
func (s *stack) kindsOf(t *testing.T, h httpapi.History) (kinds []string) {
	t.Helper()
	for _, raw := range h.Entries {
		m, err := events.ParseDetail(raw)
		if err != nil {
			t.Fatal(err)
		}
		if m.Deployment != s.deployment {
			t.Errorf("event %s is of the deployment %q, want the end of the stack's id, %q", m.ID, m.Deployment, s.deployment)
		}
		kinds = append(kinds, m.Type)
	}
	return kinds
}

func (s *stack) scopedToken(t *testing.T) {
	user := newUser("scoped")
	history := "/v1/users/" + user.Name + "/events"
	c := s.createToken(t, httpapi.CreateRequest{User: user, Scopes: []string{"GET /v1/users/*"}})
	bearer := c.BearerToken.Reveal()
	for _, path := range []string{history, history + "/"} {
		if a := s.api.request(t, "GET", path, bearer, nil); a.Status != http.StatusOK {
			t.Errorf("GET %s within the scope: got %s", path, a)
		}
	}
	for _, path := range []string{"/v1/auth/access-tokens", "/v1/auth/access-tokens/", "/v1/auth/access-tokens/" + c.ID} {
		a := s.api.request(t, "GET", path, bearer, nil)
		checkForbidden(t, a, "permission_denied_by_scope", "The token's scopes do not allow this call.")
	}
}

// tokenWithRanges: MiniStack takes the address from X-Forwarded-For.
func (s *stack) tokenWithRanges(t *testing.T) {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("ranges"), SourceIPs: []string{"203.0.113.0/24"}})
	const path = "/v1/auth/access-tokens"
	if a := s.api.requestFrom(t, "203.0.113.9", "GET", path, c.BearerToken.Reveal(), nil); a.Status != http.StatusOK {
		t.Errorf("from an address of the range: got %s", a)
	}
	a := s.api.requestFrom(t, "198.51.100.9", "GET", path, c.BearerToken.Reveal(), nil)
	checkForbidden(t, a, "permission_denied_by_source", "The token's source ranges do not allow the address of this request.")
}

// checkForbidden reads the 403 of the gateway itself.
func checkForbidden(t *testing.T, a engines.Answer, code, detail string) {
	t.Helper()
	p := problemOf(t, a)
	if a.Status != http.StatusForbidden || p.Code != code || p.Type != "urn:apitoken:problem:"+code || p.Detail != detail || p.Description != detail {
		t.Errorf("got %s, want 403 %s: %s", a, code, detail)
	}
}

func (s *stack) exampleAPI(t *testing.T) {
	bob := newUser("bob")
	c := s.createToken(t, httpapi.CreateRequest{User: bob})
	other := s.createToken(t, httpapi.CreateRequest{User: bob, Scopes: []string{"GET /v1/*"}})
	for bearer, want := range map[string]int{"": 401, unknownToken: 401, other.BearerToken.Reveal(): 403, c.BearerToken.Reveal(): 200} {
		a := s.example.request(t, "GET", "", bearer, nil)
		if a.Status != want {
			t.Errorf("with token %.8q: got %s, want %d", bearer, a, want)
		}
		if want != http.StatusOK {
			continue
		}
		var hello struct {
			Hello   string `json:"hello"`
			TokenID string `json:"token_id"`
			Kind    string `json:"kind"`
		}
		if engines.Decode(t, a.Body, &hello); hello.Hello != bob.Name || hello.TokenID != c.ID || hello.Kind != "token" {
			t.Errorf("got %s, want the owner %s and the token %s, of kind token", a, bob.Name, c.ID)
		}
	}
}
