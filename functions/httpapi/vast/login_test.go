package vast_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"apitoken/events/secret"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
)

// hunter2 is a service where ann has the password hunter2.
type hunter2 struct{}

func (hunter2) Check(_ context.Context, user string, password secret.Secret, _ netip.Addr) error {
	if user == "ann" && password.Reveal() == "hunter2" {
		return nil
	}
	return machine.ErrPassword
}

func (w *scene) usePasswords() {
	c := w.config()
	c.Passwords = hunter2{}
	w.server.Config.Handler = machine.New(c, faces.All()...)
}

// TestALoginGivesWhatVASTsGoClientReads: access, and a refresh that continues nothing.
func TestALoginGivesWhatVASTsGoClientReads(t *testing.T) {
	w := newScene(t)
	w.usePasswords()
	for _, path := range []string{"/api/token/", "/api/v5/token", "/api/latest/token/"} {
		a := w.do("POST", path, "", `{"username":"ann","password":"hunter2"}`).expect(http.StatusOK)
		s := decodeAs[vast.Session](a)
		if _, err := secret.Parse(s.Access); err != nil || s.Refresh != "" || !strings.Contains(string(a.Body), `"refresh":""`) {
			t.Fatalf("%s: got %s", path, a.Body)
		}
		for _, scheme := range []string{"Bearer ", "Api-Token "} {
			w.send("GET", collection, http.Header{"Authorization": {scheme + s.Access}}, "").expect(http.StatusOK)
		}
		made := decodeAs[vast.Created](w.do("POST", collection, s.Access, `{}`).expect(http.StatusCreated))
		w.do("PATCH", collection+made.ID+"/revoke/", s.Access, "").expect(http.StatusOK)
	}
	if d := decodeAs[vast.Denied](w.do("POST", "/api/token/refresh/", "", `{"refresh":""}`).expect(http.StatusUnauthorized)); d.Code != "password_unsupported" || !strings.Contains(d.Detail, "Log in again") {
		t.Errorf("got %+v", d)
	}
	if d := decodeAs[vast.Denied](w.do("POST", "/api/token/", "", `{"username":"ann","password":"hunter3"}`).expect(http.StatusUnauthorized)); d.Code != "password_invalid" {
		t.Errorf("got %+v", d)
	}
	for body, says := range map[string]string{
		`{"username":"ann"}`: "password is missing", `{"username":"ann","password":"` + w.admin + `"}`: "contains a token",
		`{"username":"ann","password":"hunter2","tenant":1}`: "tenant is unknown; allowed: username, password.", `[]`: "must be one JSON object",
	} {
		if a := w.do("POST", "/api/token/", "", body).expect(http.StatusBadRequest); !strings.Contains(a.message(), says) || strings.Contains(a.message(), w.admin[9:]) {
			t.Errorf("%s: got %s", body, a.Body)
		}
	}
	basic := http.Header{"Authorization": {"Basic YW5uOmh1bnRlcjI="}} // ann:hunter2
	if d := decodeAs[vast.Denied](w.send("GET", collection, basic, "").expect(http.StatusUnauthorized)); d.Code != "password_unsupported" || !strings.Contains(d.Detail, "VMS_TOKEN") {
		t.Errorf("got %+v", d)
	}
	if text := w.log.String(); strings.Contains(text, "hunter") || strings.Contains(text, w.admin[9:]) {
		t.Errorf("the log has a secret:\n%s", text)
	}
}
