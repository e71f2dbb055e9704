package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

func TestIntrospectionAnswersWhetherATokenWouldPass(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h", Scopes: []string{"GET /v1/things/*"}})
	expired, late := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1s"})
	w.sleep(time.Second)
	check := func(body, caller string) (httpapi.Introspection, string) {
		t.Helper()
		s := w.do("POST", "/v1/auth/authorize", caller, body).expect(t, http.StatusOK, "")
		if got := s.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("got Cache-Control %q", got)
		}
		return decodeAs[httpapi.Introspection](t, s), string(s.body)
	}
	got, body := check(`{"token":"`+text+`","action":"GET /v1/things/7","source_ip":"192.0.2.7"}`, w.admin)
	if !got.Active || got.ID != made.ID || got.User.Name != "ann" || len(got.Scopes) != 1 || !got.ExpirationTime.Equal(made.ExpirationTime.Time) || got.Reason != "" {
		t.Errorf("got %s, want an active token with all its members", body)
	}
	if strings.Contains(body, text[9:]) {
		t.Errorf("got %s, with the secret", body)
	}
	_, owner := w.make(httpapi.CreateRequest{User: named("ann")})
	for _, c := range []struct{ body, caller, reason, id string }{
		{`{"token":"` + text + `","action":"DELETE /v1/things/7"}`, w.admin, "permission_denied_by_scope", made.ID},
		{`{"token":"` + late + `","action":null,"source_ip":""}`, w.admin, "token_expired", expired.ID},
		{`{"token":"` + text + `"}`, w.admin, "action_missing", made.ID},
		{`{"token":"` + text + `","action":null}`, owner, "action_missing", made.ID},
		{`{"token":"` + text + `","action":"","source_ip":null}`, w.admin, "action_missing", made.ID},
		{`{"token":"` + text + `","action":"GET /v1/things/%2e%2e/x"}`, w.admin, "permission_denied_by_scope", made.ID},
		{`{"token":"` + text + `","action":"GET /v1/things/..\\x"}`, w.admin, "permission_denied_by_scope", made.ID},
		{`{"token":"JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"}`, w.admin, "token_invalid", ""},
		{`{"token":"x"}`, w.admin, "token_malformed", ""},
	} {
		got, body := check(c.body, c.caller)
		if got.Active || got.Reason != c.reason || got.ID != c.id {
			t.Errorf("%s: got %s, want reason %s and id %q", c.body, body, c.reason, c.id)
		}
	}
	if got, body := check(`{"token":"`+text+`","action":"HEAD /v1/things/7"}`, w.admin); !got.Active {
		t.Errorf("HEAD with a scope for GET: got %s", body)
	}
	if got, _ := check(`{"token":"x"}`, w.admin); got.User != nil || got.Scopes != nil || got.ExpirationTime != nil {
		t.Errorf("got %+v, want no members for a text that is no token", got)
	}
}

// TestIntrospectionByAStrangerIsOneAnswer compares the whole answers, headers too,
// without the two places that have the request's id, and without the date.
func TestIntrospectionByAStrangerIsOneAnswer(t *testing.T) {
	w := newScene(t)
	_, stranger := w.make(httpapi.CreateRequest{User: named("bob")})
	_, live := w.make(httpapi.CreateRequest{User: named("ann")})
	_, scoped := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"GET /v1/*"}})
	_, expired := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1s"})
	revoked, ended := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("DELETE", collection+revoked.ID, w.admin, "").expect(t, http.StatusOK, "")
	w.sleep(time.Second)
	var want string
	for name, text := range map[string]string{
		"live": live, "scoped": scoped, "expired": expired, "revoked": ended, "admin's": w.admin,
		"unknown": "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", "malformed": "x", "cut": live[:20], "id": live[:8], "own, wrong checksum": stranger + "x",
	} {
		for _, rest := range []string{``, `,"action":"GET /v1/x"`, `,"action":"PUT /","source_ip":"192.0.2.1"`} {
			s := w.do("POST", "/v1/auth/authorize", stranger, `{"token":"`+text+`"`+rest+`}`).expect(t, http.StatusForbidden, "permission_denied")
			p := s.problem(t)
			s.header.Del("X-Request-Id")
			s.header.Del("Date")
			got := fmt.Sprintln(s.header) + strings.ReplaceAll(string(s.body), p.RequestID, "")
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%s%s: got\n%s\nwant\n%s", name, rest, got, want)
			}
		}
	}
	if got := decodeAs[httpapi.Introspection](t, w.do("POST", "/v1/auth/authorize", stranger, `{"token":"`+stranger+`"}`)); !got.Active {
		t.Errorf("the own token: got %+v, want it active", got)
	}
}

func TestIntrospectionRefusesWrongMembersByName(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct{ body, code, names string }{
		{``, "invalid_field", "token"},
		{`{"token":null}`, "invalid_field", "token"},
		{`{"token":""}`, "invalid_field", "token"},
		{`{"token":7}`, "wrong_type", "token"},
		{`{"token":"x","source_ip":"home"}`, "invalid_field", "source_ip"},
		{`{"token":"x","action":"look around"}`, "invalid_field", "action"},
		{`{"token":"x","scope":"y"}`, "unknown_member", "scope"},
	} {
		p := w.do("POST", "/v1/auth/authorize", w.admin, c.body).expect(t, http.StatusBadRequest, c.code).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != c.names {
			t.Errorf("%s: got %+v, want the field %s", c.body, p.Errors, c.names)
		}
	}
}

func TestWhoAmIGivesAnIDThatWorksAsAuthID(t *testing.T) {
	w := newScene(t)
	self := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", w.admin, ""))
	if self.ID != "18446744492006271342" || self.Name != "admin" || len(self.Permissions) != 4 {
		t.Errorf("got %+v, want admin with four permissions", self)
	}
	for _, user := range []string{`{"uid":7}`, `{"auth_id":"500"}`, `{"domain":"ACTIVE_DIRECTORY","name":"ann"}`, `{"name":"ann"}`} {
		s := w.do("POST", collection, w.admin, `{"user":`+user+`}`).expect(t, http.StatusOK, "")
		text := decodeAs[httpapi.Created](t, s).BearerToken.Reveal()
		self := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
		again := w.do("POST", collection, text, `{"user":{"auth_id":"`+self.ID+`"}}`).expect(t, http.StatusOK, "")
		if got, want := decodeAs[httpapi.Created](t, again).User, decodeAs[httpapi.Created](t, s).User; got.Name != want.Name || got.Domain != want.Domain || got.AuthID != want.AuthID {
			t.Errorf("%s: got %+v, want %+v", user, got, want)
		}
		if self.Name == "" || strings.Trim(self.ID, "0123456789") != "" || self.User.Name != decodeAs[httpapi.Created](t, s).User.Name {
			t.Errorf("%s: got %+v, want a name, a number as id, and the user", user, self)
		}
	}
}

// TestAScopeForGETAllowsHEAD has each GET call of the caller's own things.
func TestAScopeForGETAllowsHEAD(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"GET /v1/*"}})
	for _, path := range []string{
		"/v1/session/who-am-i", "/v1/session/who-am-i/", collection, collection + made.ID, collection + made.ID + "/events", "/v1/users/ann/events",
	} {
		w.do("HEAD", path, text, "").expect(t, http.StatusOK, "")
	}
	_, other := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"POST /v1/*", "DELETE /*"}})
	if s := w.do("HEAD", collection, other, ""); s.status != http.StatusForbidden {
		t.Errorf("HEAD without a scope for GET: got %d, want 403", s.status)
	}
}

// TestIntrospectionAgreesWithTheServiceAboutItsOwnCalls makes each call with a token
// of a scope, and asks whether the call would pass.
func TestIntrospectionAgreesWithTheServiceAboutItsOwnCalls(t *testing.T) {
	type call struct{ method, path string }
	var all []call
	for _, route := range httpapi.Routes() {
		if route.Open || route.Shown { // without a credential no scope matters
			continue
		}
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		all = append(all, call{route.Method, path}, call{route.Method, path + "/"})
		if route.Method == "GET" {
			all = append(all, call{"HEAD", path})
		}
	}
	const tokens = "/v1/auth/access-tokens/"
	all = append(all, call{"GET", tokens + "%73elf"}, call{"GET", tokens + "self%2Fevents"}, call{"GET", tokens + "SELF"}, call{"GET", tokens + "selves"},
		call{"GET", tokens + "%2573elf"}, call{"GET", tokens + "self;x"})
	passed := 0
	for _, scope := range []string{"GET /hello", "GET /v1/auth/*", "* /v1/users/*"} {
		for _, c := range all {
			w := newScene(t)
			_, text := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{scope}})
			asked := decodeAs[httpapi.Introspection](t, w.do("POST", "/v1/auth/authorize", w.admin, fmt.Sprintf(`{"token":%q,"action":"%s %s"}`, text, c.method, c.path)))
			s := w.do(c.method, c.path, text, "")
			refused := s.status == http.StatusForbidden && (s.method == http.MethodHead || s.problem(t).Code == "permission_denied_by_scope")
			if asked.Active == refused {
				t.Errorf("scope %s, %s %s: introspection says %t, and the call is answered with %d", scope, c.method, c.path, asked.Active, s.status)
			}
			if asked.Active {
				passed++
			}
		}
	}
	if passed < 20 || passed > 3*len(all)/2 {
		t.Errorf("%d of %d calls passed, so this test shows little", passed, 3*len(all))
	}
}

// TestIntrospectionRefusesAnAddressWithAZone: no source range contains such an
// address, so an answer about the token would mislead.
func TestIntrospectionRefusesAnAddressWithAZone(t *testing.T) {
	w := newScene(t)
	for _, address := range []string{"fe80::1%eth0", "::ffff:192.0.2.7%1"} {
		got := w.do("POST", "/v1/auth/authorize", w.admin, `{"token":"x","source_ip":"`+address+`"}`)
		if p := got.expect(t, 400, "invalid_field").problem(t); p.Errors[0].Field != "source_ip" {
			t.Errorf("%s: got a problem with %s", address, p.Errors[0].Field)
		}
	}
}
