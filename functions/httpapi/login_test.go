package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

const loginPath = "/v1/session/login"

// knownPasswords are passwords by owner key. It notes what it is asked.
type knownPasswords struct {
	of  map[string]string
	err error // of every check, if any

	mu    sync.Mutex
	asked []string // USER from ADDRESS
}

func (p *knownPasswords) Check(_ context.Context, user string, password secret.Secret, from netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, user+" from "+from.String())
	switch {
	case p.err != nil:
		return p.err
	case user != "" && p.of[user] == password.Reveal():
		return nil
	}
	return machine.ErrPassword
}

// withPasswords is a service with users who have passwords.
func withPasswords(t *testing.T) (*scene, *knownPasswords) {
	t.Helper()
	p := &knownPasswords{of: map[string]string{"ann": "hunter2", "jürgen": "hunter2"}}
	return newScene(t, p.use), p
}

func (p *knownPasswords) use(c *machine.Config) { c.Passwords = p }

func (w *scene) logIn(p *knownPasswords, body string, change ...func(*http.Request)) answer {
	w.t.Helper()
	r := httptest.NewRequest("POST", loginPath, strings.NewReader(body))
	for _, f := range change {
		f(r)
	}
	s := handle(w.handler(p.use), r)
	for _, complaint := range documented(w.t).complaints(s) {
		w.t.Errorf("%s %s differs from the document: %s\n%s", s.method, s.path, complaint, s.body)
	}
	return s
}

// TestAPasswordOpensASession of ten hours, in Qumulo's form. It authenticates as its user,
// and ends itself.
func TestAPasswordOpensASession(t *testing.T) {
	w, p := withPasswords(t)
	got := w.logIn(p, `{"username": "ann", "password": "hunter2"}`).expect(t, http.StatusOK, "")
	if cache := got.header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("the answer may be stored: %s", cache)
	}
	in := decodeAs[httpapi.LoggedIn](t, got)
	text := in.BearerToken.Reveal()
	if parsed, err := secret.Parse(text); err != nil || parsed.ID != in.ID {
		t.Fatalf("got %s, %v", got.body, err)
	}
	if want := w.clock().Add(10 * time.Hour); !in.ExpirationTime.Equal(want) {
		t.Errorf("the session ends at %s, want %s", in.ExpirationTime, want)
	}
	who := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
	if who.Name != "ann" || len(who.Permissions) != 0 {
		t.Errorf("the session acts for %+v", who)
	}
	own := decodeAs[httpapi.Entry](t, w.do("GET", "/v1/auth/access-tokens/self", text, "").expect(t, http.StatusOK, ""))
	if own.Kind != "session" || own.Via != "password" {
		t.Errorf("got kind %q via %q", own.Kind, own.Via)
	}
	if listed := decodeAs[httpapi.List](t, w.do("GET", collection, text, "").expect(t, http.StatusOK, "")); len(listed.Entries) != 0 {
		t.Errorf("the session counts as a token: %+v", listed.Entries)
	}
	made := decodeAs[httpapi.Created](t, w.do("POST", collection, text, `{}`).expect(t, http.StatusOK, ""))
	if name := made.User.Name; name != "ann" {
		t.Errorf("the session made a token of %q", name)
	}
	w.do("DELETE", "/v1/auth/access-tokens/self", text, "").expect(t, http.StatusOK, "")
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_revoked")
	if !strings.Contains(w.log.String(), `"code":"ok","token_id":"`+in.ID+`","owner":"ann"`) {
		t.Errorf("the log does not name the session:\n%s", w.log)
	}
	w.mustNotLog(t, "hunter2", text[9:])
}

func (w *scene) mustNotLog(t *testing.T, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log has %q", s)
		}
	}
}

// TestASessionOfAPasswordEndsAfterTenHours.
func TestASessionOfAPasswordEndsAfterTenHours(t *testing.T) {
	w, p := withPasswords(t)
	text := decodeAs[httpapi.LoggedIn](t, w.logIn(p, `{"username":"ann","password":"hunter2"}`).expect(t, http.StatusOK, "")).BearerToken.Reveal()
	w.sleep(10*time.Hour - time.Second)
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
	w.sleep(time.Second)
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_expired")
}

// TestAWrongPasswordAndAnUnknownUserHaveTheSameAnswer, byte for byte. Each name is checked
// in its one spelling, and a name that no user has is checked too.
func TestAWrongPasswordAndAnUnknownUserHaveTheSameAnswer(t *testing.T) {
	w, p := withPasswords(t)
	var first string
	for username, asked := range map[string]string{
		"ann": "ann", "Ann": "Ann", "local:ann": "ann", "nobody": "nobody", "ad:ann": "ACTIVE_DIRECTORY:ann", "uid:7": "uid:7", "auth_id:501": "auth_id:501",
		"500": "", "x:y": "", strings.Repeat("x", 2000): "", "a\\u0000b": "",
	} {
		p.asked = nil
		got := w.logIn(p, `{"username": "`+username+`", "password": "wrong"}`).expect(t, http.StatusUnauthorized, "password_invalid")
		problem := got.problem(t)
		if problem.ErrorClass != "http_unauthorized_error" || problem.Description == "" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %s", username, got.body)
		}
		problem.RequestID = ""
		text, err := json.Marshal(problem)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		}
		if string(text) != first {
			t.Errorf("%.20s: got %s, want %s", username, text, first)
		}
		if len(p.asked) != 1 || !strings.HasPrefix(p.asked[0], asked+" from ") {
			t.Errorf("%.20s: %q was checked, want %q", username, p.asked, asked)
		}
	}
	w.mustNotLog(t, "wrong", "nobody")
	w.logIn(p, `{"username": "ju\u0308rgen", "password": "hunter2"}`).expect(t, http.StatusOK, "") // another form of the same letters
}

// TestAPasswordIsTriedOnlyIfItIsNone of our tokens, and has a length that bcrypt reads.
func TestAPasswordIsTriedOnlyIfItIsNone(t *testing.T) {
	w, p := withPasswords(t)
	other := "z"
	if strings.HasSuffix(w.admin, other) {
		other = "y"
	}
	mistyped := w.admin[:len(w.admin)-1] + other
	for name, c := range map[string]struct{ body, code, field, says string }{
		"a token":             {`{"username":"ann","password":"` + w.admin + `"}`, "invalid_field", "password", "send a token in the header"},
		"a prefixed token":    {`{"username":"ann","password":"corp_` + w.admin + `"}`, "invalid_field", "password", "send a token"},
		"Bearer and a token":  {`{"username":"ann","password":"Bearer ` + w.admin + `"}`, "invalid_field", "password", "send a token"},
		"an escaped token":    {`{"username":"ann","password":"` + strings.Replace(w.admin, ".", "%2E", 1) + `"}`, "invalid_field", "password", "send a token"},
		"a mistyped token":    {`{"username":"ann","password":"` + mistyped + `"}`, "invalid_field", "password", "send a token"},
		"a token as the name": {`{"username":"` + w.admin + `","password":"x"}`, "invalid_field", "username", "contains a token"},
		"no name":             {`{"password":"hunter2"}`, "invalid_field", "username", "is missing"},
		"no password":         {`{"username":"ann"}`, "invalid_field", "password", "is missing"},
		"an empty password":   {`{"username":"ann","password":""}`, "invalid_field", "password", "is missing"},
		"a null password":     {`{"username":"ann","password":null}`, "invalid_field", "password", "is missing"},
		"73 bytes":            {`{"username":"ann","password":"` + strings.Repeat("x", 73) + `"}`, "invalid_field", "password", "has 73 bytes; at most 72 are allowed"},
		"37 letters":          {`{"username":"ann","password":"` + strings.Repeat("ü", 37) + `"}`, "invalid_field", "password", "has 74 bytes"},
		"NUL":                 {`{"username":"ann","password":"a\u0000b"}`, "invalid_field", "password", "U+0000"},
		"a number":            {`{"username":"ann","password":7}`, "wrong_type", "password", "must be a string"},
		"twice":               {`{"username":"ann","password":"x","password":"hunter2"}`, "malformed_json", "password", "given twice"},
		"more":                {`{"username":"ann","password":"hunter2","otp":"7"}`, "unknown_member", "otp", "allowed: username, password, ui"},
		"a form":              {`username=ann&password=hunter2`, "malformed_json", "", "JSON"},
		"nothing":             {``, "invalid_field", "username", "is missing"},
	} {
		got := w.logIn(p, c.body).expect(t, http.StatusBadRequest, c.code)
		problem := got.problem(t)
		if c.field != "" && (len(problem.Errors) != 1 || problem.Errors[0].Field != c.field) || !strings.Contains(problem.Detail, c.says) {
			t.Errorf("%s: got %s", name, got.body)
		}
		for _, hidden := range []string{w.admin[9:], "hunter2"} {
			if strings.Contains(string(got.body), hidden) {
				t.Errorf("%s: the answer has a secret", name)
			}
		}
	}
	if len(p.asked) != 0 {
		t.Errorf("passwords were checked: %q", p.asked)
	}
	w.mustNotLog(t, w.admin[9:], "hunter2", mistyped[9:])
	longest := strings.Repeat("x", 72)
	p.of["ann"] = longest
	w.logIn(p, `{"username":"ann","password":"`+longest+`"}`).expect(t, http.StatusOK, "")
}

// TestTooManyFailuresAreA429 with the time to wait, and an outage is a 503.
func TestTooManyFailuresAreA429(t *testing.T) {
	w, p := withPasswords(t)
	const body = `{"username":"ann","password":"hunter2"}`
	p.err = &events.Refusal{Code: machine.CodePasswordFailures, Detail: "too many", RetryAt: w.clock().Add(41500 * time.Millisecond)}
	got := w.logIn(p, body).expect(t, http.StatusTooManyRequests, "password_failures_exceeded")
	if wait := got.header.Get("Retry-After"); wait != "42" || !got.problem(t).Retryable {
		t.Errorf("got Retry-After %q, want 42, and %s", wait, got.body)
	}
	for _, err := range []error{machine.Outage(context.DeadlineExceeded), context.Canceled} {
		p.err = err
		if got := w.logIn(p, body).expect(t, http.StatusServiceUnavailable, "unavailable"); got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: got %v", err, got.header)
		}
	}
	p.err = nil
	w.do("PUT", "/v1/users/ann/suspension", w.admin, "").expect(t, http.StatusOK, "")
	w.logIn(p, body).expect(t, http.StatusConflict, "user_suspended")
}

// TestAPageOfAnotherSiteCannotLogIn: it could use up the failures of its visitor.
func TestAPageOfAnotherSiteCannotLogIn(t *testing.T) {
	w, p := withPasswords(t)
	const body = `{"username":"ann","password":"hunter2"}`
	for name, headers := range map[string][2]string{"fetch": {"Sec-Fetch-Site", "cross-site"}, "a form": {"Origin", "https://evil.example"}} {
		got := w.logIn(p, body, func(r *http.Request) { r.Header.Set(headers[0], headers[1]) }).expect(t, http.StatusBadRequest, "invalid_header")
		if problem := got.problem(t); len(problem.Errors) != 1 || problem.Errors[0].Field != "Origin" {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
	if len(p.asked) != 0 {
		t.Errorf("passwords were checked: %q", p.asked)
	}
}

// TestTheAddressOfALoginIsThatOfTheRequest, which the service reads with its own rule.
func TestTheAddressOfALoginIsThatOfTheRequest(t *testing.T) {
	w, p := withPasswords(t)
	w.logIn(p, `{"username":"ann","password":"hunter2"}`, func(r *http.Request) {
		r.RemoteAddr = "[::ffff:198.51.100.7]:4711"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
	}).expect(t, http.StatusOK, "")
	if len(p.asked) != 1 || p.asked[0] != "ann from 198.51.100.7" {
		t.Errorf("got %q", p.asked)
	}
}

// TestAPasswordInAHeaderIsRefused also by a service with passwords.
func TestAPasswordInAHeaderIsRefused(t *testing.T) {
	w, p := withPasswords(t)
	r := request(t, "GET", "/v1/session/who-am-i", "")
	r.SetBasicAuth("ann", "hunter2")
	handle(w.handler(p.use), r).expect(t, http.StatusUnauthorized, "password_unsupported")
	if len(p.asked) != 0 {
		t.Errorf("passwords were checked: %q", p.asked)
	}
	w.mustNotLog(t, "hunter2")
}

// TestTheWaysToSignInNamePasswords only if there are some.
func TestTheWaysToSignInNamePasswords(t *testing.T) {
	w, _ := withPasswords(t)
	if got := decodeAs[httpapi.SignInWays](t, w.do("GET", "/v1/session/issuers", "", "")); !got.Password {
		t.Errorf("got %+v", got)
	}
}

// TestTheClientLogsIn, and its request does not redact the password.
func TestTheClientLogsIn(t *testing.T) {
	w, _ := withPasswords(t)
	c := httpapi.NewClient(w.server.URL, secret.Secret{}, nil)
	in, err := c.LogIn(t.Context(), httpapi.LoginRequest{Username: "ann", Password: secret.New("hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := httpapi.NewClient(w.server.URL, in.BearerToken, nil).WhoAmI(t.Context()); err != nil || who.Name != "ann" {
		t.Errorf("got %+v, %v", who, err)
	}
}
