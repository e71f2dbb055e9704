package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/jsonlog"
)

// assembled returns the handler of a new folder, and the administrator's token.
func assembled(t testing.TB, logger *slog.Logger) (http.Handler, string) {
	t.Helper()
	return assembledFrom(t, Config{Out: io.Discard, Logger: logger, Version: "test"})
}

func assembledFrom(t testing.TB, c Config) (http.Handler, string) {
	t.Helper()
	f, err := datadir.Open(t.Context(), filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	i, _, err := assemble(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(f.AdminPath())
	if err != nil {
		t.Fatal(err)
	}
	return apiHandler(c, proxies{}, base{issuer: i, keys: f.Keys, deployment: f.Store.Deployment(), answers: f.Store.Ready}), strings.TrimSpace(string(token))
}

// threeWays is a slog.Handler that writes each record in three ways: with
// slog.JSONHandler, with slog.JSONHandler and the attributes one by one, and with
// package jsonlog.
type threeWays struct {
	slog, flat, own bytes.Buffer
	log             *jsonlog.Log
}

func (w *threeWays) Enabled(context.Context, slog.Level) bool { return true }
func (w *threeWays) WithAttrs([]slog.Attr) slog.Handler {
	panic("no logger of a request has attributes")
}
func (w *threeWays) WithGroup(string) slog.Handler { panic("no logger of a request has a group") }

func (w *threeWays) Handle(ctx context.Context, r slog.Record) error {
	flat := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "" {
			flat.AddAttrs(a.Value.Group()...)
		} else {
			flat.AddAttrs(a)
		}
		return true
	})
	return errors.Join(slog.NewJSONHandler(&w.slog, nil).Handle(ctx, r), slog.NewJSONHandler(&w.flat, nil).Handle(ctx, flat), w.log.Logger().Handler().Handle(ctx, r))
}

// TestLinesOfRequestsAreThoseOfSlog, whatever a client writes into its request.
func TestLinesOfRequestsAreThoseOfSlog(t *testing.T) {
	w := &threeWays{}
	w.log = jsonlog.New(&w.own)
	h, token := assembled(t, slog.New(w))
	for _, r := range []struct{ method, path, token, agent string }{
		{"GET", "/v1/session/who-am-i", token, "curl/8.5.0"},
		{"GET", "/v1/session/who-am-i", token, `"quoted" \ <&> é \x7f`},
		{"GET", "/v1/session/who-am-i", "no token", ""},
		{"BREW", "/a%20b/%22/é<>", token, "\xff\u2028"},
		{"POST", "/v1/auth/access-tokens/", token, "x"},
		{"DELETE", "/healthz", "", "x"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(`{"name":"josé","user":{"name":"josé"}}`))
		req.Header.Set("Authorization", "Bearer "+r.token)
		req.Header.Set("User-Agent", r.agent)
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
	w.log.Flush()
	if got := strings.Count(w.flat.String(), "\n"); got != 6 {
		t.Errorf("got %d lines, want 6:\n%s", got, w.flat.String())
	}
	if w.slog.String() != w.flat.String() || w.own.String() != w.flat.String() {
		t.Errorf("as one group:\n%s\none by one:\n%s\nby jsonlog:\n%s", w.slog.String(), w.flat.String(), w.own.String())
	}
}
