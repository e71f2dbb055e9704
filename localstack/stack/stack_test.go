package stack_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// badToken is well formed and nobody's.
const badToken = "00000000.000000000000000000000000002uutdl"

func TestTheDeployedStack(t *testing.T) {
	s := deploy(t)
	t.Run("every route is there, guarded or open, with and without a slash", s.routes)
	t.Run("what is no route is a problem", s.elsewhere)
	t.Run("a token's whole life", s.life)
	t.Run("a scoped token reaches its scopes", s.scopes)
	t.Run("somebody's own API is guarded", s.guarded)
	t.Run("the smoke test passes", s.smoke)
	t.Run("the administrator is made once", s.again)
	t.Run("200 creates at once and four slots make four tokens", s.race)
	t.Run("every statement of every role is needed", s.statements)
	t.Run("the audit table has every event once", s.audited)
	t.Run("a revocation that was undone in the log is made good", s.reapplied)
	t.Run("no log has a secret", s.silent)
}

func (s *stack) routes(t *testing.T) {
	for _, r := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", "00000000", "{user}", "ann").Replace(r.Path)
		for _, path := range []string{path, path + "/"} {
			if r.Open {
				if a := s.api.ask(t, r.Method, path, "", nil); a.status != http.StatusOK {
					t.Errorf("%s %s without a token: got %s, want 200", r.Method, path, a)
				}
				continue
			}
			for _, bearer := range []string{"", badToken, "garbage"} {
				a := s.api.ask(t, r.Method, path, bearer, nil)
				p := problem(t, a)
				if a.status != http.StatusUnauthorized || p.Code != "token_invalid" || a.header.Get("WWW-Authenticate") != `Bearer realm="apitoken"` {
					t.Errorf("%s %s with token %q: got %s, want 401 with a challenge", r.Method, path, bearer, a)
				}
			}
			if a := s.api.ask(t, r.Method, path, s.admin, object{}); a.status == http.StatusUnauthorized || a.status >= 500 || code(a) == "path_not_found" {
				t.Errorf("%s %s as admin: got %s", r.Method, path, a)
			}
		}
	}
	s.clear(t)
}

// clear revokes what the routes made, but for the token that is used.
func (s *stack) clear(t *testing.T) {
	t.Helper()
	admin := s.api.as(s.admin)
	list, err := admin.List(t.Context(), httpapi.ListQuery{User: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Entries {
		if e.ID != s.admin[:8] {
			if err := admin.Revoke(t.Context(), e.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// problem reads an answer as one, and checks that the request can be found.
func problem(t *testing.T, a answer) (p httpapi.Problem) {
	t.Helper()
	if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got headers %v, want those of a problem", a.header)
	}
	decode(t, a.body, &p)
	if p.Status != a.status || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("got %s with X-Request-Id %q", a, a.header.Get("X-Request-Id"))
	}
	return p
}

func code(a answer) string {
	var p httpapi.Problem
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Code
}

func (s *stack) elsewhere(t *testing.T) {
	for _, path := range []string{"/", "/v1", "/v1/nothing", "/v2/auth/access-tokens"} {
		if a := s.api.ask(t, "GET", path, s.admin, nil); a.status != http.StatusNotFound || problem(t, a).Code != "path_not_found" {
			t.Errorf("GET %s: got %s, want 404 path_not_found", path, a)
		}
	}
	if a := s.api.ask(t, "PUT", "/v1/auth/access-tokens", s.admin, nil); a.status != http.StatusNotFound {
		t.Errorf("PUT on the collection: got %s; a REST API answers an unknown method as an unknown path", a)
	}
}

// person is somebody new.
func person(prefix string) *token.Identity {
	return &token.Identity{Name: prefix + "-" + strings.ToLower(rand.Text()[:8])}
}

// made is a new token for somebody.
func (s *stack) made(t *testing.T, in httpapi.CreateRequest) httpapi.Created {
	t.Helper()
	c, err := s.api.as(s.admin).Create(t.Context(), in)
	if err != nil {
		t.Fatalf("creating a token: %v", err)
	}
	return c
}

func (s *stack) life(t *testing.T) {
	ctx, admin, ann := t.Context(), s.api.as(s.admin), person("ann")
	c := s.made(t, httpapi.CreateRequest{User: ann, Name: "laptop", ExpiresIn: "90D"})
	own := s.api.as(c.BearerToken.Reveal())
	if me, err := own.WhoAmI(ctx); err != nil || me.ID != ann.Name || len(me.Permissions) != 0 {
		t.Errorf("who am I: got %+v, %v", me, err)
	}
	if e, err := own.Get(ctx, c.ID); err != nil || e.Name != "laptop" || e.State != "active" || e.LastUsed.IsZero() {
		t.Errorf("get: got %+v, %v", e, err)
	}
	if l, err := own.List(ctx, httpapi.ListQuery{}); err != nil || len(l.Entries) != 1 || l.Entries[0].ID != c.ID {
		t.Errorf("list: got %+v, %v", l, err)
	}
	for reason, text := range map[string]string{"": c.BearerToken.Reveal(), "token_invalid": badToken} {
		a := s.api.ask(t, "POST", "/v1/auth/authorize", s.admin, object{"token": text})
		var i httpapi.Introspection
		if decode(t, a.body, &i); a.status != 200 || i.Active != (reason == "") || i.Reason != reason {
			t.Errorf("introspect: got %s, want reason %q", a, reason)
		}
	}
	if err := own.Revoke(ctx, c.ID); err != nil {
		t.Errorf("revoke: %v", err)
	}
	if _, err := own.WhoAmI(ctx); status(err) != http.StatusUnauthorized {
		t.Errorf("who am I with a revoked token: got %v, want 401", err)
	}
	if _, err := admin.Get(ctx, c.ID); status(err) != http.StatusNotFound {
		t.Errorf("get of a revoked token: got %v, want 404", err)
	}
	for what, history := range map[string]func() (httpapi.History, error){
		"token": func() (httpapi.History, error) { return admin.TokenEvents(ctx, c.ID, httpapi.HistoryQuery{}) },
		"user":  func() (httpapi.History, error) { return admin.UserEvents(ctx, ann.Name, httpapi.HistoryQuery{}) },
	} {
		h, err := history()
		if got := kinds(t, h); err != nil || !slices.Equal(got, []string{"TokenCreated", "TokenRevoked"}) {
			t.Errorf("history of the %s: got %v, %v", what, got, err)
		}
	}
	if l, err := admin.List(ctx, httpapi.ListQuery{User: ann.Name, States: []string{"revoked"}}); err != nil || len(l.Entries) != 1 {
		t.Errorf("list of revoked tokens: got %+v, %v", l, err)
	}
}

func kinds(t *testing.T, h httpapi.History) (all []string) {
	t.Helper()
	for _, raw := range h.Entries {
		m, err := events.ParseDetail(raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Type)
	}
	return all
}

// status is that of a problem, 0 of anything else.
func status(err error) int {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return p.Status
	}
	return 0
}

func (s *stack) scopes(t *testing.T) {
	c := s.made(t, httpapi.CreateRequest{User: person("scoped"), Scopes: []string{"GET /v1/session/*"}})
	bearer := c.BearerToken.Reveal()
	for _, path := range []string{"/v1/session/who-am-i", "/v1/session/who-am-i/"} {
		if a := s.api.ask(t, "GET", path, bearer, nil); a.status != http.StatusOK {
			t.Errorf("GET %s within the scope: got %s", path, a)
		}
	}
	for _, path := range []string{"/v1/auth/access-tokens", "/v1/auth/access-tokens/", "/v1/auth/access-tokens/" + c.ID} {
		if a := s.api.ask(t, "GET", path, bearer, nil); a.status != http.StatusForbidden || problem(t, a).Code != "permission_denied" {
			t.Errorf("GET %s out of scope: got %s, want 403", path, a)
		}
	}
}

func (s *stack) guarded(t *testing.T) {
	bob := person("bob")
	c := s.made(t, httpapi.CreateRequest{User: bob})
	elsewhere := s.made(t, httpapi.CreateRequest{User: bob, Scopes: []string{"GET /v1/*"}})
	for bearer, want := range map[string]int{"": 401, badToken: 401, elsewhere.BearerToken.Reveal(): 403, c.BearerToken.Reveal(): 200} {
		a := s.example.ask(t, "GET", "", bearer, nil)
		if a.status != want {
			t.Errorf("with token %.8q: got %s, want %d", bearer, a, want)
		}
		var hello struct {
			Hello   string `json:"hello"`
			TokenID string `json:"token_id"`
		}
		if want == http.StatusOK {
			if decode(t, a.body, &hello); hello.Hello != bob.Name || hello.TokenID != c.ID {
				t.Errorf("got %s, want it to know %s and %s", a, bob.Name, c.ID)
			}
		}
	}
}

func (s *stack) smoke(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), top+"localstack/smoke.sh", s.api.url, s.tokenFile, s.api.host).CombinedOutput(); err != nil {
		t.Errorf("smoke.sh: %v\n%s", err, out)
	}
}

func (s *stack) again(t *testing.T) {
	if out, err := s.apitoken(t, "--out", s.tokenFile, "--first"); err != nil || !strings.Contains(out, "has an administrator") {
		t.Errorf("bootstrap --first again: got %v: %s", err, out)
	}
	if out, err := s.apitoken(t, "--out", s.tokenFile); err == nil || !strings.Contains(out, "still works") {
		t.Errorf("bootstrap over a token that works: got %v: %s, want a refusal", err, out)
	}
}
