package vast_test

import (
	"bytes"
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
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

var update = flag.Bool("update", false, "write the golden files again")

const collection = "/api/latest/apitokens/"

// scene is the whole service, with all faces, on the real embedded store. The test
// sets the clock.
type scene struct {
	t      testing.TB
	store  *bolt.Store
	keys   events.Keys
	issuer *issuer.Issuer
	log    *apitest.Log
	server *httptest.Server
	admin  string // a token of a user with every permission

	mu  sync.Mutex
	now time.Time
}

func newScene(t testing.TB) *scene {
	t.Helper()
	w := &scene{t: t, log: &apitest.Log{}, now: time.Date(2026, 11, 21, 20, 59, 57, 642000000, time.UTC)}
	keys, err := events.ParseKeys("k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.keys = keys
	w.store = bolttest.OpenFile(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
	w.server = httptest.NewUnstartedServer(nil)
	w.renew()
	_, text, err := w.issuer.Bootstrap(t.Context(), "admin", false)
	if err != nil {
		t.Fatal(err)
	}
	w.admin = text.Reveal()
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// renew makes another issuer, because an issuer caches the settings.
func (w *scene) renew() {
	w.issuer = issuer.New(issuer.Config{Store: w.store, Keys: w.keys, Now: w.clock})
	w.serve()
}

// serve starts to serve with the issuer.
func (w *scene) serve() {
	w.server.Config.Handler = machine.New(w.config(), faces.All()...)
}

func (w *scene) config() machine.Config {
	return machine.Config{
		Issuer: w.issuer, Guard: w.issuer.Guard(), Version: "1.2.3", Deployment: "51af3dc0-da77-11e4-872e-1234567db123",
		Now: w.clock, Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
	}
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

// change changes the settings, as an operator.
func (w *scene) change(c settings.Command) {
	w.t.Helper()
	settingstest.Apply(w.t, w.store, w.keys, w.clock(), 0, c)
	w.renew()
}

// root is the caller that prepares a scene.
var root = guard.Principal{Owner: "admin"}

// mint makes a token of the user. Its wish may have what VAST's form does not have.
func (w *scene) mint(user string, wish token.Wish) (id, text string) {
	w.t.Helper()
	made, secret, err := w.issuer.Create(w.t.Context(), root, user, wish)
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID, secret.Reveal()
}

// answer is an answer that the test of the document has passed.
type answer struct {
	t testing.TB
	apitest.Answer
}

// do sends a request. The test fails if the answer differs from the document.
func (w *scene) do(method, path, token, body string) answer {
	w.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Api-Token "+token)
	}
	return w.send(method, path, header, body)
}

func (w *scene) send(method, path string, header http.Header, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = header
	res, err := w.server.Client().Transport.RoundTrip(req) // RoundTrip follows no redirect
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(method, path, res)
}

// read reads an answer and compares it with the document.
func (w *scene) read(method, path string, res *http.Response) answer {
	w.t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{w.t, apitest.Answer{Method: method, Path: path, Status: res.StatusCode, Header: res.Header, Body: b}}
	if strings.HasPrefix(path, "/api/") {
		for _, complaint := range documented(w.t).Complaints(a.Answer) {
			w.t.Errorf("%s %s differs from the document: %s\n%d %s", method, path, complaint, a.Status, b)
		}
	}
	return a
}

// expect stops the test unless the answer has the status.
func (a answer) expect(status int) answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s %s: got %d %s, want %d", a.Method, a.Path, a.Status, a.Body, status)
	}
	return a
}

// message is the text of an answer that is a JSON string.
func (a answer) message() string {
	a.t.Helper()
	return decodeAs[string](a)
}

func decodeAs[T any](a answer) (v T) {
	a.t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		a.t.Fatalf("%s %s: %v in %d %s", a.Method, a.Path, err, a.Status, a.Body)
	}
	return v
}

// make creates a token over HTTP.
func (w *scene) make(token, body string) vast.Created {
	w.t.Helper()
	return decodeAs[vast.Created](w.do("POST", collection, token, body).expect(http.StatusCreated))
}

// show answers one token.
func (w *scene) show(id string) vast.APIToken {
	w.t.Helper()
	return decodeAs[vast.APIToken](w.do("GET", collection+id+"/", w.admin, "").expect(http.StatusOK))
}

// use uses a token until the use is stored. The service drops a use that a busy
// machine does not store within 100 ms.
func (w *scene) use(made vast.Created) {
	w.t.Helper()
	for range 50 {
		w.do("GET", collection, made.Token, "").expect(http.StatusOK)
		if w.show(made.ID).LastUsed != nil {
			return
		}
	}
	w.t.Fatal("no use was stored")
}

// names are the names in a list that the token sees.
func (w *scene) names(token, query string) (names []string) {
	w.t.Helper()
	for _, t := range decodeAs[[]vast.APIToken](w.do("GET", collection+query, token, "").expect(http.StatusOK)) {
		names = append(names, t.Name)
	}
	return names
}

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
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
