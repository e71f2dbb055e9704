package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

var update = flag.Bool("update", false, "write the golden files again")

// collection is the path that creates and lists tokens.
const collection = "/v1/auth/access-tokens/"

// scene is the whole service on the real embedded store. The test sets the clock.
type scene struct {
	t      *testing.T
	file   string
	store  *bolt.Store
	keys   events.Keys
	issuer *issuer.Issuer
	log    *apitest.Log
	server *httptest.Server
	admin  string // a token of a user with every permission

	identities machine.Identities // of withProvider

	mu  sync.Mutex
	now time.Time
}

// newScene starts a service. The functions in change may change its configuration.
func newScene(t *testing.T, change ...func(*machine.Config)) *scene {
	t.Helper()
	w := &scene{t: t, file: filepath.Join(t.TempDir(), "apitoken.db"), log: &apitest.Log{}, now: time.Date(2026, 11, 21, 20, 59, 57, 642000000, time.UTC)}
	w.keys = testKeys(t, "k1")
	w.store = bolttest.OpenFile(t, w.file, bolt.Options{NoSync: true})
	w.issuer = issuer.New(issuer.Config{Store: w.store, Keys: w.keys, Now: w.clock})
	_, text, err := w.issuer.Bootstrap(t.Context(), "admin", false)
	if err != nil {
		t.Fatal(err)
	}
	w.admin = text.Reveal()
	w.server = httptest.NewServer(w.handler(change...))
	t.Cleanup(w.server.Close)
	return w
}

// publicURL is the address of the service under test.
const publicURL = "https://tokens.example.com"

// deployment is the id of the service under test.
const deployment = "51af3dc0-da77-11e4-872e-1234567db123"

// handler returns another handler on the same store.
func (w *scene) handler(change ...func(*machine.Config)) http.Handler {
	c := machine.Config{
		Issuer: w.issuer, Guard: w.issuer.Guard(), Version: "1.2.3", Deployment: deployment, PublicURL: publicURL, Now: w.clock,
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Identities: w.identities, Keys: w.keys,
	}
	for _, f := range change {
		f(&c)
	}
	return machine.New(c, httpapi.Face())
}

func testKeys(t testing.TB, kid string) events.Keys {
	t.Helper()
	k, err := events.ParseKeys(kid + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *scene) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *scene) sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// change changes the settings. It replaces the issuer, because the old one caches
// the settings. The server gets a handler with the default configuration.
func (w *scene) change(c settings.Command) {
	w.t.Helper()
	settingstest.Apply(w.t, w.store, w.keys, w.clock(), 0, c)
	w.issuer = issuer.New(issuer.Config{Store: w.store, Keys: w.keys, Now: w.clock})
	w.server.Config.Handler = w.handler()
}

// contents returns a digest of the store's file.
func (w *scene) contents() [sha256.Size]byte {
	w.t.Helper()
	b, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// client returns the Go client with a token.
func (w *scene) client(token string) *httpapi.Client {
	return httpapi.NewClient(w.server.URL, secret.New(token), w.server.Client())
}

// make creates a token and returns it with its text.
func (w *scene) make(in httpapi.CreateRequest) (httpapi.Created, string) {
	w.t.Helper()
	made, err := w.client(w.admin).Create(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("creating a token: %v", err)
	}
	return made, made.BearerToken.Reveal()
}

// answer is one answer with the method and the path of its request.
type answer struct {
	method string
	path   string
	status int
	header http.Header
	body   []byte
}

// do sends a request. The test fails if the answer differs from the OpenAPI
// document.
func (w *scene) do(method, path, token, body string) answer {
	w.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return w.send(method, path, header, strings.NewReader(body))
}

func (w *scene) send(method, path string, header http.Header, body io.Reader) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = header
	res, err := w.server.Client().Transport.RoundTrip(req) // RoundTrip follows no redirect
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	s := answer{method: method, path: path, status: res.StatusCode, header: res.Header, body: b}
	for _, complaint := range documented(w.t).complaints(s) {
		w.t.Errorf("%s %s differs from the document: %s\n%s", method, path, complaint, b)
	}
	return s
}

// problem decodes the answer as a problem object.
func (s answer) problem(t testing.TB) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if err := json.Unmarshal(s.body, &p); err != nil {
		t.Fatalf("%s %s: got %d %q, want a problem object", s.method, s.path, s.status, s.body)
	}
	return p
}

// expect stops the test unless the answer has the status and the problem code. With
// the code "" it checks only the status.
func (s answer) expect(t testing.TB, status int, code string) answer {
	t.Helper()
	if s.status != status {
		t.Fatalf("%s %s: got %d %s, want %d", s.method, s.path, s.status, s.body, status)
	}
	if code == "" {
		return s
	}
	if kind := s.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("%s %s: got Content-Type %q, want a problem", s.method, s.path, kind)
	}
	if p := s.problem(t); p.Code != code || p.Status != status {
		t.Fatalf("%s %s: got %s, want code %s", s.method, s.path, s.body, code)
	}
	return s
}

func decodeAs[T any](t testing.TB, s answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(s.body, &v); err != nil {
		t.Fatalf("%s %s: %v in %s", s.method, s.path, err, s.body)
	}
	return v
}

// golden compares an answer with a file. It first replaces the texts that differ
// in each run: replace is a list of old and new texts.
func golden(t *testing.T, name string, body []byte, replace ...string) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	got := strings.NewReplacer(replace...).Replace(indented.String())
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// handle calls the handler without a network.
func handle(h http.Handler, r *http.Request) answer {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return answer{method: r.Method, path: r.URL.Path, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
}

func request(t testing.TB, method, target, token string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func asPrincipal(r *http.Request, p guard.Principal) *http.Request {
	return r.WithContext(guard.WithPrincipal(r.Context(), p))
}

var errDown = errorText("the store at 10.0.0.7 is down")

type errorText string

func (e errorText) Error() string { return string(e) }

func notReady(context.Context) error { return errDown }
