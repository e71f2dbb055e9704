package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// TestAnExpiringTokenProlongsNothing: not its own life, and not that of another
// token of its user, whatever permissions the user holds. It may shorten both.
func TestAnExpiringTokenProlongsNothing(t *testing.T) {
	w := newScene(t)
	own, text := w.make(httpapi.CreateRequest{ExpiresIn: "1h"})
	other, _ := w.make(httpapi.CreateRequest{ExpiresIn: "30m"})
	for _, id := range []string{own.ID, other.ID} {
		for _, body := range []string{
			`{"expiration_time":null}`, `{"expiration_time":""}`, `{"expires_in":"2h"}`, `{"expires_in":"3601s"}`, `{"expiration_time":"9999-12-31T23:59:59Z"}`,
			`{"name":"x","enabled":false,"expires_in":"1Y"}`,
		} {
			w.do("PATCH", collection+id, text, body).expect(t, http.StatusUnprocessableEntity, "expiry_outlives_maker")
		}
		w.do("PATCH", collection+id, text, `{"name":"x","expires_in":"20m"}`).expect(t, http.StatusOK, "")
	}
	w.do("PATCH", collection+other.ID, text, `{"expires_in":"1h"}`).expect(t, http.StatusUnprocessableEntity, "expiry_outlives_maker") // the maker's is 20m now
	never, _ := w.make(httpapi.CreateRequest{})
	w.do("PATCH", collection+never.ID, text, `{"name":"y","expiration_time":null}`).expect(t, http.StatusOK, "") // as it is
	w.sleep(20 * time.Minute)
	for _, id := range []string{own.ID, other.ID} {
		w.do("PATCH", collection+id, w.admin, `{"expires_in":"1Y"}`).expect(t, http.StatusConflict, "token_ended")
	}
}

// TestAHolderOfCreateAndEditProlongsItsPowerThroughAnotherUser: the README says so.
func TestAHolderOfCreateAndEditProlongsItsPowerThroughAnotherUser(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{ExpiresIn: "1h"})
	anns, _ := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h"})
	e := decodeAs[httpapi.Entry](t, w.do("PATCH", collection+anns.ID, text, `{"expiration_time":null}`).expect(t, http.StatusOK, ""))
	if !e.ExpirationTime.IsZero() {
		t.Errorf("got %+v", e)
	}
}

// TestEditWithoutCreateOnlyNarrows: more would be like a new secret, because the
// caller may know the secret of the token.
func TestEditWithoutCreateOnlyNarrows(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{User: named("editor")})
	w.change(settings.Grant{User: "editor", Actions: []string{settings.ActionView, settings.ActionEdit}})
	made, _ := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1Y", Scopes: []string{"GET /v1/*"}, SourceIPs: []string{"10.0.0.0/8"}})
	for _, body := range []string{
		`{"scopes":[]}`, `{"scopes":["GET /v1/*","POST /v1/x"]}`, `{"scopes":["* /v1/*"]}`, `{"source_ips":[]}`, `{"source_ips":["10.0.0.0/7"]}`,
		`{"expiration_time":null}`, `{"expires_in":"2Y"}`, `{"scopes":["GET /v1/x"],"expires_in":"366D"}`,
	} {
		p := w.do("PATCH", collection+made.ID, text, body).expect(t, http.StatusForbidden, "permission_denied").problem(t)
		if len(p.Errors) != 0 {
			t.Errorf("%s: got the errors %+v about members that the request does not have", body, p.Errors)
		}
	}
	for _, body := range []string{
		`{"scopes":["GET /v1/x"]}`, `{"source_ips":["10.1.0.0/16","10.2.0.1"]}`, `{"expires_in":"1D"}`, `{"name":"n","description":"d"}`,
		`{"enabled":false}`, `{"enabled":true}`, `{"previous_secret_until":""}`,
	} {
		w.do("PATCH", collection+made.ID, text, body).expect(t, http.StatusOK, "")
	}
	w.change(settings.Grant{User: "editor", Actions: []string{settings.ActionView, settings.ActionEdit, settings.ActionCreate}})
	w.do("PATCH", collection+made.ID, text, `{"scopes":[],"source_ips":[],"expiration_time":null}`).expect(t, http.StatusOK, "")
}

// TestEveryRefusalOfAnUpdate has each code that the document names for a PATCH. No
// refused request changes the token.
func TestEveryRefusalOfAnUpdate(t *testing.T) {
	w := newScene(t)
	w.change(settings.Grant{User: "viewer", Actions: []string{settings.ActionView}})
	w.change(settings.Grant{User: "editor", Actions: []string{settings.ActionView, settings.ActionCreate, settings.ActionEdit}})
	w.change(settings.Change{Expiration: new(400 * 24 * time.Hour)})
	token := func(user string, in httpapi.CreateRequest) (string, string) {
		in.User = named(user)
		made, text := w.make(in)
		return made.ID, text
	}
	ann, _ := token("ann", httpapi.CreateRequest{})
	_, viewer := token("viewer", httpapi.CreateRequest{})
	_, editor := token("editor", httpapi.CreateRequest{})
	_, scoped := token("ann", httpapi.CreateRequest{Scopes: []string{"* /v1/*"}})
	_, bound := token("ann", httpapi.CreateRequest{SourceIPs: []string{"127.0.0.0/8"}})
	narrow, _ := token("ann", httpapi.CreateRequest{Scopes: []string{"GET /v1/x"}, SourceIPs: []string{"127.0.0.1"}})
	_, short := token("bob", httpapi.CreateRequest{ExpiresIn: "1D"})
	bob, _ := token("bob", httpapi.CreateRequest{ExpiresIn: "1h"})
	revoked, _ := token("bob", httpapi.CreateRequest{})
	w.do("DELETE", collection+revoked, w.admin, "").expect(t, 200, "")
	expired, _ := token("cid", httpapi.CreateRequest{ExpiresIn: "1s"})
	w.sleep(time.Second)
	dave, _ := token("dave", httpapi.CreateRequest{})
	if err := w.issuer.Suspend(t.Context(), guard.Principal{Owner: "admin"}, "dave", ""); err != nil {
		t.Fatal(err)
	}
	admins := strings.SplitN(w.admin, ".", 2)[0]
	long := strings.Repeat("x", 128)
	for _, c := range []struct {
		id, by, body string
		status       int
		code, field  string
	}{
		{ann, w.admin, `{"name":`, 400, "malformed_json", ""},
		{ann, w.admin, `[]`, 400, "malformed_json", ""},
		{ann, w.admin, `{"name":"a","name":"b"}`, 400, "malformed_json", "name"},
		{ann, w.admin, `{"user":{"name":"bob"}}`, 400, "unknown_member", "user"},
		{ann, w.admin, `{"state":"revoked"}`, 400, "unknown_member", "state"},
		{ann, w.admin, `{"name":1}`, 400, "wrong_type", "name"},
		{ann, w.admin, `{"enabled":"false"}`, 400, "wrong_type", "enabled"},
		{ann, w.admin, `{"enabled":0}`, 400, "wrong_type", "enabled"},
		{ann, w.admin, `{"expiration_time":5}`, 400, "wrong_type", "expiration_time"},
		{ann, w.admin, `{"scopes":"GET /"}`, 400, "wrong_type", "scopes"},
		{ann, w.admin, `{"previous_secret_until":true}`, 400, "wrong_type", "previous_secret_until"},
		{ann, w.admin, `{"name":"  "}`, 400, "invalid_field", "name"},
		{ann, w.admin, `{"description":"\u202e"}`, 400, "invalid_field", "description"},
		{ann, w.admin, `{"name":"` + w.admin + `"}`, 400, "invalid_field", "name"},
		{ann, w.admin, `{"expiration_time":"tomorrow"}`, 400, "invalid_field", "expiration_time"},
		{ann, w.admin, `{"expires_in":"1"}`, 400, "invalid_field", "expires_in"},
		{ann, w.admin, `{"expires_in":"1D","expiration_time":"2027-01-01T00:00:00Z"}`, 400, "invalid_field", "expires_in"},
		{ann, w.admin, `{"expires_in":"1D","expiration_time":null}`, 400, "invalid_field", "expires_in"},
		{ann, w.admin, `{"expires_in":"1D","expiration_time":""}`, 400, "invalid_field", "expires_in"},
		{ann, w.admin, `{"scopes":[null]}`, 400, "invalid_field", "scopes"},
		{ann, w.admin, `{"scopes":["get /"]}`, 400, "invalid_field", "scopes"},
		{ann, w.admin, `{"source_ips":["10.0.0.0/33"]}`, 400, "invalid_field", "source_ips"},
		{ann, w.admin, `{"previous_secret_until":"2027-01-01T00:00:00Z"}`, 400, "invalid_field", "previous_secret_until"},
		{ann + "?force=true", w.admin, `{}`, 400, "invalid_parameter", "force"},
		{ann, viewer, `{}`, 403, "permission_denied", ""},
		{admins, editor, `{"description":"d"}`, 200, "", ""},
		{admins, editor, `{"expires_in":"9Y"}`, 422, "expiry_exceeds_maximum", "expires_in"},
		{ann, w.admin, `{"name":"` + strings.Repeat("x", 70000) + `"}`, 413, "body_too_large", ""},
		{"zzzzzzzz", w.admin, `{}`, 404, "not_found", ""},
		{ann, short, `{}`, 404, "not_found", ""},
		{revoked, w.admin, `{}`, 404, "not_found_revoked", ""},
		{revoked, viewer, `{}`, 404, "not_found_revoked", ""},
		{expired, w.admin, `{}`, 409, "token_ended", ""},
		{dave, w.admin, `{}`, 409, "user_suspended", ""},
		{dave, w.admin, `{"enabled":true}`, 409, "user_suspended", ""},
		{ann, w.admin, `{"expiration_time":"2001-01-01T00:00:00Z"}`, 422, "expiry_in_past", "expiration_time"},
		{ann, w.admin, `{"expires_in":"1s"}`, 422, "expiry_in_past", "expires_in"},
		{ann, w.admin, `{"expires_in":"401D"}`, 422, "expiry_exceeds_maximum", "expires_in"},
		{ann, w.admin, `{"expiration_time":null}`, 422, "expiry_exceeds_maximum", "expiration_time"},
		{bob, short, `{"expires_in":"2D"}`, 422, "expiry_outlives_maker", "expires_in"},
		{ann, scoped, `{"name":"x"}`, 422, "scope_exceeds_maker", "scopes"},
		{narrow, scoped, `{"scopes":["GET /v2/x"]}`, 422, "scope_exceeds_maker", "scopes"},
		{ann, bound, `{"name":"x"}`, 422, "source_ips_exceed_maker", "source_ips"},
		{narrow, bound, `{"source_ips":["10.0.0.1"]}`, 422, "source_ips_exceed_maker", "source_ips"},
		{ann, w.admin, `{"scopes":[` + strings.Repeat(`"GET /`+long[:120]+`",`, 15) + `"GET /"],"name":"` + long + `","description":"` + strings.Repeat(`\"`, 512) + `","source_ips":[` + ranges(16) + `]}`, 422, "state_too_large", ""},
	} {
		before := w.do("GET", collection+ann, w.admin, "")
		got := w.do("PATCH", collection+c.id, c.by, c.body).expect(t, c.status, c.code)
		if c.code == "" {
			continue
		}
		if p := got.problem(t); c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field) {
			t.Errorf("%.80s: got the errors %+v, want one about %s", c.body, p.Errors, c.field)
		}
		if after := w.do("GET", collection+ann, w.admin, ""); string(after.body) != string(before.body) {
			t.Errorf("%.80s: it changed the token to %s", c.body, after.body)
		}
	}
	w.change(settings.Grant{User: "editor", Actions: []string{settings.ActionView, settings.ActionEdit, settings.ActionCreate}})
	w.do("PATCH", collection+narrowOf(w, "admin"), editor, `{"scopes":[]}`).expect(t, http.StatusForbidden, "permission_denied_by_owner")
	header := http.Header{"Authorization": {"Bearer " + w.admin}, "Content-Encoding": {"gzip"}}
	w.send("PATCH", collection+ann, header, strings.NewReader("x")).expect(t, http.StatusUnsupportedMediaType, "encoding_unsupported")
	w.change(settings.Change{ChangeRate: new(1)})
	w.do("PATCH", collection+ann, w.admin, `{"name":"y"}`).expect(t, http.StatusTooManyRequests, "change_rate_exceeded")
	w.do("PATCH", collection+ann, w.admin, `{"enabled":false}`).expect(t, http.StatusOK, "")
	w.do("PATCH", collection+ann, w.admin, `{"enabled":true}`).expect(t, http.StatusTooManyRequests, "change_rate_exceeded")
}

// narrowOf makes a scoped token of the user.
func narrowOf(w *scene, user string) string {
	w.t.Helper()
	made, _ := w.make(httpapi.CreateRequest{User: named(user), Scopes: []string{"GET /v1/x"}})
	return made.ID
}

// ranges is a JSON list of long address ranges, without its brackets.
func ranges(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"1111:2222:3333:4444:5555:6666:7777:%x/128"`, 0x8000+i)
	}
	return strings.Join(all, ",")
}
