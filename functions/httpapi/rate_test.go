package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// TestRetryAfterIsTheRestOfTheHour, in whole seconds, rounded up, and never 0.
func TestRetryAfterIsTheRestOfTheHour(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{ChangeRate: new(1)})
	w.make(httpapi.CreateRequest{User: named("ann")})
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "3"}, // it is 20:59:57.642
		{358 * time.Millisecond, "2"},
		{1, "2"},
		{time.Second - 1, "1"},
		{time.Second - 1, "1"},
	} {
		w.sleep(step.wait)
		s := w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusTooManyRequests, "change_rate_exceeded")
		if got := s.header.Get("Retry-After"); got != step.want {
			t.Errorf("at %v: got Retry-After %q, want %q", w.clock(), got, step.want)
		}
	}
	w.sleep(1)
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusOK, "")
	w.do("POST", collection, w.admin, `{"user":{"name":"bob"}}`).expect(t, http.StatusOK, "")
	s := w.do("POST", collection, w.admin, `{"user":{"name":"bob"}}`).expect(t, http.StatusTooManyRequests, "change_rate_exceeded")
	if got := s.header.Get("Retry-After"); got != "3600" {
		t.Errorf("at the start of an hour: got Retry-After %q, want 3600", got)
	}
	golden(t, "problem_change_rate_exceeded.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
}

// TestRateRefusesNoOtherCall: in an hour that is full, everything but a create and a
// change of a token is answered as before. To disable is no such change. The rate refuses a create of the user's own as well.
func TestRateRefusesNoOtherCall(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	other, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	w.change(settings.Change{ChangeRate: new(1)})
	w.do("POST", collection, text, `{}`).expect(t, http.StatusTooManyRequests, "change_rate_exceeded")
	for _, call := range []struct{ method, path, body string }{
		{"GET", collection, ""},
		{"GET", collection + made.ID, ""},
		{"GET", collection + made.ID + "/events", ""},
		{"GET", "/v1/users/ann/events", ""},
		{"GET", "/v1/session/who-am-i", ""},
		{"POST", "/v1/auth/authorize", fmt.Sprintf(`{"token":%q}`, text)},
		{"PATCH", collection + made.ID, `{}`},
		{"PATCH", collection + other.ID, `{"enabled":false}`},
		{"DELETE", collection + made.ID, ""},
	} {
		w.do(call.method, call.path, text, call.body).expect(t, http.StatusOK, "")
	}
}

// TestRefusedCreateIsTheSameForEveryUser: the answer has the same status, body and
// headers for users with tokens, with permissions, and without anything.
func TestRefusedCreateIsTheSameForEveryUser(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{User: named("mallory")})
	for range 5 {
		w.make(httpapi.CreateRequest{User: named("full"), Description: strings.Repeat("d", 512)})
	}
	w.make(httpapi.CreateRequest{User: named("few")})
	w.change(settings.Change{ChangeRate: new(1)})
	first := ""
	for _, user := range []string{"absent", "few", "full", "admin", "another"} {
		for _, more := range []string{"", `,"expires_in":"1D"`, `,"expiration_time":"2001-01-01T00:00:00Z"`} {
			s := w.do("POST", collection, text, fmt.Sprintf(`{"user":{"name":%q}%s}`, user, more)).expect(t, http.StatusForbidden, "permission_denied")
			id := s.header.Get("X-Request-Id")
			s.header.Del("X-Request-Id")
			s.header.Del("Date")
			got := strings.ReplaceAll(fmt.Sprint(s.header, string(s.body)), id, "ID")
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("for %s: got %s, for an absent user %s", user, got, first)
			}
		}
	}
}
