package page_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/page"
)

func user(text string) *name.Identity { return &name.Identity{Name: text} }

func TestTheCookieIsForThisHostAndForNoScript(t *testing.T) {
	s := newScene(t)
	answer := s.browser().post("sign-in", url.Values{"way": {"token"}, "token": {s.admin}}).to("./")
	var names []string
	for _, c := range (&http.Response{Header: answer.header}).Cookies() {
		names = append(names, c.Name)
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("cookie %s", c.Raw)
		}
	}
	if !strings.Contains(strings.Join(names, " "), "__Host-apitoken ") {
		t.Errorf("cookies %v", names)
	}
}

func TestEveryAnswerForbidsWhatThePageDoesNotUse(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for _, path := range []string{"", "create", "find", "all", "user", "user?user=ann", "settings", "group", "sign-in", "nowhere", "style.css", "page.js", "token?id=zzzzzzzz"} {
		answer := b.get(path)
		policy := answer.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("/%s: the policy lacks %s: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("/%s: the policy %s", path, policy)
		}
		if got := answer.header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("/%s: X-Content-Type-Options %q", path, got)
		}
		if got := answer.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("/%s: Cache-Control %q", path, got)
		}
		if answer.header.Get("X-Request-Id") == "" {
			t.Errorf("/%s: no request id", path)
		}
	}
}

// TestAFormOfAnotherOriginIsRefused: the browser says where a form comes from.
func TestAFormOfAnotherOriginIsRefused(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	before := len(b.tokens("admin"))
	form := url.Values{"name": {"n"}, "expires": {"7D"}, "step": {"make"}, "key": {"0123456789abcdef"}}
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://example.org"}}, {"Origin": {"null"}},
	} {
		b.send(http.MethodPost, "create", header, form).expect(http.StatusForbidden).has("came from another site")
		b.send(http.MethodPost, "sign-out", header, form).expect(http.StatusForbidden)
	}
	if after := len(b.tokens("admin")); after != before {
		t.Error("a form of another origin made a token")
	}
	b.get("").expect(http.StatusOK)
}

func TestAGetChangesNothing(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	id := s.admin[:8]
	for _, path := range []string{
		"create?name=n&expires=7D&step=make&key=0123456789abcdef", "token?id=" + id + "&act=disable", "revoke?id=" + id + "&confirm=admin_api_token",
		"rotate?id=" + id + "&grace=0", "user?user=ann&act=suspend&confirm-suspend=ann", "settings?token_limit=7",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			b.send(method, path, nil, nil).expect(http.StatusOK)
		}
	}
	b.get("sign-out").expect(http.StatusMethodNotAllowed)
	history, err := s.client(s.admin).UserEvents(t.Context(), "admin", httpapi.HistoryQuery{})
	if err != nil || len(history.Entries) != 1 {
		t.Errorf("the history of the administrator: %d records, %v", len(history.Entries), err)
	}
	if set, err := s.client(s.admin).Settings(t.Context()); err != nil || set.TokenLimit != 5 {
		t.Errorf("settings %+v %v", set, err)
	}
}

func TestAHostileNameIsText(t *testing.T) {
	s := newScene(t)
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	b := s.signedIn(s.admin)
	answer, _ := b.made(url.Values{"name": {hostile}, "description": {hostile}, "expires": {"7D"}})
	id := answer.secret()[:8]
	for _, path := range []string{"", "token?id=" + id, "rotate?id=" + id, "revoke?id=" + id, "history?id=" + id, "create?name=" + url.QueryEscape(hostile), "all?user=" + url.QueryEscape(hostile)} {
		got := b.get(path)
		if strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, "<img") {
			t.Errorf("/%s: the name is HTML:\n%s", path, got.body)
		}
	}
	b.get("token?id=" + id).has(hostile)
}

func TestThePageEndsASessionThatIsIdle(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for _, c := range []struct {
		after time.Duration
		noted bool
	}{{5*time.Minute - time.Second, false}, {time.Second, true}, {time.Second, false}} {
		s.sleep(c.after)
		if noted := strings.Contains(strings.Join(b.get("").expect(http.StatusOK).header["Set-Cookie"], " "), "__Host-apitoken-used="); noted != c.noted {
			t.Errorf("the use is noted: %v, want %v", noted, c.noted)
		}
	}
	for range 4 {
		s.sleep(29 * time.Minute)
		b.get("").expect(http.StatusOK)
	}
	s.sleep(30 * time.Minute)
	b.get("create").to("sign-in?ended=idle&to=create")
	b.get("sign-in?ended=idle").has("not used for 30 minutes")
	b.get("").to("sign-in")
}

// TestTheIdleTimeOfAnEarlierSessionDoesNotCount: the cookie of the earlier one may
// still be there.
func TestTheIdleTimeOfAnEarlierSessionDoesNotCount(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	s.sleep(2 * time.Hour)
	b.post("sign-in", url.Values{"way": {"token"}, "token": {s.admin}}).to("./")
	b.get("").expect(http.StatusOK)
}

func TestWithoutASessionThereIsOnlyTheSignIn(t *testing.T) {
	s := newScene(t)
	b := s.browser()
	b.get("").to("sign-in")
	b.get("create?name=ci").to("sign-in?to=create%3Fname%3Dci")
	b.post("create", url.Values{"step": {"make"}}).to("sign-in")
	answer := b.get("sign-in?to=create%3Fname%3Dci").expect(http.StatusOK)
	b.post("sign-in", with(answer.hidden(), "way", "token", "token", s.admin)).to("create?name=ci")
}

// TestTheSignInLeadsOnlyToThePage: a link must not send people to another site.
func TestTheSignInLeadsOnlyToThePage(t *testing.T) {
	s := newScene(t)
	for _, to := range []string{"https://example.org", "//example.org", "../../x", "/x", `\\example.org`, "javascript:alert(1)", "sign-out", "sign-in", "style.css", "%2f%2fexample.org"} {
		s.browser().post("sign-in", url.Values{"way": {"token"}, "token": {s.admin}, "to": {to}}).to("./")
	}
}

func TestAWrongTokenOpensNoSession(t *testing.T) {
	s := newScene(t)
	for _, text := range []string{"", "nonsense", "Bearer x", "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"} {
		answer := s.browser().post("sign-in", url.Values{"way": {"token"}, "token": {text}})
		if answer.status < 400 || strings.Contains(answer.header.Get("Set-Cookie"), "__Host-apitoken=J") {
			t.Errorf("%q: got %d %v", text, answer.status, answer.header["Set-Cookie"])
		}
		if text != "" {
			answer.hasNot(text)
		}
	}
	for _, text := range []string{" " + s.admin + "\n", "Bearer " + s.admin, "Authorization: Bearer " + s.admin, `"` + s.admin + `"`} {
		s.browser().post("sign-in", url.Values{"way": {"token"}, "token": {text}}).to("./")
	}
}

func TestNoSecretIsInALogLine(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	answer, _ := b.made(url.Values{"name": {"n"}, "expires": {"7D"}})
	b.post("find", url.Values{"what": {answer.secret()}}).expect(http.StatusOK)
	b.get("create?name=" + url.QueryEscape(answer.secret()))
	b.get(answer.secret()).expect(http.StatusNotFound)
	for _, text := range []string{s.admin, answer.secret()} {
		if strings.Contains(s.log.String(), text[9:]) {
			t.Errorf("the log has a secret:\n%s", s.log)
		}
	}
	if !strings.Contains(s.log.String(), `"route":"/ui/create"`) || !strings.Contains(s.log.String(), `"route":"/ui/none"`) {
		t.Errorf("the log lacks the lines of the page:\n%s", s.log)
	}
}

// TestThePageWorksBelowAPrefix: its links and redirects are relative.
func TestThePageWorksBelowAPrefix(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for _, path := range []string{"", "create", "find", "all", "user", "settings", "group", "token?id=" + s.admin[:8], "sign-in"} {
		body := b.get(path).expect(http.StatusOK).body
		for _, absolute := range []string{`href="/`, `src="/`, `action="/`, `href="http`, `action="http`} {
			if strings.Contains(body, absolute) {
				t.Errorf("/%s has %s", path, absolute)
			}
		}
	}
	answer := httptest.NewRecorder()
	page.New(page.Config{API: page.InProcess(s.api), Source: peer, Logger: discard}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ui", nil))
	if got := answer.Header().Get("Location"); got != "ui/" {
		t.Errorf("/ui leads to %q", got)
	}
}

// TestTheAPIIsCalledAsTheBrowserCame: the source ranges of a token hold on the page,
// and the API learns the address of the caller.
func TestTheAPIIsCalledAsTheBrowserCame(t *testing.T) {
	var got []http.Header
	var peers []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, peers = append(got, r.Header), append(peers, r.RemoteAddr)
		http.NotFound(w, r)
	})
	site := page.New(page.Config{API: page.InProcess(api), Source: peer, Logger: discard})
	r := httptest.NewRequest(http.MethodGet, "/ui/", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	r.Header.Set(page.AddressHeader, "203.0.113.9")
	r.AddCookie(&http.Cookie{Name: "__Host-apitoken", Value: "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"})
	site.ServeHTTP(httptest.NewRecorder(), r)
	if len(got) != 1 || peers[0] != "192.0.2.7:1234" || got[0].Get("X-Forwarded-For") != "198.51.100.1" {
		t.Fatalf("the API got %v from %v", got, peers)
	}
	if values := got[0].Values(page.AddressHeader); len(values) != 1 || values[0] != "192.0.2.7" {
		t.Errorf("the API got the address %v", values)
	}
	if got[0].Get("Cookie") != "" {
		t.Error("the API got the cookies")
	}
}

func TestATokenWithOtherRangesCannotSignIn(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{SourceIPs: []string{"192.0.2.0/24"}})
	b := s.browser()
	answer := b.post("sign-in", url.Values{"way": {"token"}, "token": {text}}).expect(http.StatusForbidden).has("source ranges do not allow the address")
	if !strings.Contains(answer.body, `id="token-wrong"`) || !strings.Contains(answer.body, " autofocus") || len(answer.header["Set-Cookie"]) > 0 {
		t.Errorf("the reason is not at the field, or there is a cookie %v:\n%s", answer.header["Set-Cookie"], answer.body)
	}
	b.get("").to("sign-in")
}

// TestTheReasonIsTheAddressOfThePage: a page that calls the API from elsewhere does not say
// that the address of the person is wrong.
func TestTheReasonIsTheAddressOfThePage(t *testing.T) {
	s := newScene(t, func(c *page.Config) {
		local := c.API
		c.Base, c.PublicURL = "https://tokens.example.com", "https://tokens.example.com"
		c.API = func(*http.Request) http.RoundTripper {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = "203.0.113.1:443"
			return local(r)
		}
	})
	text := s.make(httpapi.CreateRequest{SourceIPs: []string{"127.0.0.0/8"}})
	b := s.browser()
	b.post("sign-in", url.Values{"way": {"token"}, "token": {text}}).expect(http.StatusForbidden).
		has("calls the service from an address of its own", "Use another token").hasNot("address of this request")
	session, err := exchanged(s, text)
	if err != nil {
		t.Fatal(err)
	}
	b.http.Jar.SetCookies(parsed(t, s.server.URL), []*http.Cookie{{Name: "__Host-apitoken", Value: session, Path: "/", Secure: true}})
	b.get("").expect(http.StatusForbidden).has("calls the service from an address of its own").hasNot("address of this request")
}

// exchanged opens a session with a token at the API itself, from 127.0.0.1.
func exchanged(s *scene, token string) (string, error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}
	r := httptest.NewRequest(http.MethodPost, "/v1/session/exchange", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = "127.0.0.1:1"
	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, r)
	var out struct {
		AccessToken string `json:"access_token"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &out)
	return out.AccessToken, err
}

// TestAPageRepeatsNoToken that somebody has entered into a wrong field.
func TestAPageRepeatsNoToken(t *testing.T) {
	s := newScene(t)
	s.withPasswords("sesame")
	b := s.signedIn(s.admin)
	id := "id=" + s.admin[:8]
	made, err := s.client(s.admin).Rotate(t.Context(), s.make(httpapi.CreateRequest{Name: "old"})[:8], httpapi.RotateRequest{Grace: "1H"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		form url.Values
	}{
		{"sign-in", url.Values{"way": {"password"}, "username": {s.admin}, "password": {"sesame"}}},
		{"sign-in", url.Values{"way": {"password"}, "username": {"ann"}, "password": {s.admin}}},
		{"sign-in", url.Values{"way": {"password"}, "to": {"create?name=" + s.admin}}},
		{"token?" + id, url.Values{"act": {"save"}, "name": {s.admin}}},
		{"token?" + id, url.Values{"act": {"save"}, "name": {"n"}, "description": {s.admin}}},
		{"token?id=" + made.ID, url.Values{"act": {"end-previous"}, "confirm": {s.admin}}},
		{"rotate?" + id, url.Values{"grace": {"0"}, "confirm": {s.admin}}},
		{"revoke?" + id, url.Values{"confirm": {s.admin}}},
		{"create", url.Values{"expires": {"until"}, "until": {s.admin}, "link": {s.admin}}},
		{"group", url.Values{"alias": {s.admin}, "group": {s.admin}}},
		{"settings", url.Values{"token_limit": {s.admin}, "warning_days": {s.admin}, "retention_seconds": {s.admin}}},
		{"user?user=ann", url.Values{"act": {"limit"}, "token_limit": {s.admin}}},
		{"user?user=ann", url.Values{"act": {"suspend"}, "confirm-suspend": {s.admin}}},
		{"user", url.Values{"what": {s.admin}}},
	} {
		answer := b.post(c.path, c.form)
		if answer.status < 400 || answer.status >= 500 || strings.Contains(answer.body, s.admin[9:]) {
			t.Errorf("%s %v: got %d, with the token or without a refusal:\n%s", c.path, slices.Sorted(maps.Keys(c.form)), answer.status, answer.text())
		}
	}
	answer := b.post("sign-in", url.Values{"way": {"password"}, "username": {s.admin}, "password": {"sesame"}}).has("This is a token and no user name")
	if !strings.Contains(answer.body, `id="username-wrong"`) {
		t.Errorf("the error is not at the field:\n%s", answer.body)
	}
}

func TestTheCommandHasNoSecretAndNoWordOfTheClient(t *testing.T) {
	s := newScene(t)
	for host, want := range map[string]string{
		"tokens.example.com": "https://tokens.example.com/v1/session/who-am-i", "127.0.0.1:8443": "https://127.0.0.1:8443/v1",
		"a;reboot": "https://HOST/v1", "$(reboot)": "https://HOST/v1",
	} {
		b := s.signedIn(s.admin)
		review := b.post("create", url.Values{"name": {"n"}, "expires": {"7D"}, "step": {"review"}})
		r, err := http.NewRequest(http.MethodPost, s.server.URL+"/ui/create", strings.NewReader(with(review.hidden(), "step", "make").Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Content-Type": {"application/x-www-form-urlencoded"}}
		for _, c := range b.http.Jar.Cookies(parsed(t, s.server.URL)) { // the jar looks at the host of the header
			r.AddCookie(c)
		}
		answer, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, answer)
		if answer.StatusCode == http.StatusBadRequest {
			continue // net/http refuses the host
		}
		got.expect(http.StatusOK).has(want)
		if n := strings.Count(got.body, got.secret()[9:]); n != 1 {
			t.Errorf("the secret is %d times on the page", n)
		}
		if err := s.client(s.admin).Revoke(t.Context(), got.secret()[:8]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAPersonOfAnIdentityProviderHasAPage: with the displayed name in place of the key.
func TestAPersonOfAnIdentityProviderHasAPage(t *testing.T) {
	s := newScene(t)
	owner := name.OwnerOf("work", "https://id.example.com", "7f3a")
	_, session, err := s.issuer.OpenSession(t.Context(), issuer.SignIn{
		Owner: owner, Alias: "work", Name: "Ann Example", Via: guard.ViaOIDC, Issuer: "https://id.example.com", Subject: "7f3a", UI: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.http.Jar.SetCookies(parsed(t, s.server.URL), []*http.Cookie{{Name: "__Host-apitoken", Value: session.Reveal(), Path: "/", Secure: true}})
	b.get("").expect(http.StatusOK).has("Ann Example", "0 of 5 used", "You have no token yet").hasNot(owner)
	answer, _ := b.made(url.Values{"name": {"mine"}, "expires": {"7D"}})
	id := answer.secret()[:8]
	b.get("").expect(http.StatusOK).has("mine", "1 of 5 used")
	b.get("token?id=" + id).expect(http.StatusOK).has("Disable")
	b.get("sessions").expect(http.StatusOK).has("Signed in at an identity provider", "This session")
	b.post("sign-out", nil).to("sign-in?ended=signed-out")
	if _, err := s.client(answer.secret()).GetSelf(t.Context()); err != nil {
		t.Errorf("the token ends with the session: %v", err)
	}
}

// TestAFailedSignInAtAnIssuerLooksLikeThePage, with its policy.
func TestAFailedSignInAtAnIssuerLooksLikeThePage(t *testing.T) {
	s := newScene(t)
	s.api.(*switched).Handler = s.handler(func(c *machine.Config) { c.SignInForm = page.SignInForm })
	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ui/login?issuer=nobody", nil))
	if answer.Code < 400 || !strings.Contains(answer.Body.String(), `href="style.css?v=`) || !strings.Contains(answer.Header().Get("Content-Security-Policy"), "style-src 'self'") {
		t.Errorf("got %d %s\n%s", answer.Code, answer.Header().Get("Content-Security-Policy"), answer.Body)
	}
}
