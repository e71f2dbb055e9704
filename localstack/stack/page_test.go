package stack_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
)

// browserAddress is the address of the person at the page. The page calls the API
// from another address, as a function on AWS does.
const browserAddress = "203.0.113.9"

// managedOnThePage is a visit of the page on Lambda: its package, its role and its
// routes are those of the template. Only the address of the API is another one, because
// no emulator serves a domain name of its own.
func (s *stack) managedOnThePage(t *testing.T) {
	s.servePage(t)
	ann := newUser("page")
	first := s.createToken(t, httpapi.CreateRequest{User: ann, Name: "first-of-the-page"})
	b := &browser{stack: s, cookies: map[string]string{}}

	if a := b.get(t, "/ui"); a.Status != http.StatusSeeOther {
		t.Errorf("GET /ui: got %d, want a redirect", a.Status)
	}
	if a := b.get(t, "/ui/sign-in"); a.Status != http.StatusOK {
		t.Fatalf("the form of the sign-in: got %s", a)
	}
	if a := b.get(t, "/ui/style.css"); a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style: got %d %q", a.Status, a.Header.Get("Content-Type"))
	}
	if a := b.post(t, "/ui/sign-in", url.Values{"way": {"token"}, "token": {first.BearerToken.Reveal()}}); a.Status != http.StatusSeeOther || b.cookies["__Host-apitoken"] == "" {
		t.Fatalf("the sign-in: got %s with the cookies %v", a, a.Header.Values("Set-Cookie"))
	}
	if a := b.get(t, "/ui/"); a.Status != http.StatusOK || !strings.Contains(string(a.Body), "first-of-the-page") {
		t.Errorf("the list: got %s", a)
	}

	made := b.createToken(t)
	if me, err := s.api.client(made).WhoAmI(t.Context()); err != nil || me.Name != ann.Name {
		t.Errorf("the new token: got %+v, %v, want the user %s", me, err, ann.Name)
	}
	if a := b.get(t, "/ui/token?id="+made[:8]); a.Status != http.StatusOK || strings.Contains(string(a.Body), made) {
		t.Errorf("the new token's page: got %d, or the secret again", a.Status)
	}
	s.checkMadeOnThePage(t, made[:8])

	session := b.cookies["__Host-apitoken"]
	if a := b.post(t, "/ui/sign-out", nil); a.Status != http.StatusSeeOther || b.cookies["__Host-apitoken"] != "" {
		t.Errorf("the sign-out: got %s with the cookies %v", a, a.Header.Values("Set-Cookie"))
	}
	if a := s.api.request(t, "GET", "/v1/session/who-am-i", session, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("the session after the sign-out: got %s, want 401", a)
	}
	s.rangesOnThePage(t)
	s.pageHasNoRights(t)
}

// servePage gives the function the address of a proxy in front of the stack's API, and
// the proxy's certificate.
func (s *stack) servePage(t *testing.T) {
	t.Helper()
	host, port, certificate := s.tlsProxy(t)
	path := "/2015-03-31/functions/" + s.ids["PageFunction"] + "/configuration"
	var now struct {
		Environment struct{ Variables map[string]string }
	}
	engines.Decode(t, s.root.MustSend(t, engines.Request{Service: "lambda", Method: "GET", Path: path}).Body, &now)
	variables := map[string]string{}
	maps.Copy(variables, now.Environment.Variables)
	variables["PUBLIC_URL"], variables["SSL_CERT_FILE"] = "https://"+host+":"+port, certificate
	s.root.MustSend(t, engines.Request{
		Service: "lambda", Method: "PUT", Path: path, Type: "application/json",
		Body: engines.Encode(t, object{"Environment": object{"Variables": variables}}),
	})
}

// checkMadeOnThePage checks that the log names the page, and the address of the browser.
func (s *stack) checkMadeOnThePage(t *testing.T, id string) {
	t.Helper()
	h, err := s.api.client(s.admin).TokenEvents(t.Context(), id, httpapi.HistoryQuery{})
	if err != nil || len(h.Entries) != 1 {
		t.Fatalf("the history of the new token: got %+v, %v", h, err)
	}
	m, err := events.ParseDetail(h.Entries[0])
	if err != nil || m.ActorVia != events.ViaUI || m.ActorAddress != browserAddress {
		t.Errorf("the event: got %+v, %v, want actorvia %s and actoraddress %s", m, err, events.ViaUI, browserAddress)
	}
}

// rangesOnThePage: the API sees the address of the function, also if the browser's own
// address is within the ranges.
func (s *stack) rangesOnThePage(t *testing.T) {
	t.Helper()
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("page-ranges"), SourceIPs: []string{browserAddress + "/32"}})
	b := &browser{stack: s, cookies: map[string]string{}}
	a := b.post(t, "/ui/sign-in", url.Values{"way": {"token"}, "token": {c.BearerToken.Reveal()}})
	if a.Status != http.StatusForbidden || !strings.Contains(string(a.Body), "source ranges") || len(b.cookies) > 0 {
		t.Errorf("a token with ranges: got %s with the cookies %v, want 403 with the reason", a, b.cookies)
	}
}

// pageHasNoRights: the role of the page reads and writes nothing.
func (s *stack) pageHasNoRights(t *testing.T) {
	t.Helper()
	client, table := s.assumeRole(t, s.ids["PageRole"]), s.outputs["TokenTableName"]
	for _, c := range []struct {
		service, target string
		in              object
	}{
		{"dynamodb", "DynamoDB_20120810.Query", s.partitionQuery("USER#admin")},
		{"dynamodb", "DynamoDB_20120810.GetItem", object{"TableName": table, "Key": object{"PK": object{"S": "SETTINGS"}, "SK": object{"S": "HEAD"}}}},
		{"dynamodb", "DynamoDB_20120810.Scan", object{"TableName": table}},
		{"dynamodb", "DynamoDB_20120810.PutItem", object{"TableName": table, "Item": object{"PK": object{"S": "USER#page"}, "SK": object{"S": "HEAD"}}}},
		{"secretsmanager", "secretsmanager.ListSecrets", object{}},
	} {
		if a := client.Call(t, c.service, c.target, c.in); a.OK() || !strings.Contains(string(a.Body), "AccessDenied") {
			t.Errorf("%s with the page's role: got %s, want AccessDenied", c.target, a)
		}
	}
}

// browser is a person's browser at the page.
type browser struct {
	*stack
	cookies map[string]string
}

func (b *browser) get(t *testing.T, path string) engines.Answer {
	t.Helper()
	return b.send(t, http.MethodGet, path, nil)
}

func (b *browser) post(t *testing.T, path string, form url.Values) engines.Answer {
	t.Helper()
	return b.send(t, http.MethodPost, path, form)
}

// send checks the headers that every answer has, and keeps the cookies.
func (b *browser) send(t *testing.T, method, path string, form url.Values) engines.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.api.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", browserAddress)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := *b.api.http
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := engines.Do(t, &client, r)
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") && a.Status != http.StatusSeeOther {
		t.Errorf("%s %s: got the policy %q", method, path, policy)
	}
	if kind := a.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") && a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: got Cache-Control %q, want no-store", method, path, a.Header.Get("Cache-Control"))
	}
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s %s: the cookie %s has other attributes: %+v", method, path, c.Name, c)
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return a
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	shownSecret = regexp.MustCompile(`<textarea id="secret"[^>]*>\n([^<]*)</textarea>`)
)

// createToken makes a token in two steps, and returns its text.
func (b *browser) createToken(t *testing.T) string {
	t.Helper()
	a := b.post(t, "/ui/create", url.Values{"name": {"second-of-the-page"}, "expires": {"7D"}})
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), "Nothing is made yet.") {
		t.Fatalf("the first step: got %s", a)
	}
	form := url.Values{"step": {"make"}}
	for _, f := range hiddenField.FindAllStringSubmatch(string(a.Body), -1) {
		form.Set(f[1], f[2])
	}
	a = b.post(t, "/ui/create", form)
	found := shownSecret.FindSubmatch(a.Body)
	if a.Status != http.StatusOK || found == nil || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the second step: got %d with Cache-Control %q, or no secret", a.Status, a.Header.Get("Cache-Control"))
	}
	return string(found[1])
}
