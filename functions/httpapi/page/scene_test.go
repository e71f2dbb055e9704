package page_test

import (
	"bytes"
	"encoding/base64"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/page"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// scene is the API on the real embedded store, with the page in front of it.
type scene struct {
	t      *testing.T
	issuer *issuer.Issuer
	reads  *reads
	api    http.Handler
	server *httptest.Server
	log    *apitest.Log
	admin  string // a token of a user with every permission

	mu  sync.Mutex
	now time.Time
}

const deployment = "51af3dc0-da77-11e4-872e-1234567db123"

// newScene starts the page. The functions in change may change its configuration.
func newScene(t *testing.T, change ...func(*page.Config)) *scene {
	t.Helper()
	s := &scene{t: t, log: &apitest.Log{}, now: time.Date(2026, 11, 21, 20, 59, 57, 0, time.UTC)}
	keys, err := events.ParseKeys("k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.reads = &reads{Store: bolttest.OpenFile(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})}
	s.issuer = issuer.New(issuer.Config{Store: s.reads, Keys: keys, Now: s.clock})
	_, text, err := s.issuer.Bootstrap(t.Context(), "admin", false)
	if err != nil {
		t.Fatal(err)
	}
	s.admin = text.Reveal()
	s.api = &switched{Handler: s.handler()}
	c := page.Config{API: page.InProcess(s.api), Source: peer, Logger: s.logger(), Now: s.clock}
	for _, f := range change {
		f(&c)
	}
	s.server = httptest.NewTLSServer(page.New(c))
	t.Cleanup(s.server.Close)
	return s
}

func (s *scene) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(s.log, nil)) }

// handler returns the API. The functions in change may change its configuration.
func (s *scene) handler(change ...func(*machine.Config)) http.Handler {
	c := machine.Config{
		Issuer: s.issuer, Guard: s.issuer.Guard(), Version: "1.2.3", Deployment: deployment, Now: s.clock, Logger: s.logger(),
	}
	for _, f := range change {
		f(&c)
	}
	return machine.New(c, faces.All()...)
}

func peer(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr()
}

func (s *scene) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *scene) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// client returns the Go client of the API with a token.
func (s *scene) client(token string) *httpapi.Client {
	browser := httptest.NewRequest(http.MethodGet, "/", nil)
	browser.RemoteAddr = "127.0.0.1:1"
	return httpapi.NewClient("http://api.invalid", secret.New(token), &http.Client{Transport: page.InProcess(s.api)(browser)})
}

// make creates a token for a user and returns its text.
func (s *scene) make(in httpapi.CreateRequest) string {
	s.t.Helper()
	made, err := s.client(s.admin).Create(s.t.Context(), in)
	if err != nil {
		s.t.Fatalf("creating a token: %v", err)
	}
	return made.BearerToken.Reveal()
}

// browser has the cookies of one person. It follows no redirect.
type browser struct {
	*scene
	http *http.Client
}

func (s *scene) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s, &http.Client{
		Transport: s.server.Client().Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signedIn returns a browser that has signed in with a token.
func (s *scene) signedIn(token string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post("sign-in", url.Values{"way": {"token"}, "token": {token}}).expect(http.StatusSeeOther)
	return b
}

// cookie returns the value of a cookie of the browser, "" if it has none.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	for _, c := range b.http.Jar.Cookies(parsed(b.t, b.server.URL+page.Under)) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// seen is what a browser got.
type seen struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (b *browser) get(path string) seen { return b.send(http.MethodGet, path, nil, nil) }

// post sends a form as a browser does from the page itself.
func (b *browser) post(path string, form url.Values) seen {
	return b.send(http.MethodPost, path, http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {b.server.URL}}, form)
}

func (b *browser) send(method, path string, header http.Header, form url.Values) seen {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+page.Under+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{b.t, answer.StatusCode, answer.Header, string(body)}
}

func (s seen) expect(status int) seen {
	s.t.Helper()
	if s.status != status {
		s.t.Fatalf("got status %d, want %d:\n%s", s.status, status, s.text())
	}
	return s
}

// to checks that the answer leads to an address of the page.
func (s seen) to(address string) seen {
	s.t.Helper()
	s.expect(http.StatusSeeOther)
	if got := s.header.Get("Location"); got != address {
		s.t.Fatalf("got Location %q, want %q", got, address)
	}
	return s
}

// has checks that the text of the page has each of the texts.
func (s seen) has(texts ...string) seen {
	s.t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.text(), text) {
			s.t.Errorf("the page lacks %q:\n%s", text, s.text())
		}
	}
	return s
}

func (s seen) hasNot(texts ...string) seen {
	s.t.Helper()
	for _, text := range texts {
		if strings.Contains(s.body, text) || strings.Contains(s.text(), text) {
			s.t.Errorf("the page has %q:\n%s", text, s.text())
		}
	}
	return s
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
	input  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	shown  = regexp.MustCompile(`data-secret>\n([^<]*)</textarea>`)
)

// text is what a person reads.
func (s seen) text() string {
	return blanks.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(s.body, " ")), " ")
}

// hidden returns the hidden fields of the page.
func (s seen) hidden() url.Values {
	form := url.Values{}
	for _, m := range input.FindAllStringSubmatch(s.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// secret returns the token that the page shows, "" if it shows none.
func (s seen) secret() string {
	m := shown.FindStringSubmatch(s.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// with returns the form with more fields: names and values in turn.
func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = values
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

func read(t *testing.T, answer *http.Response) seen {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return seen{t, answer.StatusCode, answer.Header, string(body)}
}

var discard = slog.New(slog.DiscardHandler)

// switched is the API. It may change the bodies of its answers.
type switched struct {
	http.Handler
	change func(string) string
	ways   string // the answer about the ways to sign in; "": that of the API
}

func (a *switched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.ways != "" && r.URL.Path == "/v1/session/issuers":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, a.ways)
		return
	case a.change == nil:
		a.Handler.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	a.Handler.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = io.WriteString(w, a.change(answer.Body.String()))
}
