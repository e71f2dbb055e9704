package httpapi_test

import (
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
	_, stranger := w.make(httpapi.CreateRequest{User: named("bob")})
	for _, c := range []struct{ body, caller, reason, id string }{
		{`{"token":"` + text + `","action":"DELETE /v1/things/7"}`, w.admin, "permission_denied_by_scope", made.ID},
		{`{"token":"` + late + `","action":null,"source_ip":""}`, w.admin, "token_expired", expired.ID},
		{`{"token":"` + text + `"}`, stranger, "token_invalid", ""},
		{`{"token":"JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"}`, w.admin, "token_invalid", ""},
		{`{"token":"x"}`, w.admin, "token_malformed", ""},
	} {
		got, body := check(c.body, c.caller)
		if got.Active || got.Reason != c.reason || got.ID != c.id {
			t.Errorf("%s: got %s, want reason %s and id %q", c.body, body, c.reason, c.id)
		}
	}
	if got, _ := check(`{"token":"x"}`, w.admin); got.User != nil || got.Scopes != nil || got.ExpirationTime != nil {
		t.Errorf("got %+v, want no members for a text that is no token", got)
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
	self := decodeAs[httpapi.Self](t, w.do("GET", "/v1/session/who-am-i", w.admin, ""))
	if self.ID != "admin" || len(self.Permissions) != 4 {
		t.Errorf("got %+v, want admin with four permissions", self)
	}
	for _, user := range []string{`{"uid":7}`, `{"auth_id":"500"}`, `{"domain":"ACTIVE_DIRECTORY","name":"ann"}`, `{"name":"ann"}`} {
		s := w.do("POST", collection, w.admin, `{"user":`+user+`}`).expect(t, http.StatusOK, "")
		text := decodeAs[httpapi.Created](t, s).BearerToken.Reveal()
		self := decodeAs[httpapi.Self](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
		again := w.do("POST", collection, text, `{"user":{"auth_id":"`+self.ID+`"}}`).expect(t, http.StatusOK, "")
		if got, want := decodeAs[httpapi.Created](t, again).User, decodeAs[httpapi.Created](t, s).User; got.Name != want.Name || got.Domain != want.Domain || got.AuthID != want.AuthID {
			t.Errorf("%s: got %+v, want %+v", user, got, want)
		}
		if self.Name == "" {
			t.Errorf("%s: got no name", user)
		}
	}
}
