package vast_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
)

// TestEveryCodeHasAFormThatTheClientsRead: a JSON string, or an object with detail and
// code, and never another value. VAST's Go client repeats a request after a 403
// without the word permission_denied, and fails on a bare null or true.
func TestEveryCodeHasAFormThatTheClientsRead(t *testing.T) {
	for _, code := range machine.Codes() {
		f := vast.Face().Form(machine.NewProblem(code, "A detail."))
		body, err := json.Marshal(f.Body)
		if err != nil {
			t.Fatal(err)
		}
		var text string
		var denied vast.Denied
		isText := json.Unmarshal(body, &text) == nil && text != ""
		isDenied := json.Unmarshal(body, &denied) == nil && denied.Detail != "" && denied.Code == code
		if isText == isDenied || f.Type != "application/json" {
			t.Errorf("%s: got %s of type %s", code, body, f.Type)
		}
		if (f.Status == http.StatusForbidden) != bytes.Contains(body, []byte("permission_denied")) {
			t.Errorf("%s: got %d %s", code, f.Status, body)
		}
		if want := statusOf(code); f.Status != want {
			t.Errorf("%s: got the status %d, want %d", code, f.Status, want)
		}
		if wantObject := slices.Contains([]int{401, 403, 405}, f.Status) || code == "path_not_found"; wantObject != isDenied {
			t.Errorf("%s: got %d %s, want an object: %t", code, f.Status, body, wantObject)
		}
	}
}

// statusOf is the status that VAST's schema has for a code.
func statusOf(code string) int {
	switch status := machine.StatusOf(code); {
	case code == "token_limit_reached":
		return http.StatusServiceUnavailable
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity:
		return http.StatusBadRequest
	default:
		return status
	}
}

// TestRefusedCredentialsAreDenied: 401 with the code of the reason and with challenges.
func TestRefusedCredentialsAreDenied(t *testing.T) {
	w := newScene(t)
	_, revoked := w.mint("ann", token.Wish{})
	w.do("PATCH", collection+revoked[:8]+"/revoke/", w.admin, "").expect(http.StatusOK)
	_, expired := w.mint("ann", token.Wish{ExpiresIn: time.Second})
	id, disabled := w.mint("ann", token.Wish{})
	if _, err := w.issuer.Update(t.Context(), root, id, token.Update{Enabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	_, suspended := w.mint("sue", token.Wish{})
	if _, err := w.issuer.Suspend(t.Context(), root, "sue", ""); err != nil {
		t.Fatal(err)
	}
	w.sleep(time.Minute)
	for code, values := range map[string][]string{
		"credential_missing": nil, "credential_repeated": {"Api-Token " + w.admin, "Api-Token " + w.admin}, "scheme_unsupported": {"Digest x"}, "token_malformed": {"Api-Token x"},
		"token_invalid": {"Api-Token JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"}, "token_revoked": {"Api-Token " + revoked}, "token_expired": {"Api-Token " + expired},
		"token_disabled": {"api-token " + disabled}, "token_suspended": {"Api-Token " + suspended},
		"password_unsupported": {"Basic " + base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))},
	} {
		for _, c := range [][2]string{{"GET", collection}, {"POST", collection}, {"PATCH", collection + "JhxND7ci/revoke/"}, {"GET", "/api/vms/1/pwd_settings/"}} {
			a := w.send(c[0], c[1], http.Header{"Authorization": values}, "").expect(http.StatusUnauthorized)
			if d := decodeAs[vast.Denied](a); d.Code != code || len(a.Header.Values("Www-Authenticate")) == 0 {
				t.Errorf("%s %s with %q: got %s, want the code %s", c[0], c[1], values, a.Body, code)
			}
		}
	}
}

// TestPasswordsAreRefusedWithTheWayToUseAToken: both in Basic and in a login.
func TestPasswordsAreRefusedWithTheWayToUseAToken(t *testing.T) {
	w := newScene(t)
	basic := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))}}
	for _, a := range []answer{
		w.send("GET", collection, basic, ""), w.send("POST", collection, basic, `{"name":"x"}`),
		w.do("POST", "/api/token/", "", `{"username":"admin","password":"hunter2"}`), w.do("POST", "/api/v5/token/refresh/", "", `{"refresh":"x"}`),
		w.do("POST", "/api/token/", "", "not JSON"), w.do("POST", "/api/token/", w.admin, ""),
	} {
		if d := decodeAs[vast.Denied](a.expect(http.StatusUnauthorized)); d.Code != "password_unsupported" || !strings.Contains(d.Detail, "token=TOKEN") || !strings.Contains(d.Detail, "VMS_TOKEN") {
			t.Errorf("%s %s: got %s", a.Method, a.Path, a.Body)
		}
	}
	for _, credential := range []string{"x:" + w.admin, w.admin + ":"} { // a token is no password
		header := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credential))}}
		w.send("GET", collection, header, "").expect(http.StatusOK)
	}
	if strings.Contains(w.log.String(), "hunter2") {
		t.Error("the log has the password")
	}
}

// TestPermissionsOnTheTokensOfOthers: the realm is security, as VAST's.
func TestPermissionsOnTheTokensOfOthers(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	actions := []string{settings.ActionView, settings.ActionCreate, settings.ActionEdit, settings.ActionDelete}
	callers := map[string][]string{"none": nil, "all": actions}
	for _, a := range actions {
		callers["only "+a] = []string{a}
		callers["view and "+a] = []string{settings.ActionView, a}
	}
	for caller, holds := range callers {
		user := strings.ReplaceAll(caller, " ", "-")
		w.change(settings.Grant{User: user, Actions: holds})
		_, text := w.mint(user, token.Wish{})
		has := func(needed ...string) bool {
			return !slices.ContainsFunc(needed, func(a string) bool { return !slices.Contains(holds, a) })
		}
		check := func(what string, a answer, success int, allowed bool) {
			t.Helper()
			switch {
			case allowed && a.Status != success:
				t.Errorf("%s, %s: got %d %s, want %d", caller, what, a.Status, a.Body, success)
			case !allowed && has(settings.ActionView) || !allowed && (what == "create" || what == "settings"):
				if a.Status != http.StatusForbidden || !strings.HasPrefix(decodeAs[vast.Denied](a).Code, "permission_denied") {
					t.Errorf("%s, %s: got %d %s, want 403", caller, what, a.Status, a.Body)
				}
			case !allowed && (a.Status != http.StatusNotFound || a.message() != "API key not found"):
				t.Errorf("%s, %s: got %d %s, want 404", caller, what, a.Status, a.Body)
			}
		}
		target, _ := w.mint("target", token.Wish{ExpiresIn: 10 * 24 * time.Hour})
		item := collection + target + "/"
		check("create", w.do("POST", collection, text, `{"owner":"target"}`), http.StatusCreated, has(settings.ActionCreate))
		check("show", w.do("GET", item, text, ""), http.StatusOK, has(settings.ActionView))
		check("rename", w.do("PATCH", item, text, `{"name":"y"}`), http.StatusOK, has(settings.ActionView, settings.ActionEdit))
		check("shorten", w.do("PATCH", item, text, `{"expiry_date":"9D"}`), http.StatusOK, has(settings.ActionView, settings.ActionEdit))
		check("extend", w.do("PATCH", item, text, `{"expiry_date":"20D"}`), http.StatusOK, has(settings.ActionView, settings.ActionEdit, settings.ActionCreate))
		check("revoke", w.do("PATCH", item+"revoke/", text, ""), http.StatusOK, has(settings.ActionView, settings.ActionDelete))
		check("settings", w.do("PATCH", "/api/vms/1/set_max_api_tokens_per_user/", text, `{"max_api_tokens_per_user":50}`), http.StatusOK, has(settings.ActionEdit))
		check("settings", w.do("PATCH", "/api/vms/1/pwd_settings/", text, `{"pwd_expiration_timeout_enabled":false}`), http.StatusOK, has(settings.ActionEdit))
		check("settings", w.do("GET", "/api/vms/1/pwd_settings/", text, ""), http.StatusOK, has(settings.ActionEdit) || has(settings.ActionView))
		own := w.make(text, `{"name":"mine"}`) // each caller manages its own tokens
		w.do("PATCH", collection+own.ID+"/", text, `{"name":"still mine"}`).expect(http.StatusOK)
		w.do("PATCH", collection+own.ID+"/revoke/", text, "").expect(http.StatusOK)
	}
}

// TestAnothersTokenIsAMissingOne: byte for byte, for a caller that may not see it.
func TestAnothersTokenIsAMissingOne(t *testing.T) {
	w := newScene(t)
	live, _ := w.mint("ann", token.Wish{})
	revoked, _ := w.mint("ann", token.Wish{})
	w.do("PATCH", collection+revoked+"/revoke/", w.admin, "").expect(http.StatusOK)
	expired, _ := w.mint("ann", token.Wish{ExpiresIn: time.Second})
	w.sleep(time.Minute)
	_, bob := w.mint("bob", token.Wish{})
	for _, c := range []struct{ method, suffix, body string }{
		{"GET", "/", ""}, {"PATCH", "/", `{"name":"x"}`}, {"PATCH", "/", `{"expiry_date":"9D"}`}, {"PATCH", "/", ""}, {"PATCH", "/revoke/", ""},
	} {
		missing := w.do(c.method, collection+"JhxND7ci"+c.suffix, bob, c.body).expect(http.StatusNotFound)
		for _, id := range []string{live, revoked, expired, "admin", "self", "x", "%00", "JhxND7c%69", strings.Repeat("x", 200)} {
			a := w.do(c.method, collection+id+c.suffix, bob, c.body)
			for _, h := range []http.Header{a.Header, missing.Header} {
				h.Del("X-Request-Id")
				h.Del("Date")
			}
			if a.Status != missing.Status || !bytes.Equal(a.Body, missing.Body) || len(a.Header) != len(missing.Header) {
				t.Errorf("%s %s%s: got %d %s %v, want %d %s %v", c.method, id, c.suffix, a.Status, a.Body, a.Header, missing.Status, missing.Body, missing.Header)
			}
		}
	}
}

// TestScopesAreComparedWithThePathAsItWasSent: a scope for one version of the path is
// no scope for another version.
func TestScopesAreComparedWithThePathAsItWasSent(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct {
		scope, method, path string
		allowed             bool
	}{
		{"GET /api/latest/apitokens", "GET", "/api/latest/apitokens/", true},
		{"GET /api/latest/apitokens", "GET", "/api/latest/apitokens", true},
		{"GET /api/latest/apitokens", "GET", "/api/apitokens/", false},
		{"GET /api/latest/apitokens", "GET", "/api/v5/apitokens/", false},
		{"GET /api/latest/apitokens", "POST", "/api/latest/apitokens/", false},
		{"GET /api/apitokens", "GET", "/api/latest/apitokens/", false},
		{"GET /api/latest/*", "GET", "/api/latest/apitokens/", true},
		{"GET /api/*", "GET", "/api/v5/apitokens/", true},
		{"* /api/*", "GET", "/api/apitokens", true},
		{"GET /v1/*", "GET", "/api/latest/apitokens/", false},
		{"GET /v1/auth/access-tokens", "GET", "/api/apitokens/", false},
		{"GET /api/*", "GET", "/v1/auth/access-tokens", false},
		{"GET /api/things", "GET", "/api/openapi.yaml", true}, // the document needs no scope
	} {
		_, text := w.mint("ann", token.Wish{Scopes: []string{c.scope}})
		a := w.do(c.method, c.path, text, "")
		if (a.Status == http.StatusOK) != c.allowed {
			t.Errorf("%s for %s %s: got %d %s", c.scope, c.method, c.path, a.Status, a.Body)
		}
		if !c.allowed && strings.HasPrefix(c.path, "/api/") && (a.Status != http.StatusForbidden || decodeAs[vast.Denied](a).Code != "permission_denied_by_scope") {
			t.Errorf("%s for %s %s: got %d %s, want 403 permission_denied_by_scope", c.scope, c.method, c.path, a.Status, a.Body)
		}
		w.do("PATCH", collection+text[:8]+"/revoke/", w.admin, "").expect(http.StatusOK)
	}
}

// TestOtherSpellingsOfAPathReachNoRoute: neither of VAST's form nor of the service's own,
// also for a token without scopes.
func TestOtherSpellingsOfAPathReachNoRoute(t *testing.T) {
	w := newScene(t)
	id, text := w.mint("ann", token.Wish{})
	for _, path := range []string{
		"/api/latest/latest/apitokens/", "/api/v1/v2/apitokens/", "/api/latest/v1/apitokens/", "/api/v/apitokens/", "/api/v-1/apitokens/", "/api/v%D9%A5/apitokens/",
		"/API/apitokens/", "/api/LATEST/apitokens/", "/api/V5/apitokens/", "/latest/apitokens/", "/api/latest/", "/api/",
		"//api/apitokens/", "/api//apitokens/", "/api/latest//apitokens/", "/api/./apitokens/", "/api/latest/../apitokens/", "/api/latest/%2e/apitokens/",
		"/api/../v1/auth/access-tokens/", "/api/latest/../../v1/auth/access-tokens/", "/api/%2e%2e/v1/auth/access-tokens/", "/api/..;/v1/auth/access-tokens/",
		"/api;x/apitokens/", "/api/latest;x/apitokens/", "/api/apitokens;x/", "/api%2Fapitokens/", "/api%2Flatest%2Fapitokens/", "/api/latest%2Fapitokens/", "/api/apitokens%2F", "/api/apitokens/%2F",
		"/api/%6Catest/apitokens/", "/api/v%35/apitokens/", "/%61pi/latest/apitokens/", `/api\latest\apitokens/`,
		"/api/v1/auth/access-tokens/", "/api/latest/v1/auth/access-tokens/", "/v1/latest/auth/access-tokens/", "/api/healthz", "/api/latest/healthz", "/api/v1/version",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PATCH"} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
			if r.URL.Path, r.URL.RawPath = path, path; strings.Contains(path, "%") {
				r.URL.Path, _ = url.PathUnescape(path)
			}
			r.Header.Set("Authorization", "Api-Token "+text)
			rec := httptest.NewRecorder()
			w.server.Config.Handler.ServeHTTP(rec, r)
			if line := w.log.Last(t); rec.Code != http.StatusNotFound || line["code"] != "path_not_found" || line["operation"] != "none" {
				t.Errorf("%s %s: got %d with the log line %v, want 404 path_not_found", method, path, rec.Code, line)
			}
		}
	}
	// An encoded slash is a part of the id: this revokes nothing.
	w.do("PATCH", collection+id+"%2Frevoke", text, "{}").expect(http.StatusNotFound)
	if w.show(id).Revoked {
		t.Error("the token is revoked")
	}
}

// TestBoundTokens: a token is bound to addresses and scopes on this face too. It makes
// no token here, and the answer says why.
func TestBoundTokens(t *testing.T) {
	w := newScene(t)
	_, elsewhere := w.mint("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for _, c := range [][2]string{{"GET", collection}, {"POST", collection}, {"GET", "/api/openapi.yaml"}} {
		a := w.do(c[0], c[1], elsewhere, "").expect(http.StatusForbidden)
		if d := decodeAs[vast.Denied](a); d.Code != "permission_denied_by_source" {
			t.Errorf("%s %s: got %s", c[0], c[1], a.Body)
		}
	}
	_, here := w.mint("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	_, scoped := w.mint("ann", token.Wish{Scopes: []string{"* /api/*"}})
	for _, text := range []string{here, scoped} {
		w.do("GET", collection, text, "").expect(http.StatusOK)
		a := w.do("POST", collection, text, "").expect(http.StatusBadRequest)
		if !strings.Contains(a.message(), "VAST's form cannot give a token any") {
			t.Errorf("got %s", a.Body)
		}
		w.do("PATCH", collection+text[:8]+"/revoke/", text, "").expect(http.StatusOK)
	}
}

// TestReplacedSecretManagesNothing: 403, and not 401, because it still authenticates.
func TestReplacedSecretManagesNothing(t *testing.T) {
	w := newScene(t)
	id, old := w.mint("ann", token.Wish{})
	if _, _, err := w.issuer.Rotate(t.Context(), guard.Principal{Owner: "ann"}, id, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.do("GET", collection, old, "").expect(http.StatusOK)
	for _, c := range [][2]string{{"POST", collection}, {"PATCH", collection + id + "/revoke/"}} {
		if d := decodeAs[vast.Denied](w.do(c[0], c[1], old, "").expect(http.StatusForbidden)); d.Code != "permission_denied_by_credential" {
			t.Errorf("%s %s: got the code %s", c[0], c[1], d.Code)
		}
	}
}

// TestSecretsReachNeitherLogsNorAnswers: wherever a client puts one by mistake.
func TestSecretsReachNeitherLogsNorAnswers(t *testing.T) {
	w := newScene(t)
	_, text := w.mint("ann", token.Wish{})
	secret := text[9:]
	escaped := strings.Replace(text, ".", "%2E", 1)
	item := collection + w.make(w.admin, `{}`).ID + "/"
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", collection + text + "/", "", 400}, {"GET", collection + escaped + "/", "", 400}, {"PATCH", collection + text + "/revoke/", "", 400}, {"PATCH", collection + text + "/", `{}`, 400},
		{"GET", "/api/latest/vms/" + text + "/pwd_settings/", "", 400}, {"GET", "/api/" + text, "", 400}, {"GET", "/api/latest/users/" + text + "/", "", 400},
		{"GET", collection + "?token=" + text, "", 400}, {"GET", collection + "?name=" + text, "", 400}, {"GET", collection + "?owner=" + escaped, "", 400}, {"GET", collection + "?page=" + text, "", 400},
		{"GET", collection + "?archived=" + text, "", 400}, {"GET", collection + "?" + text + "=1", "", 400},
		{"POST", collection, `{"name":"` + text + `"}`, 400}, {"POST", collection, `{"owner":"` + text + `"}`, 400}, {"POST", collection, `{"expiry_date":"` + text + `"}`, 400}, {"POST", collection, `{"` + text + `":1}`, 400},
		{"POST", collection, `{"name":{"x":"` + text + `"}}`, 400}, {"POST", collection, text, 400}, {"PATCH", item, `{"name":"` + text + `"}`, 400}, {"PATCH", item, `{"expiry_date":"` + text + `"}`, 400},
		{"PATCH", "/api/vms/1/pwd_settings/", `{"pwd_expiration_timeout":"` + text + `"}`, 400}, {"PATCH", "/api/vms/1/set_max_api_tokens_per_user/", `{"max_api_tokens_per_user":"` + text + `"}`, 400},
		{"POST", "/api/token/", `{"username":"ann","password":"` + text + `"}`, 401},
	} {
		a := w.do(c.method, c.path, w.admin, c.body)
		if a.Status != c.status || bytes.Contains(a.Body, []byte(secret)) {
			t.Errorf("%s %s %s: got %d %s, want %d without the secret", c.method, c.path, c.body, a.Status, a.Body, c.status)
		}
	}
	w.do("GET", collection, text, "").expect(http.StatusOK)
	if strings.Contains(w.log.String(), secret) || strings.Contains(w.log.String(), w.admin[9:]) {
		t.Errorf("the log has a secret:\n%s", w.log.String())
	}
	a := w.do("GET", collection+text+"/", w.admin, "")
	if !strings.Contains(a.message(), "PATCH /api/apitokens/ID/revoke/") {
		t.Errorf("got %s, want the way to revoke the token in this form", a.Body)
	}
}

// TestExpiryOfTheCredentialIsInEveryAcceptedAnswer: the header Apitoken-Expires.
func TestExpiryOfTheCredentialIsInEveryAcceptedAnswer(t *testing.T) {
	w := newScene(t)
	_, text := w.mint("ann", token.Wish{ExpiresIn: time.Hour})
	for _, c := range [][2]string{{"GET", collection}, {"POST", collection}, {"GET", collection + "JhxND7ci/"}, {"GET", collection + "?page=0"}, {"GET", "/api/vms/1/pwd_settings"}} {
		if got := w.do(c[0], c[1], text, "").Header.Get("Apitoken-Expires"); got != "2026-11-21T21:59:57.642000Z" {
			t.Errorf("%s %s: got Apitoken-Expires %q", c[0], c[1], got)
		}
	}
}

// TestDocumentIsForTheCallersCacheOnly: its answer has the expiry of the credential.
func TestDocumentIsForTheCallersCacheOnly(t *testing.T) {
	w := newScene(t)
	a := w.do("GET", "/api/latest/openapi.yaml", w.admin, "").expect(http.StatusOK)
	if !bytes.Equal(a.Body, vast.OpenAPI) || a.Header.Get("Cache-Control") != "private, max-age=300" {
		t.Errorf("got %d bytes with Cache-Control %q", len(a.Body), a.Header.Get("Cache-Control"))
	}
	w.do("GET", "/api/openapi.yaml", "", "").expect(http.StatusUnauthorized)
}
