package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/oauth2-proxy/mockoidc"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/signin/signintest"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// signInService takes the place of a service: it has the calls of a sign-in, and checks the ID
// token as the service does.
type signInService struct {
	t      *testing.T
	url    string
	issuer *signintest.Issuer
	ways   httpapi.SignInWays
	answer map[string]any // of an exchange, in place of a session; nil: a session
	kind   string         // of what is open
	held   string         // a call that ends the person's command and gets no answer

	interrupt func() // ends the person's command

	mu    sync.Mutex
	open  map[string]string // the owner of each session
	calls []string
}

func newSignInService(t *testing.T) *signInService {
	t.Helper()
	s := &signInService{t: t, issuer: signintest.Start(t), open: map[string]string{}, kind: "session"}
	s.ways = httpapi.SignInWays{Issuers: []httpapi.SignInIssuer{{Alias: "corp", Issuer: s.issuer.Issuer(), ClientID: s.issuer.ClientID, Device: true}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *signInService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	if call == s.held {
		_, _ = io.Copy(io.Discard, r.Body) // net/http notices the end of the connection only then
		s.interrupt()
		<-r.Context().Done()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	w.Header().Set("Content-Type", "application/json")
	shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	owner, isOpen := s.open[shown]
	switch {
	case call == "GET /v1/session/issuers":
		s.write(w, s.ways)
	case call == "POST /v1/session/exchange":
		s.exchange(w, r)
	case call == "POST /v1/session/login":
		var in struct{ Username, Password string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Password != "sesame" {
			s.refuse(w, http.StatusUnauthorized, "password_invalid")
			return
		}
		text := s.newSession(in.Username)
		s.write(w, map[string]any{"id": text[:8], "bearer_token": text, "expiration_time": time.Now().Add(10 * time.Hour)})
	case !isOpen:
		s.refuse(w, http.StatusUnauthorized, "token_revoked")
	case call == "GET /v1/session/who-am-i":
		s.write(w, httpapi.WhoAmI{Name: owner, User: name.Identity{Name: owner}})
	case call == "GET /v1/auth/access-tokens/self":
		s.write(w, httpapi.Entry{ID: shown[:8], Kind: s.kind})
	case call == "DELETE /v1/auth/access-tokens/self":
		delete(s.open, shown)
		s.write(w, struct{}{})
	default:
		s.refuse(w, http.StatusNotFound, "path_not_found")
	}
}

func (s *signInService) write(w io.Writer, body any) {
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.t.Error(err)
	}
}

func (s *signInService) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	s.write(w, httpapi.Problem{Code: code, Status: status, Detail: "No.", RequestID: "X"})
}

func (s *signInService) newSession(owner string) string {
	text := secret.Mint("").Text().Reveal()
	s.open[text] = owner
	return text
}

func (s *signInService) exchange(w http.ResponseWriter, r *http.Request) {
	p, err := oidc.NewProvider(r.Context(), s.issuer.Issuer())
	if err != nil {
		s.t.Error(err)
	}
	if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || r.FormValue("subject_token_type") != "urn:ietf:params:oauth:token-type:id_token" {
		s.t.Errorf("the exchange got %v", r.Form)
	}
	id, err := p.Verifier(&oidc.Config{ClientID: s.issuer.ClientID}).Verify(r.Context(), r.FormValue("subject_token"))
	if err != nil {
		s.t.Error(err)
		return
	}
	if s.answer != nil {
		w.WriteHeader(http.StatusForbidden)
		s.write(w, s.answer)
		return
	}
	s.write(w, map[string]any{
		"access_token": s.newSession(id.Subject), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 12 * 3600,
	})
}

// asked are the calls since the last look.
func (s *signInService) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *signInService) sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// person runs commands in a home of its own, with a browser that goes where a message
// leads.
type person struct {
	t        *testing.T
	env      map[string]string
	messages strings.Builder
	out      strings.Builder
	browsers sync.WaitGroup
	service  *signInService // that may interrupt a command; nil: none
}

func newPerson(t *testing.T) *person {
	t.Helper()
	return &person{t: t, env: map[string]string{"HOME": t.TempDir()}}
}

// Write takes a message. Only the address of a sign-in is opened.
func (p *person) Write(b []byte) (int, error) {
	p.messages.Write(b)
	if address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/oidc/authorize\S+`).FindString(string(b)); address != "" {
		p.browsers.Go(func() {
			res, err := http.Get(address)
			if err != nil {
				p.t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	return len(b), nil
}

// run runs a command with a text on standard input, and returns its exit code.
func (p *person) run(stdin string, args ...string) int {
	p.t.Helper()
	p.messages.Reset()
	p.out.Reset()
	in := filepath.Join(p.t.TempDir(), "in")
	if err := os.WriteFile(in, []byte(stdin), 0o600); err != nil {
		p.t.Fatal(err)
	}
	file, err := os.Open(in)
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	if p.service != nil {
		p.service.interrupt = cancel
	}
	code := run(ctx, &console.Env{In: file, Out: &p.out, Err: p, Getenv: func(name string) string { return p.env[name] }}, args)
	p.browsers.Wait()
	if console.WholeToken.MatchString(p.out.String() + p.messages.String()) {
		p.t.Errorf("%q printed a token", args)
	}
	return code
}

// must runs a command that has to end with this code and message.
func (p *person) must(code int, says string, stdin string, args ...string) {
	p.t.Helper()
	if got := p.run(stdin, args...); got != code || !strings.Contains(p.messages.String(), says) {
		p.t.Errorf("%q: got exit code %d and %q, want %d and %q", args, got, p.messages.String(), code, says)
	}
}

func (p *person) file(path string) string {
	return filepath.Join(p.env["HOME"], ".config", "apitoken", path)
}

func (p *person) contexts() access.Contexts {
	p.t.Helper()
	c, err := access.ReadContexts(&console.Env{Getenv: func(name string) string { return p.env[name] }})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// TestLoginOpensASessionThatOtherCommandsUse, in a private file, and logout ends it.
func TestLoginOpensASessionThatOtherCommandsUse(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	s.issuer.QueueUser(&mockoidc.MockUser{Subject: "ann-at-corp"})
	p.must(0, "signed in as ann-at-corp until ", "", "login", "--url", s.url)
	if p.out.String() != "" || !strings.Contains(p.messages.String(), "the current context is login") || !strings.Contains(p.messages.String(), p.file("login.session")) {
		t.Errorf("got %q, %q", p.out.String(), p.messages.String())
	}
	info, err := os.Stat(p.file("login.session"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info, err)
	}
	text, err := os.ReadFile(p.file("login.session"))
	if err != nil || s.open[strings.TrimSpace(string(text))] != "ann-at-corp" {
		t.Errorf("the file has no session of the service: %v", err)
	}
	want := access.Context{URL: s.url, TokenFile: p.file("login.session")}
	if c := p.contexts(); c.Current != "login" || c.Contexts["login"] != want {
		t.Errorf("the contexts are %+v", c)
	}
	p.must(0, "", "", "whoami")
	if !strings.Contains(p.out.String(), "ann-at-corp") {
		t.Errorf("whoami prints %s", p.out.String())
	}
	s.asked()
	s.issuer.QueueUser(&mockoidc.MockUser{Subject: "ann-at-corp"})
	p.must(0, "signed in as ann-at-corp", "", "login") // into the same context, at the same service
	if n := s.sessions(); n != 1 {
		t.Errorf("%d sessions are open after the second sign-in, want 1", n)
	}
	if calls := s.asked(); !slices.Contains(calls, "DELETE /v1/auth/access-tokens/self") {
		t.Errorf("the calls are %q", calls)
	}
	p.must(0, "the session of the context login is ended, and "+p.file("login.session")+" is removed", "", "logout")
	if _, err := os.Stat(p.file("login.session")); !os.IsNotExist(err) || s.sessions() != 0 {
		t.Errorf("after logout: %v, %d sessions", err, s.sessions())
	}
	p.must(1, "the context login has no session: run `apitoken login --context login`", "", "whoami")
	p.must(0, "the context login has no session", "", "logout")
	if c := p.contexts(); c.Contexts["login"] != want {
		t.Errorf("the contexts are %+v", c)
	}
}

// TestLoginOfADevice, with the code of the person.
func TestLoginOfADevice(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	s.issuer.Device = map[string]any{"interval": 1}
	s.issuer.QueueUser(&mockoidc.MockUser{Subject: "ann-at-corp"})
	p.must(0, "enter the code WDJB-MJHT", "", "login", "--device", "--issuer", "corp", "--url", s.url, "--context", "work")
	if c := p.contexts(); c.Current != "work" || !strings.Contains(p.messages.String(), "signed in as ann-at-corp") {
		t.Errorf("got %+v, %s", c, p.messages.String())
	}
	s.issuer.Polls = []string{"access_denied"}
	p.must(1, "the sign-in was denied (access_denied)", "", "login", "--device")
	if s.sessions() != 1 {
		t.Errorf("%d sessions are open", s.sessions())
	}
}

// TestLoginWithAPassword from standard input.
func TestLoginWithAPassword(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	p.must(0, "signed in as ann until ", "sesame\r\n", "login", "--user", "ann", "--url", s.url)
	if calls := s.asked(); calls[0] != "POST /v1/session/login" {
		t.Errorf("the calls are %q", calls)
	}
	p.must(1, "No. (401 password_invalid", "hunter2", "login", "--user", "ann")
	if _, err := os.Stat(p.file("login.session")); err != nil || s.sessions() != 1 {
		t.Errorf("a refused sign-in: %v, %d sessions", err, s.sessions())
	}
	s.asked()
	for stdin, says := range map[string]string{
		"": "standard input has no password", "\n": "has no password", "a\nb": "more than one line", secret.Mint("").Text().Reveal(): "has a token and no password",
		strings.Repeat("x", 1025): "too long for a password",
	} {
		p.must(1, says, stdin, "login", "--user", "ann")
	}
	if calls := s.asked(); len(calls) != 0 {
		t.Errorf("the service was asked: %q", calls)
	}
}

// TestLoginRefusesWhatItCannotDo before anything is opened.
func TestLoginRefusesWhatItCannotDo(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	two := append(slices.Clone(s.ways.Issuers), httpapi.SignInIssuer{Alias: "other", Issuer: "https://other.example"})
	for _, c := range []struct {
		ways httpapi.SignInWays
		code int
		says string
		args []string
	}{
		{httpapi.SignInWays{}, 1, "it has neither an issuer nor passwords", nil},
		{httpapi.SignInWays{Password: true}, 2, "give --user NAME to sign in with a password", nil},
		{httpapi.SignInWays{Issuers: two}, 2, "give one with --issuer: corp, other", nil},
		{httpapi.SignInWays{Issuers: two}, 2, "--issuer may be: corp, other", []string{"--issuer", "x"}},
		{httpapi.SignInWays{Issuers: two}, 1, "the issuer other has no client for the command line", []string{"--issuer", "other"}},
		{httpapi.SignInWays{Issuers: []httpapi.SignInIssuer{{Alias: "corp", Issuer: "https://x.example", ClientID: "x"}}}, 2, "has no sign-in for devices", []string{"--device"}},
		{httpapi.SignInWays{Issuers: []httpapi.SignInIssuer{{Alias: "corp", Issuer: "http://x.example", ClientID: "x"}}}, 1, "http://x.example; allowed: https", nil},
		{s.ways, 2, "--issuer is empty", []string{"--issuer", ""}},
		{s.ways, 2, "--user is empty", []string{"--user", ""}},
		{s.ways, 2, "--context is empty", []string{"--context", ""}},
		{s.ways, 2, "--context is not the name of a context", []string{"--context", "A b"}},
		{s.ways, 2, "takes flags but no other arguments", []string{"ann"}},
		{s.ways, 2, "user", []string{"--user", "ann", "--device"}},
	} {
		s.ways = c.ways
		p.must(c.code, c.says, "", append([]string{"login", "--url", s.url}, c.args...)...)
	}
	p.must(2, "--url is empty", "", "login", "--url", "")
	p.must(2, "use https, or give --insecure-http", "", "login", "--url", "http://tokens.example.com")
	if c := p.contexts(); len(c.Contexts) != 0 || s.sessions() != 0 {
		t.Errorf("the contexts are %+v, %d sessions", c, s.sessions())
	}
}

// TestLoginKeepsTheTokensOfOtherContexts, and asks the service that other commands use.
func TestLoginKeepsTheTokensOfOtherContexts(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	own := filepath.Join(t.TempDir(), "own.token")
	if err := os.WriteFile(own, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(0, "is the current one", "", "context", "add", "prod", "--url", s.url, "--token-file", own)
	p.must(2, "the context prod has a token of its own in "+own, "", "login", "--context", "prod")
	p.must(2, "the context prod has a token of its own", "", "logout")
	p.must(2, "there is no context x", "", "logout", "--context", "x")
	p.must(2, "--context is empty", "", "logout", "--context", "")
	p.must(0, "signed in as ann", "sesame", "login", "--user", "ann") // at the service of prod
	if c := p.contexts(); c.Current != "login" || c.Contexts["login"].URL != s.url {
		t.Errorf("the contexts are %+v", c)
	}
	other := newSignInService(t)
	p.must(2, "the context login is for "+s.url+", and --url names another service", "sesame", "login", "--user", "ann", "--url", other.url, "--context", "login")
	p.must(0, "signed in as ann", "sesame", "login", "--user", "ann", "--url", other.url, "--context", "other")
	p.must(0, "the session of the context login is ended", "", "logout", "--context", "login")
	if other.sessions() != 1 || s.sessions() != 0 {
		t.Errorf("%d and %d sessions are open, want 1 and 0", other.sessions(), s.sessions())
	}
	p.env["APITOKEN_TOKEN_FILE"] = own
	p.must(0, "APITOKEN_TOKEN_FILE is set, and other commands read it before the current context", "sesame", "login", "--user", "ann", "--context", "other")
	if other.sessions() != 1 {
		t.Errorf("%d sessions are open, want 1", other.sessions())
	}
}

// TestASessionOfARemovedContextGoesToNoOtherService: the file stays when a context is removed,
// and a sign-in at another service may get the same name.
func TestASessionOfARemovedContextGoesToNoOtherService(t *testing.T) {
	s, other, p := newSignInService(t), newSignInService(t), newPerson(t)
	p.must(0, "signed in as ann", "sesame", "login", "--user", "ann", "--url", s.url)
	if strings.Contains(p.messages.String(), "was removed") {
		t.Errorf("the first sign-in says %s", p.messages.String())
	}
	p.must(0, "is removed", "", "context", "remove", "login")
	s.asked()
	p.must(0, "had a session of a context that was removed; that session stays open", "sesame", "login", "--user", "ann", "--url", other.url)
	want := []string{"POST /v1/session/login", "GET /v1/session/who-am-i"}
	if got := other.asked(); !slices.Equal(got, want) {
		t.Errorf("the other service got the calls %q, want %q", got, want)
	}
	if got := s.asked(); len(got) != 0 || s.sessions() != 1 || other.sessions() != 1 {
		t.Errorf("the first service got the calls %q; %d and %d sessions are open, want 1 and 1", got, s.sessions(), other.sessions())
	}
	p.must(0, "signed in as ann", "sesame", "login", "--user", "ann")
	if other.sessions() != 1 || strings.Contains(p.messages.String(), "was removed") {
		t.Errorf("after one more: %d sessions, %s", other.sessions(), p.messages.String())
	}
}

// TestARefusedExchangeSaysWhy: its problem has the form of OAuth.
func TestARefusedExchangeSaysWhy(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	s.answer = map[string]any{"error": "invalid_grant", "error_description": "Too many groups.", "code": "permission_denied_groups_overage", "request_id": "X"}
	p.must(1, "Too many groups. (403 permission_denied_groups_overage, request X)", "", "login", "--url", s.url)
	if c := p.contexts(); len(c.Contexts) != 0 {
		t.Errorf("the contexts are %+v", c)
	}
}

// TestASessionThatCannotBeStoredIsEnded: the person could not end it.
func TestASessionThatCannotBeStoredIsEnded(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	if err := os.MkdirAll(filepath.Join(p.file("login.session"), "x"), 0o700); err != nil { // a folder in its place
		t.Fatal(err)
	}
	p.must(1, "storing the session: ", "sesame", "login", "--user", "ann", "--url", s.url)
	if !strings.Contains(p.messages.String(), "the session was ended again") || s.sessions() != 0 {
		t.Errorf("got %s, %d sessions", p.messages.String(), s.sessions())
	}
}

// TestLogoutKeepsTheFileOfASessionThatMayBeOpen.
func TestLogoutKeepsTheFileOfASessionThatMayBeOpen(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	p.must(0, "signed in", "sesame", "login", "--user", "ann", "--url", s.url)
	gone, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.file("contexts.json"))
	if err != nil {
		t.Fatal(err)
	}
	closed := strings.Replace(string(text), gone.Host, "127.0.0.1:1", 1)
	if err := os.WriteFile(p.file("contexts.json"), []byte(closed), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(1, "connection refused", "", "logout")
	if _, err := os.Stat(p.file("login.session")); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	if err := os.WriteFile(p.file("contexts.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	clear(s.open) // it has ended meanwhile
	s.mu.Unlock()
	p.must(0, "is ended", "", "logout")
	if _, err := os.Stat(p.file("login.session")); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
}

// TestAnInterruptedSignInSaysWhatMayBeOpen. An interrupted logout keeps the file: the
// session may still be open.
func TestAnInterruptedSignInSaysWhatMayBeOpen(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	p.service = s
	s.held = "GET /v1/session/issuers"
	p.must(130, "apitoken: interrupted: nothing was changed at the service", "", "login", "--url", s.url)
	s.held = "POST /v1/session/exchange"
	p.must(130, "apitoken: interrupted: a session may have been opened; its secret was not received, and the session ends by itself", "", "login", "--url", s.url)
	s.held = "POST /v1/session/login"
	p.must(130, "apitoken: interrupted: a session may have been opened", "sesame", "login", "--user", "ann", "--url", s.url)
	if c := p.contexts(); len(c.Contexts) != 0 {
		t.Errorf("the contexts are %+v", c)
	}
	s.held = "GET /v1/session/who-am-i" // the session is there, and is stored
	p.must(0, "signed in until ", "sesame", "login", "--user", "ann", "--url", s.url)
	s.held = "DELETE /v1/auth/access-tokens/self"
	p.must(130, "apitoken: interrupted: the service may have made the change", "", "logout")
	if _, err := os.Stat(p.file("login.session")); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	s.held = ""
	p.must(0, "is ended", "", "logout")
}

// TestATokenInThePlaceOfASessionIsNotRevoked: somebody has put it into the file.
func TestATokenInThePlaceOfASessionIsNotRevoked(t *testing.T) {
	s, p := newSignInService(t), newPerson(t)
	p.must(0, "signed in", "sesame", "login", "--user", "ann", "--url", s.url)
	s.kind = "token"
	p.must(1, "has a token and no session; the token was not revoked", "", "logout")
	p.must(0, "the session before was not ended: the file has a token and no session", "sesame", "login", "--user", "ann")
	if n := s.sessions(); n != 2 {
		t.Errorf("%d tokens are left, want 2", n)
	}
}
