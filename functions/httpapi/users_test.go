package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

func TestPermissionsAreSetAsAWhole(t *testing.T) {
	w := newScene(t)
	const path = "/v1/users/ad:Ann/permissions"
	for _, c := range []struct {
		body string
		want []string
	}{
		{`{"permissions":["edit","view","edit"]}`, []string{"view", "edit"}},
		{`{"permissions":["create"]}`, []string{"create"}},
		{`{"permissions":[]}`, []string{}},
	} {
		for _, s := range []answer{w.do("PUT", path, w.admin, c.body), w.do("GET", "/v1/users/ad:ANN/permissions", w.admin, "")} {
			got := decodeAs[httpapi.Permissions](t, s.expect(t, http.StatusOK, ""))
			if !slices.Equal(got.Permissions, c.want) || got.Permissions == nil || got.User.Domain != "ACTIVE_DIRECTORY" || got.User.Name != "ann" {
				t.Errorf("%s: got %s, want %v of ann", c.body, s.body, c.want)
			}
		}
	}
	for body, code := range map[string]string{
		``: "invalid_field", `{}`: "invalid_field", `{"permissions":null}`: "invalid_field", `{"permissions":["VIEW"]}`: "invalid_field",
		`{"permissions":"view"}`: "wrong_type", `{"permissions":["view"],"actions":[]}`: "unknown_member",
	} {
		p := w.do("PUT", path, w.admin, body).expect(t, http.StatusBadRequest, code).problem(t)
		if code == "invalid_field" && p.Errors[0].Field != "permissions" {
			t.Errorf("%s: got %+v, want the field permissions", body, p.Errors)
		}
	}
	w.do("PUT", "/v1/users/gid:7/permissions", w.admin, `{"permissions":[]}`).expect(t, http.StatusBadRequest, "invalid_field")
	w.do("PUT", "/v1/users/admin/permissions", w.admin, `{"permissions":["view"]}`).expect(t, http.StatusUnprocessableEntity, "last_edit_holder")
}

// TestEditGivesAndTakesOnlyWhatItHolds over HTTP.
func TestEditGivesAndTakesOnlyWhatItHolds(t *testing.T) {
	w := newScene(t)
	w.change(settings.Grant{User: "editor", Actions: []string{"view", "edit"}})
	w.change(settings.Grant{User: "maker", Actions: []string{"create"}})
	_, text := w.make(httpapi.CreateRequest{User: named("editor")})
	for _, c := range []struct {
		user, body string
		status     int
	}{
		{"ann", `["view","edit"]`, 200}, {"ann", `["view","create"]`, 403}, {"editor", `["view","edit","delete"]`, 403},
		{"maker", `[]`, 403}, {"maker", `["view","create"]`, 200}, {"ann", `[]`, 200}, {"admin", `["view"]`, 403},
	} {
		w.do("PUT", "/v1/users/"+c.user+"/permissions", text, `{"permissions":`+c.body+`}`).expect(t, c.status, "")
	}
}

func TestTooManyHoldersAreRefused(t *testing.T) {
	w := newScene(t)
	for n := range settings.MaxHolders - 1 {
		if n < 2 { // the rest would take long over HTTP
			w.do("PUT", "/v1/users/uid:"+string(rune('1'+n))+"/permissions", w.admin, `{"permissions":["view"]}`).expect(t, http.StatusOK, "")
			continue
		}
		w.change(settings.Grant{User: "u" + strings.Repeat("x", n%200) + string(rune('a'+n/200)), Actions: []string{"view"}})
	}
	w.do("PUT", "/v1/users/zoe/permissions", w.admin, `{"permissions":["view"]}`).expect(t, http.StatusUnprocessableEntity, "too_many_holders")
}

// TestSuspensionWorksOnTheNextCall, and a reinstatement brings back what did not end
// meanwhile.
func TestSuspensionWorksOnTheNextCall(t *testing.T) {
	w := newScene(t)
	first, text := w.make(httpapi.CreateRequest{User: named("ann")})
	second, other := w.make(httpapi.CreateRequest{User: named("ann")})
	_, bob := w.make(httpapi.CreateRequest{User: named("bob")})
	is := func(s answer, suspended bool, live int) {
		t.Helper()
		got := decodeAs[httpapi.Suspension](t, s.expect(t, http.StatusOK, ""))
		if got.Suspended != suspended || got.LiveTokens != live || got.User.Name != "ann" {
			t.Errorf("%s: got %s, want suspended %t and %d live", s.method, s.body, suspended, live)
		}
	}
	const path = "/v1/users/ann/suspension"
	is(w.do("GET", path, w.admin, ""), false, 2)
	is(w.do("PUT", path, w.admin, `{"reason":"the laptop was stolen"}`), true, 2)
	is(w.do("GET", path, w.admin, ""), true, 2)
	for _, shown := range []string{text, other} {
		w.do("GET", "/v1/session/who-am-i", shown, "").expect(t, http.StatusUnauthorized, "token_suspended")
		w.do("POST", collection, shown, "").expect(t, http.StatusUnauthorized, "token_suspended")
		checked := decodeAs[httpapi.Introspection](t, w.do("POST", "/v1/auth/authorize", w.admin, `{"token":"`+shown+`"}`))
		if checked.Active || checked.Reason != "token_suspended" {
			t.Errorf("got %+v", checked)
		}
	}
	w.do("GET", "/v1/session/who-am-i", bob, "").expect(t, http.StatusOK, "")
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "user_suspended")
	before := w.contents()
	is(w.do("PUT", path, w.admin, `{"reason":"again"}`), true, 2)
	if w.contents() != before {
		t.Error("a repeated suspension wrote to the store")
	}
	w.do("DELETE", collection+second.ID, w.admin, "").expect(t, http.StatusOK, "")
	is(w.do("DELETE", path, w.admin, ""), false, 1)
	is(w.do("DELETE", path, w.admin, ""), false, 1)
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
	w.do("GET", "/v1/session/who-am-i", other, "").expect(t, http.StatusUnauthorized, "token_revoked")
	history := string(w.do("GET", "/v1/users/ann/events", w.admin, "").body)
	if !strings.Contains(history, "the laptop was stolen") || !strings.Contains(history, first.ID) || strings.Contains(history, "again") {
		t.Errorf("got the history %s", history)
	}
	for body, code := range map[string]string{
		`{"reason":" "}`: "invalid_field", `{"reason":"` + strings.Repeat("x", 513) + `"}`: "invalid_field", `{"reason":"a\u0007b"}`: "invalid_field",
		`{"reason":"` + text + `"}`: "invalid_field", `{"reason":7}`: "wrong_type", `{"because":"x"}`: "unknown_member", `[]`: "malformed_json",
	} {
		for _, call := range [][2]string{{"PUT", path}, {"POST", "/v1/users/ann/offboard"}} {
			s := w.do(call[0], call[1], w.admin, body).expect(t, http.StatusBadRequest, code)
			if strings.Contains(string(s.body), strings.Split(text, ".")[1]) {
				t.Errorf("the answer has the secret: %s", s.body)
			}
		}
	}
	is(w.do("GET", path, w.admin, ""), false, 1)
}

// TestTheLastEditorIsNotSuspendedOverHTTP: others can be, and users cannot suspend
// themselves.
func TestTheLastEditorIsNotSuspendedOverHTTP(t *testing.T) {
	w := newScene(t)
	w.change(settings.Grant{User: "two", Actions: settings.Actions()})
	_, two := w.make(httpapi.CreateRequest{User: named("two")})
	w.do("PUT", "/v1/users/two/suspension", two, "").expect(t, http.StatusUnprocessableEntity, "self_suspension")
	w.do("POST", "/v1/users/two/offboard", two, "").expect(t, http.StatusUnprocessableEntity, "self_suspension")
	w.do("DELETE", "/v1/users/two/suspension", two, "").expect(t, http.StatusUnprocessableEntity, "self_suspension")
	w.do("PUT", "/v1/users/admin/suspension", two, "").expect(t, http.StatusOK, "")
	w.do("GET", settingsPath, w.admin, "").expect(t, http.StatusUnauthorized, "token_suspended")
	w.do("PUT", "/v1/users/two/permissions", two, `{"permissions":[]}`).expect(t, http.StatusUnprocessableEntity, "last_edit_holder")
	w.do("DELETE", "/v1/users/admin/suspension", two, "").expect(t, http.StatusOK, "")
	w.do("GET", settingsPath, w.admin, "").expect(t, http.StatusOK, "")
	w.do("POST", "/v1/users/two/offboard", w.admin, `{"reason":"left"}`).expect(t, http.StatusOK, "")
	w.do("GET", settingsPath, two, "").expect(t, http.StatusUnauthorized, "token_revoked")
}

// TestOffboardingEndsEverything, counts what it ended, and may be repeated.
func TestOffboardingEndsEverything(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	var texts []string
	for range 50 {
		_, text := w.make(httpapi.CreateRequest{User: named("ann")})
		texts = append(texts, text)
	}
	for _, ended := range []int{50, 0} {
		got := decodeAs[httpapi.Offboarding](t, w.do("POST", "/v1/users/ann/offboard", w.admin, `{"reason":"left"}`).expect(t, http.StatusOK, ""))
		if got.EndedTokens != ended || got.LiveTokens != 0 || !got.Suspended {
			t.Errorf("got %+v, want %d ended", got, ended)
		}
	}
	for _, text := range texts {
		w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_revoked")
	}
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "user_suspended")
}
