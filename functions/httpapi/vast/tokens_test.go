package vast_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi/vast"
)

// TestGoldenAnswers: the answers of a life of a token, byte for byte.
func TestGoldenAnswers(t *testing.T) {
	w := newScene(t)
	var all strings.Builder
	made := vast.Created{}
	visit := func(method, path, body string) {
		a := w.do(method, strings.ReplaceAll(path, "ID", made.ID), w.admin, body)
		if a.Status == http.StatusCreated {
			made = decodeAs[vast.Created](a)
		}
		text := strings.NewReplacer(w.server.URL, "http://HOST", made.Token, "TOKEN", made.ID, "ID").Replace(string(a.Body))
		fmt.Fprintf(&all, "%s %s %s\n%d %s %s", method, path, body, a.Status, a.Header.Get("Content-Type"), text)
	}
	visit("POST", "/api/latest/apitokens/", `{"name":"nightly backup","expiry_date":"30D","owner":"ann"}`)
	visit("GET", "/api/latest/apitokens/?owner=ann", "")
	visit("GET", "/api/latest/apitokens/?owner=ann&page_size=1", "")
	visit("GET", "/api/latest/apitokens/?owner=nobody", "")
	visit("PATCH", "/api/latest/apitokens/ID/", `{"name":"weekly","expiry_date":"60D"}`)
	w.sleep(time.Hour)
	w.use(made)
	visit("GET", "/api/latest/apitokens/ID/", "")
	visit("PATCH", "/api/latest/apitokens/ID/revoke/", "")
	visit("GET", "/api/latest/apitokens/ID/", "")
	visit("GET", "/api/latest/apitokens/?owner=ann", "")
	visit("GET", "/api/latest/apitokens/?owner=ann&archived=True", "")
	visit("PATCH", "/api/latest/apitokens/ID/revoke/", "")
	visit("PATCH", "/api/latest/vms/1/set_max_api_tokens_per_user/", `{"max_api_tokens_per_user":1}`)
	visit("POST", "/api/latest/apitokens/", `{"owner":"bob"}`)
	visit("POST", "/api/latest/apitokens/", `{"owner":"bob"}`)
	visit("GET", "/api/latest/vms/1/pwd_settings/", "")
	visit("PATCH", "/api/latest/vms/1/pwd_settings/", `{"pwd_expiration_timeout_enabled":true}`)
	visit("GET", "/api/latest/nothing/", "")
	visit("DELETE", "/api/latest/apitokens/ID/", "")
	visit("POST", "/api/token/", `{"username":"admin","password":"hunter2"}`)
	golden(t, "answers.txt", all.String())
}

// TestEveryVersionAndSlashIsTheSamePath: no redirect, for each method.
func TestEveryVersionAndSlashIsTheSamePath(t *testing.T) {
	w := newScene(t)
	for _, under := range []string{"/api/", "/api/latest/", "/api/v1/", "/api/v5/", "/api/v12/"} {
		for _, slash := range []string{"", "/"} {
			made := decodeAs[vast.Created](w.do("POST", under+"apitokens"+slash, w.admin, "").expect(http.StatusCreated))
			w.do("GET", under+"apitokens"+slash, w.admin, "").expect(http.StatusOK)
			w.do("HEAD", under+"apitokens"+slash, w.admin, "").expect(http.StatusOK)
			w.do("GET", under+"apitokens/"+made.ID+slash, w.admin, "").expect(http.StatusOK)
			w.do("PATCH", under+"apitokens/"+made.ID+slash, w.admin, `{"name":"x"}`).expect(http.StatusOK)
			w.do("PATCH", under+"apitokens/"+made.ID+"/revoke"+slash, w.admin, "").expect(http.StatusOK)
			w.do("GET", under+"vms/1/pwd_settings"+slash, w.admin, "").expect(http.StatusOK)
			w.do("POST", under+"token"+slash, "", "").expect(http.StatusUnauthorized)
		}
	}
	for _, path := range []string{"/api", "/api/", "/api/latest", "/api/latest/", "/api/v5", "/api/v/apitokens", "/api/v5x/apitokens", "/api/newest/apitokens",
		"/api/latest/latest/apitokens", "/api/v5/latest/apitokens", "/api//apitokens", "/api/latest//apitokens/", "/api/../apitokens", "/api/LATEST/apitokens"} {
		a := w.do("GET", path, w.admin, "").expect(http.StatusNotFound)
		if d := decodeAs[vast.Denied](a); d.Code != "path_not_found" || !strings.Contains(d.Detail, "/api/openapi.yaml") {
			t.Errorf("%s: got %s", path, a.Body)
		}
	}
}

func TestUnknownMethodIsDenied(t *testing.T) {
	w := newScene(t)
	for path, allow := range map[string]string{
		collection: "GET, HEAD, POST", collection + "JhxND7ci/": "GET, HEAD, PATCH", collection + "JhxND7ci/revoke/": "PATCH",
		"/api/latest/vms/1/pwd_settings/": "GET, HEAD, PATCH", "/api/token/": "POST",
	} {
		for _, method := range []string{"DELETE", "PUT", "OPTIONS"} {
			a := w.do(method, path, w.admin, "").expect(http.StatusMethodNotAllowed)
			if d := decodeAs[vast.Denied](a); d.Code != "method_not_allowed" || a.Header.Get("Allow") != allow {
				t.Errorf("%s %s: got %s and Allow %q, want %q", method, path, a.Body, a.Header.Get("Allow"), allow)
			}
		}
	}
}

var wholeToken = regexp.MustCompile(`^[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}$`)

func TestCreateAnswersIDAndToken(t *testing.T) {
	w := newScene(t)
	a := w.do("POST", collection, w.admin, `{"name":"backup","expiry_date":"30D","owner":"ann"}`).expect(http.StatusCreated)
	made := decodeAs[vast.Created](a)
	if !wholeToken.MatchString(made.Token) || made.ID != made.Token[:8] || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %s with Cache-Control %q", a.Body, a.Header.Get("Cache-Control"))
	}
	if got := w.show(made.ID); got.Name != "backup" || got.Owner != "ann" || !got.ExpiryDate.Equal(w.clock().Add(30*24*time.Hour)) {
		t.Errorf("got %+v", got)
	}
	if names := w.names(made.Token, ""); !slices.Equal(names, []string{"backup"}) {
		t.Errorf("the new token sees %q", names)
	}
}

// TestNamesAreTheTextThatWasTyped: vastpy-cli sends a number or a boolean for a text
// that looks like one.
func TestNamesAreTheTextThatWasTyped(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	for given, want := range map[string]string{
		`"nightly backup"`: "nightly backup", `"Sicherung K\u00f6ln"`: "Sicherung Köln", `"日本"`: "日本", `"<a&b>"`: "<a&b>", `"123"`: "123", `"null"`: "null",
		`123`: "123", `0`: "0", `-5`: "-5", `12345678901234567890123`: "12345678901234567890123", `true`: "true", `false`: "false",
		`""`: "admin_api_token", `null`: "admin_api_token",
	} {
		made := w.make(w.admin, `{"name":`+given+`}`)
		if got := w.show(made.ID).Name; got != want {
			t.Errorf("name %s: got %q, want %q", given, got, want)
		}
		if want != "admin_api_token" {
			w.do("PATCH", collection+made.ID+"/", w.admin, `{"name":"x"}`).expect(http.StatusOK)
			w.do("PATCH", collection+made.ID+"/", w.admin, `{"name":`+given+`}`).expect(http.StatusOK)
			if got := w.show(made.ID).Name; got != want {
				t.Errorf("modified to the name %s: got %q, want %q", given, got, want)
			}
		}
		w.do("PATCH", collection+made.ID+"/revoke/", w.admin, "").expect(http.StatusOK)
	}
}

// TestDefaultNameIsOfTheOwner: also after a name is taken away.
func TestDefaultNameIsOfTheOwner(t *testing.T) {
	w := newScene(t)
	made := w.make(w.admin, `{"owner":"ann"}`)
	named := w.make(w.admin, `{"owner":"ann","name":"x"}`)
	w.do("PATCH", collection+named.ID+"/", w.admin, `{"name":""}`).expect(http.StatusOK)
	for _, id := range []string{made.ID, named.ID} {
		if got := w.show(id).Name; !strings.HasPrefix(got, "ann_api_token") {
			t.Errorf("got the name %q", got)
		}
	}
}

// TestOwnersHaveEveryForm: an owner of digits is the name that was typed.
func TestOwnersHaveEveryForm(t *testing.T) {
	w := newScene(t)
	for given, want := range map[string]string{
		`"ann"`: "ann", `"local:ann"`: "ann", `"ad:ann"`: "ACTIVE_DIRECTORY:ann", `"uid:7"`: "uid:7", `"auth_id:7"`: "auth_id:7", `"S-1-5-21-1-2-3-1001"`: "S-1-5-21-1-2-3-1001",
		`true`: "true", `""`: "admin", `null`: "admin",
	} {
		made := w.make(w.admin, `{"owner":`+given+`}`)
		if got := w.show(made.ID).Owner; got != want {
			t.Errorf("owner %s: got %q, want %q", given, got, want)
		}
	}
}

// lifetimes are the forms that VAST documents.
var lifetimes = map[string]time.Duration{
	"1Y": 365 * 24 * time.Hour, "2M": 60 * 24 * time.Hour, "1w": 7 * 24 * time.Hour, "1W": 7 * 24 * time.Hour, "3d": 72 * time.Hour, "3D": 72 * time.Hour,
	"5h": 5 * time.Hour, "5H": 5 * time.Hour, "2m": 2 * time.Minute, "9s": 9 * time.Second, "9S": 9 * time.Second, "007D": 7 * 24 * time.Hour,
}

// wrongLifetimes are values that no member with a lifetime may have.
var wrongLifetimes = []string{`30`, `true`, `1.5`, `["30D"]`, `{}`, `"30"`, `"D"`, `"1y"`, `"1Y2M"`, `"30 D"`, `" 30D"`, `"+30D"`, `"-30D"`, `"0D"`, `"0"`, `"1.5D"`, `"30DD"`, `"٣D"`,
	`"99999999999999999999Y"`, `"293Y"`, `"2030-01-01T00:00:00Z"`, `"2025-06-18 11:59:00"`, `" "`}

func TestExpiryIsALifetimeFromTheCreation(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	for given, want := range lifetimes {
		began := w.clock()
		made := w.make(w.admin, `{"expiry_date":"`+given+`"}`)
		if got := w.show(made.ID).ExpiryDate; !got.Equal(began.Add(want)) {
			t.Errorf("%s: got %s, want %s after %s", given, got, want, began)
		}
	}
	made := w.make(w.admin, `{"expiry_date":"10D"}`)
	began := w.clock()
	w.sleep(5 * 24 * time.Hour)
	w.do("PATCH", collection+made.ID+"/", w.admin, `{"expiry_date":"20D"}`).expect(http.StatusOK)
	if got := w.show(made.ID).ExpiryDate; !got.Equal(began.Add(20 * 24 * time.Hour)) {
		t.Errorf("got %s, want 20 days after the creation at %s", got, began)
	}
	for _, unchanged := range []string{`{}`, `{"expiry_date":null}`, `{"expiry_date":""}`, `{"name":"x"}`} {
		w.do("PATCH", collection+made.ID+"/", w.admin, unchanged).expect(http.StatusOK)
		if got := w.show(made.ID).ExpiryDate; !got.Equal(began.Add(20 * 24 * time.Hour)) {
			t.Errorf("%s: the expiry became %s", unchanged, got)
		}
	}
	a := w.do("PATCH", collection+made.ID+"/", w.admin, `{"expiry_date":"4D"}`).expect(http.StatusBadRequest)
	if !strings.Contains(a.message(), "expiry_date") {
		t.Errorf("a lifetime that is over: got %s", a.Body)
	}
	if got := w.show(w.make(w.admin, `{}`).ID).ExpiryDate; got != nil {
		t.Errorf("without expiry_date: got %s, want null", got)
	}
}

// TestDefaultExpiryIsTheSetting: what VAST calls the password expiration timeout.
func TestDefaultExpiryIsTheSetting(t *testing.T) {
	w := newScene(t)
	w.do("PATCH", "/api/latest/vms/1/pwd_settings/", w.admin, `{"pwd_expiration_timeout":"90D"}`).expect(http.StatusOK)
	if got := w.show(w.make(w.admin, `{}`).ID).ExpiryDate; !got.Equal(w.clock().Add(90 * 24 * time.Hour)) {
		t.Errorf("got %s, want 90 days", got)
	}
	a := w.do("POST", collection, w.admin, `{"expiry_date":"91D"}`).expect(http.StatusBadRequest)
	if text := a.message(); !strings.Contains(text, "expiry_date") || !strings.Contains(text, "90D") {
		t.Errorf("above the maximum: got %s", a.Body)
	}
}

// TestWrongValuesNameTheMemberOfVAST: each refusal is 400, a JSON string, names the
// member as VAST does, and no member of another form.
func TestWrongValuesNameTheMemberOfVAST(t *testing.T) {
	w := newScene(t)
	w.change(settings.Grant{User: "maker", Actions: []string{settings.ActionCreate}})
	item := collection + w.make(w.admin, `{}`).ID + "/"
	_, short := w.mint("admin", token.Wish{ExpiresIn: time.Hour})
	if _, err := w.issuer.Suspend(t.Context(), root, "sue", ""); err != nil {
		t.Fatal(err)
	}
	type request struct{ method, path, token, body, member string }
	var all []request
	both := func(member string, values ...string) {
		for _, v := range values {
			body := `{"` + member + `":` + v + `}`
			all = append(all, request{"POST", collection, w.admin, body, member})
			if member != "owner" {
				all = append(all, request{"PATCH", item, w.admin, body, member})
			}
		}
	}
	both("name", `1.5`, `1e3`, `-0.0`, `[1]`, `{}`, `["a"]`, `" "`, `"\u0000"`, `"a\nb"`, `"\u202e"`, `"`+strings.Repeat("x", 129)+`"`, `"`+w.admin+`"`, `"see `+w.admin+`"`)
	both("expiry_date", wrongLifetimes...)
	both("expiry_date", `"`+w.admin+`"`)
	both("owner", `1.5`, `[]`, `{"name":"ann"}`, `"gid:7"`, `"world:Everyone"`, `"ldap_group:x"`, `"uid:x"`, `"uid:-1"`, `"nowhere:ann"`, `"local:"`, `"a\u0000"`, `" "`, `"S-1-x"`, `"`+strings.Repeat("x", 2000)+`"`, `"`+w.admin+`"`, `"sue"`)
	all = append(all,
		request{"POST", collection, short, `{"expiry_date":"2H"}`, "expiry_date"},
		request{"GET", collection + "?archived=yes", w.admin, "", "archived"}, request{"GET", collection + "?archived=1", w.admin, "", "archived"},
		request{"GET", collection + "?archived=", w.admin, "", "archived"}, request{"GET", collection + "?archived=true&archived=true", w.admin, "", "archived"},
		request{"GET", collection + "?owner=gid:7", w.admin, "", "owner"}, request{"GET", collection + "?owner=uid:x", w.admin, "", "owner"}, request{"GET", collection + "?owner=", w.admin, "", "owner"},
		request{"GET", collection + "?name=", w.admin, "", "name"},
		request{"GET", collection + "?page=0", w.admin, "", "page"}, request{"GET", collection + "?page=x", w.admin, "", "page"}, request{"GET", collection + "?page=99", w.admin, "", "page"},
		request{"GET", collection + "?page_size=0", w.admin, "", "page_size"}, request{"GET", collection + "?page_size=10001", w.admin, "", "page_size"}, request{"GET", collection + "?page_size=1.5", w.admin, "", "page_size"},
		request{"GET", collection + "?state=revoked", w.admin, "", "state"}, request{"POST", collection + "?name=x", w.admin, "", "name"},
		request{"POST", collection, w.admin, `{"user":"ann"}`, "user"}, request{"POST", collection, w.admin, `{"expires_in":"1D"}`, "expires_in"},
		request{"POST", collection, w.admin, `{"Name":"x"}`, "Name"}, request{"POST", collection, w.admin, `{"name":"a","name":"b"}`, "name"},
		request{"PATCH", item, w.admin, `{"owner":"ann"}`, "owner"}, request{"PATCH", item, w.admin, `{"revoked":true}`, "revoked"}, request{"PATCH", item + "revoke/", w.admin, `{"name":"x"}`, "name"},
	)
	for _, r := range all {
		a := w.do(r.method, r.path, r.token, r.body)
		if a.Status != http.StatusBadRequest {
			t.Errorf("%s %s %.100s: got %d %s", r.method, r.path, r.body, a.Status, a.Body)
			continue
		}
		text := a.message()
		if !strings.Contains(text, r.member) || strings.Contains(text, w.admin[9:]) {
			t.Errorf("%s %s %.100s: got %q, want a text that names %s and has no secret", r.method, r.path, r.body, text, r.member)
		}
		for _, ours := range []string{"expires_in", "expiration_time", "token_limit", "expiration_timeout", "The user", "/v1/auth"} {
			if strings.Contains(text, ours) && ours != r.member {
				t.Errorf("%s %s %.100s: %q has %q of another form", r.method, r.path, r.body, text, ours)
			}
		}
	}
}

// TestWrongBodiesAreOneSentence: whatever the body is.
func TestWrongBodiesAreOneSentence(t *testing.T) {
	w := newScene(t)
	item := collection + w.make(w.admin, `{}`).ID + "/"
	for body, part := range map[string]string{
		`[]`: "one JSON object", `null`: "one JSON object", `"x"`: "one JSON object", `7`: "one JSON object", `{"name"`: "ends too early", `name=x`: "NAME=VALUE",
		`{} {}`: "second JSON object", "{\"name\":\"\xff\"}": "UTF-8", "\x1f\x8b\x08": "gzip", `<a/>`: "XML", `{'name': 'x'}`: "single quotes",
	} {
		for _, c := range [][2]string{{"POST", collection}, {"PATCH", item}, {"PATCH", item + "revoke/"}, {"PATCH", "/api/vms/1/pwd_settings/"}, {"PATCH", "/api/vms/1/set_max_api_tokens_per_user/"}} {
			a := w.do(c[0], c[1], w.admin, body).expect(http.StatusBadRequest)
			if text := a.message(); !strings.Contains(text, part) {
				t.Errorf("%s %s %q: got %q, want %q in it", c[0], c[1], body, text, part)
			}
		}
	}
	w.do("POST", collection, w.admin, strings.Repeat(" ", 70_000)).expect(http.StatusRequestEntityTooLarge).message()
	header := http.Header{"Authorization": {"Api-Token " + w.admin}, "Content-Encoding": {"gzip"}}
	w.send("POST", collection, header, "x").expect(http.StatusUnsupportedMediaType).message()
}

// TestListSelects: live tokens, unless the archive is asked for.
func TestListSelects(t *testing.T) {
	w := newScene(t)
	make := func(body string) vast.Created {
		w.sleep(time.Second) // a list is in the order of creation
		return w.make(w.admin, body)
	}
	make(`{"owner":"ann","name":"live"}`)
	make(`{"owner":"ann","name":"short","expiry_date":"1H"}`)
	gone := make(`{"owner":"ann","name":"gone"}`)
	make(`{"owner":"bob","name":"live"}`)
	disabled := make(`{"owner":"bob","name":"off"}`)
	if _, err := w.issuer.Update(t.Context(), root, disabled.ID, token.Update{Enabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	w.do("PATCH", collection+gone.ID+"/revoke/", w.admin, "").expect(http.StatusOK)
	w.sleep(2 * time.Hour)
	_, ann := w.mint("ann", token.Wish{Name: "hers"})
	for _, c := range []struct{ token, query, want string }{
		{w.admin, "?owner=ann", "live hers"},
		{w.admin, "?owner=ann&archived=False", "live hers"},
		{w.admin, "?owner=ann&archived=True", "live short gone hers"},
		{w.admin, "?owner=ann&archived=true", "live short gone hers"},
		{w.admin, "?owner=ann&archived=TRUE", "live short gone hers"},
		{w.admin, "?archived=true&name=gone", "gone"},
		{w.admin, "?name=live", "live live"},
		{w.admin, "?name=LIVE", ""},
		{w.admin, "?name=live&owner=bob", "live"},
		{w.admin, "?owner=bob", "live off"},
		{w.admin, "?owner=local:bob", "live off"},
		{w.admin, "?owner=nobody", ""},
		{ann, "", "live hers"},
		{ann, "?archived=True", "live short gone hers"},
		{ann, "?owner=bob", ""},
		{ann, "?owner=ann&name=hers", "hers"},
	} {
		if got := strings.Join(w.names(c.token, c.query), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.query, got, c.want)
		}
	}
	if a := w.do("GET", collection+"?owner=nobody", w.admin, ""); strings.TrimSpace(string(a.Body)) != "[]" {
		t.Errorf("an empty list is %s, want []", a.Body)
	}
}

// TestShowHasEveryState: VAST keeps revoked tokens in an archive.
func TestShowHasEveryState(t *testing.T) {
	w := newScene(t)
	made := w.make(w.admin, `{"expiry_date":"1H"}`)
	if got := w.show(made.ID); got.Revoked || got.RevocationTime != nil || got.LastUsed != nil {
		t.Errorf("a live token: got %+v", got)
	}
	w.use(made)
	if got := w.show(made.ID).LastUsed; !got.Equal(w.clock()) {
		t.Errorf("last_used: got %v, want %s", got, w.clock())
	}
	w.sleep(2 * time.Hour)
	if got := w.show(made.ID); got.Revoked || got.RevocationTime != nil {
		t.Errorf("an expired token: got %+v", got)
	}
	if a := w.do("PATCH", collection+made.ID+"/", w.admin, `{"expiry_date":"1D"}`).expect(http.StatusBadRequest); !strings.Contains(a.message(), "ended token cannot be changed") {
		t.Errorf("changing an expired token: got %s", a.Body)
	}
	gone := w.make(w.admin, `{}`)
	w.do("PATCH", collection+gone.ID+"/revoke/", w.admin, "").expect(http.StatusOK)
	if got := w.show(gone.ID); !got.Revoked || !got.RevocationTime.Equal(w.clock()) {
		t.Errorf("a revoked token: got %+v", got)
	}
	w.do("GET", collection, gone.Token, "").expect(http.StatusUnauthorized)
	for _, body := range []string{`{}`, `{"name":"x"}`} {
		if a := w.do("PATCH", collection+gone.ID+"/", w.admin, body).expect(http.StatusNotFound); a.message() != "API key not found" {
			t.Errorf("changing a revoked token: got %s", a.Body)
		}
	}
}

// TestLimitIs503WithoutRetryAfter: a client must not repeat the request, and the
// answer is no fault of the service. Only valid tokens count.
func TestLimitIs503WithoutRetryAfter(t *testing.T) {
	w := newScene(t)
	var made vast.Created
	for range 5 {
		made = w.make(w.admin, `{"owner":"ann","expiry_date":"1H"}`)
	}
	refused := func() {
		t.Helper()
		a := w.do("POST", collection, w.admin, `{"owner":"ann"}`).expect(http.StatusServiceUnavailable)
		if a.message() != "Max allowed API tokens reached" || a.Header.Values("Retry-After") != nil {
			t.Errorf("got %s with Retry-After %q", a.Body, a.Header.Values("Retry-After"))
		}
	}
	refused()
	if line := w.log.Last(t); line["level"] != "INFO" || line["code"] != "token_limit_reached" || line["status"] != 503.0 || line["error"] != nil || line["operation"] != "create" {
		t.Errorf("got the log line %v", line)
	}
	w.do("PATCH", collection+made.ID+"/revoke/", w.admin, "").expect(http.StatusOK)
	w.make(w.admin, `{"owner":"ann"}`)
	refused()
	w.sleep(2 * time.Hour)
	w.make(w.admin, `{"owner":"ann"}`)
	own := w.do("POST", "/v1/auth/access-tokens/", w.admin, `{"user":{"name":"ann"}}`)
	for range 5 {
		own = w.do("POST", "/v1/auth/access-tokens/", w.admin, `{"user":{"name":"ann"}}`)
	}
	own.expect(http.StatusConflict) // the other form keeps its status
}

// TestOutageIs503WithRetryAfter: unlike the limit.
func TestOutageIs503WithRetryAfter(t *testing.T) {
	w := newScene(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"POST", collection}, {"GET", collection}, {"GET", "/api/vms/1/pwd_settings/"}} {
		a := w.do(c[0], c[1], w.admin, "").expect(http.StatusServiceUnavailable)
		if a.message() == "" || a.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %s: got %s with Retry-After %q", c[0], c[1], a.Body, a.Header.Get("Retry-After"))
		}
		if line := w.log.Last(t); line["level"] != "ERROR" {
			t.Errorf("got the log line %v", line)
		}
	}
}

func TestTooManyChangesHaveRetryAfter(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{ChangeRate: new(1)})
	w.make(w.admin, `{"owner":"ann"}`)
	a := w.do("POST", collection, w.admin, `{"owner":"ann"}`).expect(http.StatusTooManyRequests)
	if a.message() == "" || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %s with Retry-After %q", a.Body, a.Header.Get("Retry-After"))
	}
}
