package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/identity"
	"apitoken/events/secret"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

const redirect = "https://tokens.example.com/ui/callback"

// scene has one provider, and this service's settings about it. The test sets the clock.
type scene struct {
	*oidctest.Provider
	t         *testing.T
	providers *oidc.Providers

	mu  sync.Mutex
	now time.Time
}

func newScene(t *testing.T, change ...func(*oidc.Issuer)) *scene {
	t.Helper()
	w := &scene{t: t, now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	w.Provider = oidctest.Start(t, w.clock)
	id, text := w.Client()
	i := oidc.Issuer{Alias: "work", URL: w.URL(), ClientID: id, Secret: secret.New(text), CLIClientID: "cli", Audiences: []string{"api"}, GroupsClaim: "groups"}
	for _, f := range change {
		f(&i)
	}
	w.providers = oidc.New(oidc.Config{Issuers: []oidc.Issuer{i}, Now: w.clock})
	return w
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

func (w *scene) verify(jwt string) (identity.Identity, error) {
	return w.providers.Verify(w.t.Context(), secret.New(jwt), true)
}

// browse goes to the provider as a browser does, and returns the parameters that it comes
// back with.
func (w *scene) browse(address string) url.Values {
	w.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	back, err := r.Location()
	if err != nil || !strings.HasPrefix(back.String(), redirect+"?") {
		w.t.Fatalf("the provider answers %s, and sends the browser to %v (%v)", r.Status, back, err)
	}
	return back.Query()
}

func (w *scene) begin() (identity.Attempt, string) {
	w.t.Helper()
	a, address, err := w.providers.Begin(w.t.Context(), "work", redirect)
	if err != nil {
		w.t.Fatal(err)
	}
	return a, address
}

// codeOf returns the code of a refusal, "" for success, and "fault" for every other error.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		return r.Code
	}
	return "fault"
}

func wantCode(t *testing.T, err error, code, part string) {
	t.Helper()
	if codeOf(err) != code || code != "" && !strings.Contains(err.Error(), part) {
		t.Errorf("got %q (%v), want %q with %q", codeOf(err), err, code, part)
	}
}
