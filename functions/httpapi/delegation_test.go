package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// TestExpiringTokenOfAnAdministrator makes tokens in all ways that a request can
// ask for: a leaked one must not become a permanent one.
func TestExpiringTokenOfAnAdministrator(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{ExpiresIn: "60s"})
	ends := w.clock().Add(time.Minute)
	for _, body := range []string{``, `{}`, `{"expiration_time":""}`, `{"expires_in":null}`, `{"user":{"name":"admin"}}`} {
		made := decodeAs[httpapi.Created](t, w.do("POST", collection, text, body).expect(t, http.StatusOK, ""))
		if !made.ExpirationTime.Equal(ends) {
			t.Errorf("%q: the token expires at %v, want the maker's %v", body, made.ExpirationTime, ends)
		}
		w.do("DELETE", collection+made.ID, text, "").expect(t, http.StatusOK, "")
	}
	for _, body := range []string{
		`{"expires_in":"10Y"}`, `{"expires_in":"61s"}`, `{"expires_in":"2m","scopes":["GET /v1/*"]}`,
		`{"expiration_time":"9999-12-31T23:59:59Z"}`, `{"user":{"domain":"LOCAL","name":"admin"},"expires_in":"1D"}`,
	} {
		w.do("POST", collection, text, body).expect(t, http.StatusUnprocessableEntity, "expiry_outlives_maker")
	}
	made := decodeAs[httpapi.Created](t, w.do("POST", collection, text, `{"user":{"name":"ann"}}`).expect(t, http.StatusOK, ""))
	if !made.ExpirationTime.IsZero() {
		t.Errorf("another user's token expires at %v, want never", made.ExpirationTime)
	}
}

// TestCreateIsNotEveryPermission: a holder of create alone makes no token for a
// user who may do more.
func TestCreateIsNotEveryPermission(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{User: named("maker")})
	w.change(settings.Grant{User: "maker", Actions: []string{settings.ActionCreate}})
	for _, user := range []string{`{"name":"admin"}`, `{"domain":"LOCAL","name":"admin"}`, `{"auth_id":"admin"}`} {
		p := w.do("POST", collection, text, `{"user":`+user+`}`).expect(t, http.StatusForbidden, "permission_denied_by_owner").problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != "user" {
			t.Errorf("for %s: got the errors %+v, want one about user", user, p.Errors)
		}
	}
	for _, user := range []string{"ann", "maker"} {
		w.do("POST", collection, text, `{"user":{"name":"`+user+`"}}`).expect(t, http.StatusOK, "")
	}
}
