package httpapi_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

const settingsPath = "/v1/settings"

// TestSettingsChangeOneByOne: a change sets the members that the body has, and
// answers all. An empty body changes nothing and writes nothing.
func TestSettingsChangeOneByOne(t *testing.T) {
	w := newScene(t)
	want := httpapi.Settings{TokenLimit: 5, RotationGrace: 86400, Retention: 400 * 86400, WarningDays: []int{30, 7, 1}, ChangeRate: 300}
	check := func(s answer) {
		t.Helper()
		if got := decodeAs[httpapi.Settings](t, s.expect(t, http.StatusOK, "")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", s.method, got, want)
		}
	}
	check(w.do("GET", settingsPath, w.admin, ""))
	for body, set := range map[string]func(){
		`{"token_limit":50}`:                     func() { want.TokenLimit = 50 },
		`{"expiration_timeout_seconds":7776000}`: func() { want.ExpirationTimeout = 7776000 },
		`{"rotation_grace_seconds":0}`:           func() { want.RotationGrace = 0 },
		`{"retention_seconds":9223372036}`:       func() { want.Retention = 9223372036 },
		`{"warning_days":[1,365,14]}`:            func() { want.WarningDays = []int{365, 14, 1} },
		`{"change_rate":1000000}`:                func() { want.ChangeRate = 1000000 },
		`{}`:                                     func() {},
		``:                                       func() {},
		`{"token_limit":null,"warning_days":null}`: func() {},
	} {
		set()
		before := w.contents()
		check(w.do("PATCH", settingsPath, w.admin, body))
		if silent := strings.Trim(body, "{}") == "" || strings.Contains(body, "null"); silent && w.contents() != before {
			t.Errorf("%q wrote to the store", body)
		}
	}
	check(w.do("GET", settingsPath, w.admin, ""))
	want.WarningDays = []int{}
	check(w.do("PATCH", settingsPath, w.admin, `{"warning_days":[]}`))
	w.do("PATCH", settingsPath, w.admin, `{"token_limit":0}`).expect(t, http.StatusOK, "")
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "token_limit_reached")
}

// TestEachBadSettingIsNamed with what is allowed. None of them changes anything.
func TestEachBadSettingIsNamed(t *testing.T) {
	w := newScene(t)
	before := w.do("GET", settingsPath, w.admin, "").body
	for _, c := range []struct{ body, code, field, allowed string }{
		{`{"token_limit":51}`, "invalid_field", "token_limit", "0 to 50"},
		{`{"token_limit":-1}`, "invalid_field", "token_limit", "0 to 50"},
		{`{"token_limit":"5"}`, "wrong_type", "token_limit", "whole number from 0 to 50"},
		{`{"token_limit":5.5}`, "wrong_type", "token_limit", "whole number from 0 to 50"},
		{`{"expiration_timeout_seconds":-1}`, "invalid_field", "expiration_timeout_seconds", "0 to 9223372036"},
		{`{"expiration_timeout_seconds":9223372037}`, "invalid_field", "expiration_timeout_seconds", "0 to 9223372036"},
		{`{"expiration_timeout_seconds":"90D"}`, "wrong_type", "expiration_timeout_seconds", "seconds"},
		{`{"rotation_grace_seconds":31536001}`, "invalid_field", "rotation_grace_seconds", "at most 31536000"},
		{`{"rotation_grace_seconds":-9223372036854775808}`, "invalid_field", "rotation_grace_seconds", "0 to 9223372036"},
		{`{"retention_seconds":-5}`, "invalid_field", "retention_seconds", "0 to 9223372036"},
		{`{"retention_seconds":1e30}`, "wrong_type", "retention_seconds", "seconds"},
		{`{"warning_days":[0]}`, "invalid_field", "warning_days", "from 1 to 365"},
		{`{"warning_days":[366]}`, "invalid_field", "warning_days", "from 1 to 365"},
		{`{"warning_days":[7,7]}`, "invalid_field", "warning_days", "different numbers"},
		{`{"warning_days":[1,2,3,4,5,6,7,8,9,10,11]}`, "invalid_field", "warning_days", "at most 10"},
		{`{"warning_days":7}`, "wrong_type", "warning_days", "list"},
		{`{"change_rate":1000001}`, "invalid_field", "change_rate", "0 to 1000000"},
		{`{"change_rate":-1}`, "invalid_field", "change_rate", "0 to 1000000"},
		{`{"tokenlimit":5}`, "unknown_member", "tokenlimit", "allowed: token_limit, "},
		{`{"token_limit":5,"token_limit":6}`, "malformed_json", "token_limit", "once"},
	} {
		p := w.do("PATCH", settingsPath, w.admin, c.body).expect(t, http.StatusBadRequest, c.code).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != c.field || !strings.Contains(p.Detail, c.allowed) {
			t.Errorf("%s: got %q %+v, want the field %s and %q", c.body, p.Detail, p.Errors, c.field, c.allowed)
		}
	}
	w.do("PATCH", settingsPath+"?dry_run=1", w.admin, `{"token_limit":9}`).expect(t, http.StatusBadRequest, "invalid_parameter")
	if after := w.do("GET", settingsPath, w.admin, "").body; string(after) != string(before) {
		t.Errorf("got %s, want %s", after, before)
	}
}

// callsOfUsers are the calls about settings and about the user ann, with bodies that
// change something.
var callsOfUsers = []struct{ method, path, body string }{
	{"GET", settingsPath, ""},
	{"PATCH", settingsPath, `{"token_limit":7}`},
	{"GET", "/v1/users/ann/permissions", ""},
	{"PUT", "/v1/users/ann/permissions", `{"permissions":["view"]}`},
	{"GET", "/v1/users/ann/limit", ""},
	{"PUT", "/v1/users/ann/limit", `{"token_limit":9}`},
	{"GET", "/v1/users/ann/suspension", ""},
	{"PUT", "/v1/users/ann/suspension", `{"reason":"stolen"}`},
	{"DELETE", "/v1/users/ann/suspension", ""},
	{"POST", "/v1/users/ann/offboard", ``},
}

// TestWhoMayCallWhatAboutAUser has the callers without a permission for each call.
// Each call is made on a new store.
func TestWhoMayCallWhatAboutAUser(t *testing.T) {
	const yes, no = "", "permission_denied"
	for _, c := range callsOfUsers {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			reads := c.method == "GET"
			when := func(allowed bool) string { return map[bool]string{true: yes, false: no}[allowed] }
			for _, caller := range []struct{ name, code string }{
				{"boss", yes}, {"stranger", no}, {"maker", no}, {"ann", when(reads && c.path != settingsPath)},
				{"viewer", when(reads)},
				{"editor", when(!strings.HasSuffix(c.path, "offboard"))},
				{"self", yes},
			} {
				w := newScene(t)
				w.change(settings.Grant{User: "boss", Actions: settings.Actions()})
				w.change(settings.Grant{User: "viewer", Actions: []string{"view"}})
				w.change(settings.Grant{User: "editor", Actions: []string{"view", "edit"}})
				w.change(settings.Grant{User: "maker", Actions: []string{"create", "delete"}})
				w.make(httpapi.CreateRequest{User: named("ann")})
				path, by := c.path, guard.Principal{Owner: caller.name}
				want := caller.code
				if caller.name == "self" { // an administrator about itself
					path, by.Owner = strings.Replace(path, "ann", "boss", 1), "boss"
					if strings.HasSuffix(path, "/suspension") && !reads || strings.HasSuffix(path, "/offboard") {
						want = "self_suspension"
					}
				}
				got := handle(w.afterAuthorizer(w.store), asPrincipal(requestWith(t, c.method, path, c.body), by))
				code := ""
				if got.status != http.StatusOK {
					code = got.problem(t).Code
				}
				if code != want {
					t.Errorf("as %s: got %d %s, want %q", caller.name, got.status, got.body, want)
				}
			}
			w := newScene(t)
			by := guard.Principal{Owner: "admin", Credential: guard.CredentialOutgoing}
			got := handle(w.afterAuthorizer(w.store), asPrincipal(requestWith(t, c.method, c.path, c.body), by))
			if !reads && got.problem(t).Code != "permission_denied_by_credential" {
				t.Errorf("with an outgoing secret: got %d %s", got.status, got.body)
			}
		})
	}
}

func requestWith(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRefusedCallersLearnNothingOfAUser: the answer about a user with tokens, a
// suspended user, a user with permissions and an absent user is the same.
func TestRefusedCallersLearnNothingOfAUser(t *testing.T) {
	w := newScene(t)
	w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("PUT", "/v1/users/sue/suspension", w.admin, "").expect(t, http.StatusOK, "")
	w.change(settings.Grant{User: "max", Actions: []string{"view", "edit"}})
	_, text := w.make(httpapi.CreateRequest{User: named("eve")})
	for _, c := range callsOfUsers[2:] {
		var first string
		for n, user := range []string{"nobody", "ann", "sue", "max"} {
			s := w.do(c.method, strings.Replace(c.path, "ann", user, 1), text, c.body).expect(t, http.StatusForbidden, "permission_denied")
			got := strings.ReplaceAll(string(s.body), s.header.Get("X-Request-Id"), "ID")
			if n == 0 {
				first = got
			}
			if got != first {
				t.Errorf("%s %s of %s: got %s, for an absent user %s", c.method, c.path, user, got, first)
			}
		}
	}
}

// TestALowerLimitEndsNothing of the settings or of a user: it blocks new tokens.
func TestALowerLimitEndsNothing(t *testing.T) {
	w := newScene(t)
	var texts []string
	for range 3 {
		_, text := w.make(httpapi.CreateRequest{User: named("ann")})
		texts = append(texts, text)
	}
	limit := func(method, body string) httpapi.Limit {
		return decodeAs[httpapi.Limit](t, w.do(method, "/v1/users/ann/limit", w.admin, body).expect(t, http.StatusOK, ""))
	}
	w.do("PATCH", settingsPath, w.admin, `{"token_limit":2}`).expect(t, http.StatusOK, "")
	if got := limit("GET", ""); got.TokenLimit != nil || got.Effective != 2 || got.LiveTokens != 3 || got.User.Name != "ann" {
		t.Errorf("got %+v", got)
	}
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "token_limit_reached")
	if got := limit("PUT", `{"token_limit":4}`); *got.TokenLimit != 4 || got.Effective != 4 {
		t.Errorf("got %+v", got)
	}
	w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "token_limit_reached")
	if got := limit("PUT", `{"token_limit":0}`); *got.TokenLimit != 0 || got.LiveTokens != 4 {
		t.Errorf("got %+v", got)
	}
	w.sleep(6 * time.Second) // the settings in a cache are older than 5 seconds
	for _, text := range texts {
		w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
	}
	if got := limit("PUT", `{"token_limit":null}`); got.TokenLimit != nil || got.Effective != 2 {
		t.Errorf("got %+v", got)
	}
	for _, body := range []string{``, `{}`, `{"token_limit":51}`, `{"token_limit":-1}`} {
		p := w.do("PUT", "/v1/users/ann/limit", w.admin, body).expect(t, http.StatusBadRequest, "invalid_field").problem(t)
		if !strings.Contains(p.Detail, "0 to 50") || p.Errors[0].Field != "token_limit" {
			t.Errorf("%s: got %+v", body, p)
		}
	}
	w.do("PUT", "/v1/users/ann/limit", w.admin, `{"token_limit":"5"}`).expect(t, http.StatusBadRequest, "wrong_type")
	w.do("PUT", "/v1/users/ann/suspension", w.admin, "").expect(t, http.StatusOK, "")
	listed := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=local:ann", w.admin, ""))
	if want := limit("GET", ""); !want.Suspended || !reflect.DeepEqual(listed.UserLimit, &want) {
		t.Errorf("a list of the user has the limit %+v, want %+v", listed.UserLimit, want)
	}
}
