package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/identity"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/signin"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

const (
	exchangePath = "/v1/session/exchange"
	issuersPath  = "/v1/session/issuers"

	tokenType = "urn:ietf:params:oauth:token-type:"
	grantType = "urn:ietf:params:oauth:grant-type:token-exchange"
)

type claims = map[string]any

// isForBrowsers reports whether a path answers with pages for people.
func isForBrowsers(path string) bool { return strings.HasPrefix(path, "/ui/") }

// withProvider starts a provider with the alias work, and a service that trusts it.
func (w *scene) withProvider(change ...func(*oidc.Issuer)) *oidctest.Provider {
	w.t.Helper()
	p := oidctest.Start(w.t, w.clock)
	id, text := p.Client()
	i := oidc.Issuer{Alias: "work", URL: p.URL(), ClientID: id, Secret: secret.New(text), CLIClientID: "cli", Audiences: []string{"api"}, GroupsClaim: "groups"}
	for _, f := range change {
		f(&i)
	}
	w.identities = oidc.New(oidc.Config{Issuers: []oidc.Issuer{i}, Now: w.clock})
	w.server.Config.Handler = w.handler()
	return p
}

// exchange exchanges a token of a type.
func (w *scene) exchange(kind, text string, more ...string) answer {
	w.t.Helper()
	return w.postForm(exchangePath, "", append([]string{"grant_type", grantType, "subject_token_type", tokenType + kind, "subject_token", text}, more...)...)
}

// opened returns the session of an exchange.
func (w *scene) opened(a answer) (httpapi.Exchanged, httpapi.Entry) {
	w.t.Helper()
	got := decodeAs[httpapi.Exchanged](w.t, a.expect(w.t, http.StatusOK, ""))
	entry := decodeAs[httpapi.Entry](w.t, w.do("GET", "/v1/auth/access-tokens/self", got.AccessToken.Reveal(), "").expect(w.t, http.StatusOK, ""))
	return got, entry
}

func (w *scene) sessions() []httpapi.Entry {
	w.t.Helper()
	return decodeAs[httpapi.List](w.t, w.do("GET", collection+"?kind=session&state=active,disabled,expired,revoked", w.admin, "").expect(w.t, http.StatusOK, "")).Entries
}

// browser is an HTTP client with cookies that follows no redirect by itself, and the
// service with TLS: browsers take a cookie with the prefix __Host- only then.
type browser struct {
	w      *scene
	server *httptest.Server
	client *http.Client
}

func (w *scene) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &browser{w: w}
	b.server = httptest.NewUnstartedServer(nil)
	b.server.StartTLS()
	w.t.Cleanup(b.server.Close)
	b.serve()
	b.client = b.server.Client()
	b.client.Jar = jar
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// serve gives the server a handler, whose public address is that of the server.
func (b *browser) serve(change ...func(*machine.Config)) {
	b.server.Config.Handler = b.w.handler(append(change, func(c *machine.Config) { c.PublicURL = b.server.URL })...)
}

func (b *browser) get(address string) answer {
	b.w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.server.URL + address
	}
	r, err := b.client.Get(address)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return answer{method: "GET", path: r.Request.URL.Path, status: r.StatusCode, header: r.Header, body: body}
}

// toProvider begins a sign-in, goes to the provider, and returns the address that the
// provider sends the browser back to.
func (b *browser) toProvider(query string) string {
	b.w.t.Helper()
	a := b.get("/ui/login?" + query)
	if a.status != http.StatusSeeOther {
		b.w.t.Fatalf("got %d %s", a.status, a.body)
	}
	back := b.get(a.header.Get("Location")).header.Get("Location")
	if !strings.HasPrefix(back, b.server.URL+"/ui/callback?") {
		b.w.t.Fatalf("the provider sends the browser to %q", back)
	}
	return back
}

// signIn signs in, and returns the last answer.
func (b *browser) signIn(query string) answer {
	b.w.t.Helper()
	return b.get(b.toProvider(query))
}

// cookies returns the cookies of the browser by their names.
func (b *browser) cookies() map[string]string {
	b.w.t.Helper()
	u, err := url.Parse(b.server.URL)
	if err != nil {
		b.w.t.Fatal(err)
	}
	found := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		found[c.Name] = c.Value
	}
	return found
}

// page fails the test unless the answer is a page with this status and code.
func (s answer) page(t *testing.T, status int, code string) {
	t.Helper()
	if s.status != status || !strings.HasPrefix(s.header.Get("Content-Type"), "text/html") || !strings.Contains(string(s.body), "Code "+code+",") {
		t.Errorf("got %d %s %s, want a page with %d %s", s.status, s.header.Get("Content-Type"), s.body, status, code)
	}
}

// TestAPersonSignsInWithABrowser is the whole way.
func TestAPersonSignsInWithABrowser(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	if _, err := w.issuer.SetGroup(t.Context(), guard.Principal{Owner: "admin", Kind: guard.KindToken, Credential: guard.CredentialCurrent}, "work", "admins", []string{"view"}); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	p.SignIn(claims{"sub": "ann", "name": "Ann B", "groups": []string{"admins", "all"}, "email": "ann@example.com"})
	a := b.signIn("issuer=work&to=" + url.QueryEscape("/ui/create?name=a%20b"))
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "./create?name=a%20b" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s", a.status, a.header, a.body)
	}
	for _, line := range a.header["Set-Cookie"] {
		for _, part := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(line, part) || strings.Contains(line, "Domain") {
				t.Errorf("the cookie %q lacks %q, or has a domain", line, part)
			}
		}
		if strings.HasPrefix(line, signin.SessionCookie+"=") && (strings.Contains(line, "Max-Age") || strings.Contains(line, "Expires")) {
			t.Errorf("the cookie of the session outlives the browser, and so the page's note of its last use: %q", line)
		}
	}
	cookies := b.cookies()
	session, begun := cookies[signin.SessionCookie], cookies["__Host-apitoken-login"]
	if session == "" || begun != "" {
		t.Fatalf("the browser has the cookies %v", cookies)
	}
	self := decodeAs[httpapi.Entry](t, w.do("GET", "/v1/auth/access-tokens/self", session, "").expect(t, http.StatusOK, ""))
	owner := name.OwnerOf("work", p.URL(), "ann")
	if self.Kind != "session" || self.Via != "oidc" || self.User.AuthID != owner || self.ExpirationTime.Sub(self.CreationTime.Time) != 12*time.Hour {
		t.Errorf("got %+v, want a session of %s for 12 hours", self, owner)
	}
	me := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", session, "").expect(t, http.StatusOK, ""))
	if !slices.Equal(me.Permissions, []string{"view"}) {
		t.Errorf("the session has the permissions %v, want those of the group", me.Permissions)
	}
	made := decodeAs[httpapi.Created](t, w.do("POST", collection, session, `{"name":"mine"}`).expect(t, http.StatusOK, ""))
	if made.User.AuthID != owner || !made.ExpirationTime.IsZero() {
		t.Errorf("got %+v, want a token of %s that is not bound by the session", made.Entry, owner)
	}
	if log := w.log.String(); strings.Contains(log, "code=") || strings.Contains(log, session) || strings.Contains(log, "ann@example.com") {
		t.Errorf("the log has a secret:\n%s", log)
	}
}

// TestASecondSignInEndsTheEarlierSessionOfTheBrowser, whoever had it. Nothing else ends: no
// session of another browser, and no token that somebody put into the cookie.
func TestASecondSignInEndsTheEarlierSessionOfTheBrowser(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	_, text := w.make(httpapi.CreateRequest{User: named("ann")})
	b, other := w.browser(), w.browser()
	state := func(session string) string {
		got := w.do("GET", "/v1/auth/access-tokens/self", session, "")
		if got.status == http.StatusOK {
			return "open"
		}
		return decodeAs[httpapi.Problem](t, got).Code
	}
	p.SignIn(claims{"sub": "ann"})
	other.signIn("issuer=work")
	b.signIn("issuer=work")
	first := b.cookies()[signin.SessionCookie]
	p.SignIn(claims{"sub": "bob"})
	if a := b.signIn("issuer=work"); a.status != http.StatusSeeOther {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	second := b.cookies()[signin.SessionCookie]
	if got := state(first); got != "token_revoked" {
		t.Errorf("the earlier session: got %s, want token_revoked", got)
	}
	if got := state(second) + " " + state(other.cookies()[signin.SessionCookie]); got != "open open" {
		t.Errorf("the new session, and the one of another browser: got %s", got)
	}
	history := w.do("GET", "/v1/auth/access-tokens/"+first[:8]+"/events", w.admin, "").expect(t, http.StatusOK, "")
	if !strings.Contains(string(history.body), `"sign_out"`) {
		t.Errorf("the history of the earlier session lacks the cause: %s", history.body)
	}
	at, err := url.Parse(b.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{text, first, "none", "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"} {
		b.client.Jar.SetCookies(at, []*http.Cookie{{Name: signin.SessionCookie, Value: value, Path: "/", Secure: true}})
		if a := b.signIn("issuer=work"); a.status != http.StatusSeeOther {
			t.Errorf("with another cookie: got %d %s", a.status, a.body)
		}
	}
	if got := state(text); got != "open" {
		t.Errorf("a token in the cookie: got %s", got)
	}
	if log := w.log.String(); strings.Contains(log, "could not be closed") || strings.Contains(log, first) {
		t.Errorf("the log has a fault or a session:\n%s", log)
	}
}

// TestTwoPeopleWithOneEMailStayTwo also if they have one name, and at two issuers.
func TestTwoPeopleWithOneEMailStayTwo(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	owners := map[string]bool{}
	for _, sub := range []string{"1", "2", "1"} {
		_, entry := w.opened(w.exchange("id_token", p.JWT(claims{"sub": sub, "email": "ann@example.com", "preferred_username": "ann", "name": "Ann"})))
		owners[entry.User.AuthID] = true
	}
	other := w.withProvider()
	_, entry := w.opened(w.exchange("id_token", other.JWT(claims{"sub": "1", "email": "ann@example.com"})))
	owners[entry.User.AuthID] = true
	if len(owners) != 3 {
		t.Errorf("got the owners %v, want three", owners)
	}
}

// TestTwoIssuersSignIn: each sends the browser back to an address of its own, and an answer
// that comes to the other one's address signs nobody in.
func TestTwoIssuersSignIn(t *testing.T) {
	w := newScene(t)
	var issuers []oidc.Issuer
	providers := map[string]*oidctest.Provider{}
	for _, alias := range []string{"work", "home"} {
		p := oidctest.Start(t, w.clock)
		id, text := p.Client()
		providers[alias] = p
		issuers = append(issuers, oidc.Issuer{Alias: alias, URL: p.URL(), ClientID: id, Secret: secret.New(text)})
	}
	w.identities = oidc.New(oidc.Config{Issuers: issuers, Now: w.clock})
	b := w.browser()
	for alias, p := range providers {
		p.SignIn(claims{"sub": "ann"})
		back := b.toProvider("issuer=" + alias)
		if a := b.get(back); !strings.Contains(back, "issuer="+alias) || a.status != http.StatusSeeOther {
			t.Fatalf("%s: the browser comes back to %s, got %d %s", alias, back, a.status, a.body)
		}
		self := decodeAs[httpapi.Entry](t, w.do("GET", "/v1/auth/access-tokens/self", b.cookies()[signin.SessionCookie], "").expect(t, http.StatusOK, ""))
		if want := name.OwnerOf(alias, p.URL(), "ann"); self.User.AuthID != want {
			t.Errorf("%s: signed in as %s, want %s", alias, self.User.AuthID, want)
		}
	}
	for _, change := range []func(string) string{
		func(back string) string { return strings.Replace(back, "issuer=work", "issuer=home", 1) },
		func(back string) string { return strings.Replace(back, "issuer=work", "", 1) },
		func(back string) string { return back + "&issuer=work" },
	} {
		b.get(change(b.toProvider("issuer=work"))).page(t, http.StatusBadRequest, identity.CodeRefused)
	}
}

// TestAForgedCallbackSignsNobodyIn: a link to the callback must not sign a person in as
// somebody else.
func TestAForgedCallbackSignsNobodyIn(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	attacker, victim := w.browser(), w.browser()
	victim.server, victim.client.Transport = attacker.server, attacker.client.Transport

	forged := attacker.toProvider("issuer=work")
	victim.get(forged).page(t, http.StatusBadRequest, identity.CodeRefused) // has begun nothing
	own := victim.toProvider("issuer=work")
	victim.get(forged).page(t, http.StatusBadRequest, identity.CodeRefused) // has begun another one
	victim.get(own).page(t, http.StatusBadRequest, identity.CodeRefused)    // which ended with that
	if victim.cookies()[signin.SessionCookie] != "" || len(w.sessions()) != 0 {
		t.Error("the victim was signed in")
	}
	p.SendIssuer("https://evil.example.com")
	victim.signIn("issuer=work").page(t, http.StatusBadRequest, identity.CodeRefused)
	p.SendIssuer(p.URL())
	if a := victim.signIn("issuer=work"); a.status != http.StatusSeeOther {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestACallbackWorksOnce: the address of a callback is in the history of the browser.
func TestACallbackWorksOnce(t *testing.T) {
	w := newScene(t)
	w.withProvider()
	b := w.browser()
	back := b.toProvider("issuer=work")
	begun := b.cookies()["__Host-apitoken-login"]
	if a := b.get(back); a.status != http.StatusSeeOther {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	b.get(back).page(t, http.StatusBadRequest, identity.CodeRefused)
	u, _ := url.Parse(b.server.URL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-apitoken-login", Value: begun, Path: "/", Secure: true}}) // put back
	b.get(back).page(t, http.StatusBadRequest, identity.CodeRefused)
	if n := len(w.sessions()); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// TestTheCookieOfASignIn is sealed, and lasts ten minutes.
func TestTheCookieOfASignIn(t *testing.T) {
	w := newScene(t)
	w.withProvider()
	b := w.browser()
	u, _ := url.Parse(b.server.URL)
	put := func(value string) {
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-apitoken-login", Value: value, Path: "/", Secure: true}})
	}
	back := b.toProvider("issuer=work")
	good := b.cookies()["__Host-apitoken-login"]
	kid, sealed, _ := strings.Cut(good, ".")
	if kid != "k1" || strings.Contains(sealed, "{") {
		t.Errorf("the cookie is %q", good)
	}
	flipped := "A"
	if sealed[9] == 'A' {
		flipped = "B"
	}
	for _, value := range []string{"", "x", "k1.", "k1.AAAA", "k2." + sealed, kid + "." + sealed[:9] + flipped + sealed[10:], good + "A", sealed} {
		put(value)
		b.get(back).page(t, http.StatusBadRequest, identity.CodeRefused)
	}
	w.sleep(10*time.Minute - time.Second)
	put(good)
	if a := b.get(back); a.status != http.StatusSeeOther {
		t.Errorf("before ten minutes: got %d %s", a.status, a.body)
	}
	back = b.toProvider("issuer=work")
	w.sleep(10 * time.Minute)
	b.get(back).page(t, http.StatusBadRequest, identity.CodeRefused)

	// A new pepper is listed second and then first, so another one opens the cookie too.
	back = b.toProvider("issuer=work")
	both, err := events.ParseKeys("k2:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32)) + ",k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	b.serve(func(c *machine.Config) { c.Keys = both })
	if a := b.get(back); a.status != http.StatusSeeOther {
		t.Errorf("after a new pepper: got %d %s", a.status, a.body)
	}
}

// TestASignInEndsAtAPageOfTheService and at no other place that a link could name.
func TestASignInEndsAtAPageOfTheService(t *testing.T) {
	w := newScene(t)
	w.withProvider()
	b := w.browser()
	for to, want := range map[string]string{
		"": "./", "/ui/": "./", "/ui/tokens/JhxND7ci": "./tokens/JhxND7ci", "/ui/create?name=a%2Fb&scopes=GET:/x,POST:/y": "./create?name=a%2Fb&scopes=GET:/x,POST:/y",
		"/ui/javascript": "./javascript",
	} {
		query := "issuer=work"
		if to != "" {
			query += "&to=" + url.QueryEscape(to)
		}
		a := b.signIn(query)
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != want {
			t.Errorf("%q: got %d %q, want %q", to, a.status, got, want)
		}
		at, err := url.Parse(b.server.URL + "/prod/ui/callback")
		if err != nil {
			t.Fatal(err)
		}
		if end, err := at.Parse(a.header.Get("Location")); err != nil || !strings.HasPrefix(end.String(), b.server.URL+"/prod/ui/") {
			t.Errorf("%q: below a stage the browser goes to %v (%v)", to, end, err)
		}
	}
	for _, to := range []string{
		"https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "/ui/../x", "/ui/%2e%2e/x", "/ui/./x", "/ui//evil.example.com", "/ui", "ui/", "/uix/", "/UI/",
		"/ui/\r\nSet-Cookie: x", "/ui/\t", "/ui/a b", "/ui/ä", "/ui/a:b", "javascript:alert(1)", "/ui/x#y", "/ui/x?<b>", "/ui/login?issuer=work", "/ui/callback", "/ui/callback/", "/v1/session/exchange",
		"/ui/" + strings.Repeat("a", 1024),
	} {
		a := b.get("/ui/login?issuer=work&to=" + url.QueryEscape(to))
		a.page(t, http.StatusBadRequest, "invalid_parameter")
		if strings.Contains(string(a.body), "evil") {
			t.Errorf("the page repeats %q: %s", to, a.body)
		}
	}
}

// TestProblemsOfASignInArePages that a person can read, and that run nothing.
func TestProblemsOfASignInArePages(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	b := w.browser()
	for query, part := range map[string]string{
		"issuer=wrok": "&#34;wrok&#34;; allowed: work", "": "allowed: work", "issuer=work&surplus=1": "surplus is unknown", "issuer=work&issuer=work": "more than once",
		"issuer=" + url.QueryEscape("<script>"): "&lt;script&gt;",
	} {
		a := b.get("/ui/login?" + query)
		a.page(t, http.StatusBadRequest, "invalid_parameter")
		if !strings.Contains(string(a.body), part) || a.header.Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'" {
			t.Errorf("%s: got %v %s, want %q", query, a.header, a.body, part)
		}
	}
	p.SignIn(claims{"_claim_names": claims{"groups": "s"}, "_claim_sources": claims{"s": claims{}}})
	b.signIn("issuer=work").page(t, http.StatusForbidden, identity.CodeOverage)
	b.get("/ui/callback?%zz").page(t, http.StatusBadRequest, identity.CodeRefused)

	b.serve(func(c *machine.Config) {
		c.SignInForm = func(p *machine.Problem) machine.Form {
			return machine.Form{Status: p.Status, Type: "text/html", Document: []byte("pretty " + p.Code), Policy: "style-src 'self'"}
		}
	})
	if a := b.get("/ui/callback"); string(a.body) != "pretty sign_in_refused" || a.header.Get("Content-Security-Policy") != "style-src 'self'" {
		t.Errorf("got %v %s, want the form of the configuration", a.header, a.body)
	}
}

// TestAProviderThatIsDown: sign-ins answer 503, and what is signed in stays so.
func TestAProviderThatIsDown(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	b := w.browser()
	got, _ := w.opened(w.exchange("id_token", p.JWT(nil)))
	jwt, back := p.JWT(nil), b.toProvider("issuer=work")
	p.Down(true)
	w.sleep(9 * time.Minute)
	b.get(back).page(t, http.StatusServiceUnavailable, "unavailable")
	w.sleep(time.Minute) // what the provider published is older than ten minutes
	for range 2 {
		a := w.exchange("jwt", jwt)
		a.refused(t, http.StatusServiceUnavailable, "temporarily_unavailable", "unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("the answer has no Retry-After")
		}
		b.get("/ui/login?issuer=work").page(t, http.StatusServiceUnavailable, "unavailable")
	}
	w.do("GET", "/v1/session/who-am-i", got.AccessToken.Reveal(), "").expect(t, http.StatusOK, "")
	if log := w.log.String(); !strings.Contains(log, "asking issuer work for its metadata") || strings.Contains(log, jwt) {
		t.Errorf("the log does not say what was down, or has the JWT:\n%s", log)
	}
}

// TestWithoutIssuers: tokens still open sessions.
func TestWithoutIssuers(t *testing.T) {
	w := newScene(t)
	b := w.browser()
	b.get("/ui/login?issuer=work").page(t, http.StatusNotFound, "path_not_found")
	b.get("/ui/callback").page(t, http.StatusNotFound, "path_not_found")
	w.exchange("jwt", "a.b.c").refused(t, http.StatusBadRequest, "invalid_request", "invalid_parameter")
	if got := decodeAs[httpapi.SignInWays](t, w.do("GET", issuersPath, "", "")); len(got.Issuers) != 0 || got.Password {
		t.Errorf("got %+v", got)
	}
	w.opened(w.exchange("access_token", w.admin))
	w.withProvider()
	for _, path := range []string{"/ui/login?issuer=work", "/ui/callback"} { // without a public address
		handler := w.handler(func(c *machine.Config) { c.PublicURL = "" })
		handle(handler, httptest.NewRequest("GET", path, nil)).page(t, http.StatusNotFound, "path_not_found")
	}
}

func TestIssuersAreKnownToEverybody(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	got := decodeAs[httpapi.SignInWays](t, w.do("GET", issuersPath, "", "").expect(t, http.StatusOK, ""))
	want := httpapi.SignInIssuer{Alias: "work", Issuer: p.URL(), ClientID: "cli", Device: true, Browser: true}
	if len(got.Issuers) != 1 || got.Issuers[0] != want {
		t.Errorf("got %+v, want %+v", got.Issuers, want)
	}
}

// TestWhatAnExchangeOpens: a person's session is not bound, a program's is.
func TestWhatAnExchangeOpens(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	for _, row := range []struct {
		name, kind string
		changes    claims
		max        time.Duration
		via        string
		life       time.Duration
		bound      bool
	}{
		{"ID token", "id_token", nil, 0, "oidc", 12 * time.Hour, false},
		{"ID token of the command line", "id_token", claims{"aud": "cli"}, time.Hour, "oidc", 12 * time.Hour, false},
		{"the same, sent as a JWT", "jwt", nil, 0, "exchange", 10 * time.Minute, true},
		{"old ID token", "id_token", claims{"iat": w.now.Add(-6 * time.Minute).Unix()}, 0, "exchange", 10 * time.Minute, true},
		{"JWT of a program", "jwt", claims{"aud": "api"}, 0, "exchange", 10 * time.Minute, true},
		{"JWT of a program with a setting", "jwt", claims{"aud": "api"}, 3 * time.Hour, "exchange", 3 * time.Hour, true},
		{"long JWT", "jwt", claims{"aud": "api", "exp": w.now.Add(48 * time.Hour).Unix()}, 0, "exchange", 12 * time.Hour, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.identities = withMaxSession(p, w.clock, row.max)
			w.server.Config.Handler = w.handler()
			person := claims{"sub": row.name}
			maps.Copy(person, row.changes)
			got, entry := w.opened(w.exchange(row.kind, p.JWT(person)))
			life := entry.ExpirationTime.Sub(entry.CreationTime.Time)
			if entry.Via != row.via || life > row.life || life <= row.life-time.Second || got.TokenType != "Bearer" || got.IssuedTokenType != tokenType+"access_token" {
				t.Errorf("got %+v for %s, %+v", entry, life, got)
			}
			if left := time.Duration(got.ExpiresIn) * time.Second; left > life || left <= life-time.Second {
				t.Errorf("expires_in is %s, want %s", left, life)
			}
			made := decodeAs[httpapi.Created](t, w.do("POST", collection, got.AccessToken.Reveal(), `{"name":"mine"}`).expect(t, http.StatusOK, ""))
			if bound := !made.ExpirationTime.IsZero(); bound != row.bound || bound && made.ExpirationTime.After(entry.ExpirationTime.Time) {
				t.Errorf("a token that the session makes expires at %v, the session at %v", made.ExpirationTime, entry.ExpirationTime)
			}
		})
	}
}

func withMaxSession(p *oidctest.Provider, now func() time.Time, most time.Duration) *oidc.Providers {
	id, text := p.Client()
	return oidc.New(oidc.Config{Now: now, Issuers: []oidc.Issuer{{
		Alias: "work", URL: p.URL(), ClientID: id, Secret: secret.New(text), CLIClientID: "cli", Audiences: []string{"api"}, MaxSession: most,
	}}})
}

// TestAMappedClaimIsTheUserOfTheDirectory, so people see their older tokens.
func TestAMappedClaimIsTheUserOfTheDirectory(t *testing.T) {
	w := newScene(t)
	p := w.withProvider(func(i *oidc.Issuer) { i.MapClaim = "sam" })
	old, _ := w.make(httpapi.CreateRequest{User: &name.Identity{Domain: "ACTIVE_DIRECTORY", Name: "ann"}})
	got, entry := w.opened(w.exchange("id_token", p.JWT(claims{"sam": "ANN"})))
	if entry.User.Domain != "ACTIVE_DIRECTORY" || entry.User.Name != "ann" {
		t.Errorf("got %+v", entry.User)
	}
	w.do("GET", collection+old.ID, got.AccessToken.Reveal(), "").expect(t, http.StatusOK, "")
	for _, sam := range []any{nil, "", "a\nb", strings.Repeat("a", 300), 7} {
		w.exchange("id_token", p.JWT(claims{"sam": sam})).refused(t, http.StatusBadRequest, "invalid_request", identity.CodeInvalid)
	}
}

// TestAnExchangeRefuses has what a client can get wrong.
func TestAnExchangeRefuses(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	_, text := w.make(httpapi.CreateRequest{User: named("ann"), SourceIPs: []string{"192.0.2.0/24"}})
	ended, endedText := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("DELETE", collection+ended.ID, w.admin, "").expect(t, http.StatusOK, "")
	session, _ := w.opened(w.exchange("access_token", w.admin))
	good := []string{"grant_type", grantType, "subject_token_type", tokenType + "jwt", "subject_token", p.JWT(nil)}
	change := func(pairs ...string) []string {
		out := slices.Clone(good)
		for i := 0; i < len(pairs); i += 2 {
			if at := slices.Index(out, pairs[i]); at >= 0 {
				out[at+1] = pairs[i+1]
				continue
			}
			out = append(out, pairs[i], pairs[i+1])
		}
		return out
	}
	for _, row := range []struct {
		form                []string
		status              int
		oauth, code, detail string
	}{
		{change("grant_type", "password"), 400, "unsupported_grant_type", "invalid_parameter", grantType},
		{change("grant_type", ""), 400, "unsupported_grant_type", "invalid_parameter", "missing"},
		{change("subject_token_type", tokenType+"saml2"), 400, "invalid_request", "invalid_parameter", "id_token"},
		{change("subject_token", ""), 400, "invalid_request", "invalid_parameter", "missing"},
		{change("requested_token_type", tokenType+"refresh_token"), 400, "invalid_request", "invalid_parameter", "access_token"},
		{change("actor_token", "x"), 400, "invalid_request", "invalid_parameter", "actor_token"},
		{change("scope", "x"), 400, "invalid_request", "invalid_parameter", "scope"},
		{change("ui", "yes"), 400, "invalid_request", "invalid_parameter", "true, false"},
		{append(slices.Clone(good), "subject_token", "x"), 400, "invalid_request", "invalid_parameter", "2 times"},
		{change("subject_token", w.admin), 400, "invalid_request", "invalid_parameter", "access_token"},
		{change("subject_token", "x"), 400, "invalid_request", "identity_malformed", "three parts"},
		{change("subject_token", strings.Repeat("x", 40<<10)), 400, "invalid_request", "identity_malformed", "32768"},
		{change("subject_token", p.JWT(claims{"aud": "other"})), 400, "invalid_request", "identity_invalid", "audience"},
		{change("subject_token", p.JWT(claims{"exp": 1})), 400, "invalid_request", "identity_expired", "1970"},
		{change("subject_token", p.JWT(claims{"exp": w.now.Add(-30 * time.Second).Unix()})), 400, "invalid_request", "identity_expired", "expired"},
		{change("subject_token", p.JWT(claims{"hasgroups": true})), 403, "invalid_request", "permission_denied_groups_overage", "groups"},
		{change("subject_token_type", tokenType+"access_token"), 400, "invalid_request", "token_malformed", "no token of this service"},
		{change("subject_token_type", tokenType+"access_token", "subject_token", endedText), 400, "invalid_request", "token_revoked", "revoked"},
		{change("subject_token_type", tokenType+"access_token", "subject_token", secret.Mint("").Text().Reveal()), 400, "invalid_request", "token_invalid", "not valid"},
		{change("subject_token_type", tokenType+"access_token", "subject_token", text), 403, "invalid_request", "permission_denied_by_source", "address"},
		{change("subject_token_type", tokenType+"access_token", "subject_token", session.AccessToken.Reveal()), 403, "invalid_request", "permission_denied_by_credential", "session"},
	} {
		a := w.postForm(exchangePath, "", row.form...)
		e := a.refused(t, row.status, row.oauth, row.code)
		if !strings.Contains(e.Description, row.detail) || a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("got %+v %v, want %q and no challenge", e, a.header, row.detail)
		}
	}
	if n := len(w.sessions()); n != 1 {
		t.Errorf("%d sessions, want only that of the token", n)
	}
	w.postForm(exchangePath, "garbage", change("audience", "x", "resource", "https://x", "ui", "true")...).expect(t, http.StatusOK, "") // ignores a header, and targets
}

// TestASessionFromAToken keeps what the token may do, also if it is pasted with a line
// end.
func TestASessionFromAToken(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"GET /v1/*"}, ExpiresIn: "1H"})
	got, entry := w.opened(w.exchange("access_token", text+"\n", "ui", "true"))
	if entry.Via != "token" || !slices.Equal(entry.Scopes, []string{"GET /v1/*"}) || entry.ExpirationTime != made.ExpirationTime || entry.User.Name != "ann" {
		t.Errorf("got %+v", entry)
	}
	w.do("POST", collection, got.AccessToken.Reveal(), `{}`).expect(t, http.StatusForbidden, "permission_denied_by_scope")
	used := decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID, w.admin, ""))
	if used.LastUsed.IsZero() {
		t.Error("the exchange did not count as a use of the token")
	}
	if log := w.log.String(); strings.Contains(log, strings.SplitN(text, ".", 2)[1]) || !strings.Contains(log, `"operation":"exchange"`) {
		t.Errorf("the log has the token, or no line:\n%s", log)
	}
}

// TestTheThirtyFirstSignInOfAnHourIsA429 that says when to come back, for an exchange and in a
// browser. Of the sessions before, twenty are left.
func TestTheThirtyFirstSignInOfAnHourIsA429(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	b := w.browser()
	for range session.MaxSignIns {
		w.opened(w.exchange("id_token", p.JWT(claims{"sub": "ann"})))
	}
	a := w.exchange("id_token", p.JWT(claims{"sub": "ann"}))
	a.refused(t, http.StatusTooManyRequests, "invalid_request", "sign_in_rate_exceeded")
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 3600 {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	p.SignIn(claims{"sub": "ann"})
	b.signIn("issuer=work").page(t, http.StatusTooManyRequests, "sign_in_rate_exceeded")
	if b.cookies()[signin.SessionCookie] != "" {
		t.Error("the browser has a session")
	}
	live := decodeAs[httpapi.List](t, w.do("GET", collection+"?kind=session&state=active", w.admin, "").expect(t, http.StatusOK, "")).Entries
	if len(live) != session.MaxSessions {
		t.Errorf("%d sessions are live, want %d", len(live), session.MaxSessions)
	}
	w.sleep(time.Duration(wait) * time.Second)
	w.opened(w.exchange("id_token", p.JWT(claims{"sub": "ann"})))
}

// TestASuspendedPersonCannotSignIn and too many sign-ins wait.
func TestASuspendedPersonCannotSignIn(t *testing.T) {
	w := newScene(t)
	p := w.withProvider()
	b := w.browser()
	for range 30 {
		w.exchange("id_token", p.JWT(claims{"sub": "bob"})).expect(t, http.StatusOK, "")
	}
	a := w.exchange("id_token", p.JWT(claims{"sub": "bob"}))
	a.refused(t, http.StatusTooManyRequests, "invalid_request", "sign_in_rate_exceeded")
	if a.header.Get("Retry-After") == "" {
		t.Error("the answer has no Retry-After")
	}
	owner := name.OwnerOf("work", p.URL(), "ann")
	w.do("PUT", "/v1/users/"+url.PathEscape(owner)+"/suspension", w.admin, `{}`).expect(t, http.StatusOK, "")
	w.exchange("id_token", p.JWT(claims{"sub": "ann"})).refused(t, http.StatusConflict, "invalid_request", "user_suspended")
	p.SignIn(claims{"sub": "ann"})
	b.signIn("issuer=work").page(t, http.StatusConflict, "user_suspended")
}
