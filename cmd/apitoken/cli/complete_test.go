package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
)

// complete returns what the shells get for the last word of a line.
func complete(t *testing.T, env map[string]string, line ...string) (out, messages string) {
	t.Helper()
	var o, m strings.Builder
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	e := &console.Env{In: in, Out: &o, Err: &m, Getenv: func(name string) string { return env[name] }}
	if code := run(t.Context(), e, append([]string{"__complete"}, line...)); code != 0 {
		t.Errorf("%q: got exit code %d: %s", line, code, m.String())
	}
	return o.String(), m.String()
}

const nothing = ":4\n" // no word, and no names of files

// waitLong lets the completion wait for a busy machine.
func waitLong(t *testing.T) {
	before := CompletionTime
	CompletionTime = time.Minute
	t.Cleanup(func() { CompletionTime = before })
}

func TestCompletionOfHostileNamesIsHarmless(t *testing.T) {
	waitLong(t)
	entry := func(id, name, owner string) map[string]any {
		return map[string]any{"id": id, "name": name, "user": map[string]any{"name": owner}}
	}
	entries := []any{
		entry("JhxND7ci", "laptop", "ann"), entry("L7k8ljIC", "$(touch x)`y`\t\"'\\\n_activeHelp_ z", "Zoë"),
		entry("$(touch)", "x", "b;touch x"), entry("A2345678\tx", "x", "--token-file"),
	}
	for _, owner := range []string{"a b", "a\nb", "a\tb", "$(touch x)", "`x`", "a'b", `a"b`, `a\b`, "a|b", "a>b", "*", "~", "a\x1b[2J", "a\u202eb", "a\u200bb", "!x", "#x", "{a,b}", hostile} {
		entries = append(entries, entry("JhxND7cj", owner, owner))
	}
	server := httptest.NewServer(answer(http.StatusOK, "application/json", map[string]any{"entries": entries, "paging": map[string]any{"next": ""}}))
	defer server.Close()
	env := map[string]string{"APITOKEN_URL": server.URL, "APITOKEN_TOKEN": secret.Mint("").Text().Reveal()}
	if got, _ := complete(t, env, "create", "--owner", ""); got != "Zoë\nann\n"+nothing {
		t.Errorf("got owners %q", got)
	}
	if got, _ := complete(t, env, "suspend", "an"); got != "ann\n"+nothing {
		t.Errorf("got users %q", got)
	}
	got, _ := complete(t, env, "show", "")
	if want := "JhxND7ci\tlaptop of ann\nL7k8ljIC\t__touch x__y_______activeHelp_ z of Zoë\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got ids %q, want the beginning %q", got, want)
	}
	for _, line := range strings.Split(strings.TrimSuffix(got, "\n"+nothing), "\n") {
		id, description, _ := strings.Cut(line, "\t")
		if !secret.IsID(id) || strings.ContainsAny(description, "\t\x1b$`'\"\\|<>;&(){}*~!#") {
			t.Errorf("got %q", line)
		}
	}
}

// TestCompletionSendsNothingWithoutAToken: neither does it read a token from standard
// input, or print a message.
func TestCompletionSendsNothingWithoutAToken(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	for name, flags := range map[string][]string{
		"no token": nil, "standard input": {"--token-file", "-"}, "no file": {"--token-file", filepath.Join(t.TempDir(), "none")},
	} {
		line := append(append([]string{"show", "--url", server.URL}, flags...), "")
		if got, messages := complete(t, nil, line...); got != nothing || strings.Contains(messages, "token is given") {
			t.Errorf("%s: got %q, %q", name, got, messages)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
}

// TestCompletionGivesUpSoon: a service that refuses, or does not answer, completes
// nothing.
func TestCompletionGivesUpSoon(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	refusing := httptest.NewServer(answer(http.StatusForbidden, "application/problem+json", map[string]any{"code": "permission_denied", "status": 403, "detail": "No."}))
	defer refusing.Close()
	for _, url := range []string{silent.URL, refusing.URL, "http://127.0.0.1:1"} {
		start := time.Now()
		got, _ := complete(t, map[string]string{"APITOKEN_URL": url, "APITOKEN_TOKEN": secret.Mint("").Text().Reveal()}, "revoke", "")
		if took := time.Since(start); got != nothing || took > time.Minute {
			t.Errorf("got %q after %s", got, took)
		}
	}
}

// The flag --endpoint of iam is --url: a completion that lost it would send the token
// to the address of the variable.
func TestCompletionSendsTheTokenOnlyToTheTypedAddress(t *testing.T) {
	waitLong(t)
	var right, wrong atomic.Int32
	count := func(n *atomic.Int32) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) }))
		t.Cleanup(s.Close)
		return s
	}
	typed, other := count(&right), count(&wrong)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"APITOKEN_URL": other.URL, "APITOKEN_TOKEN_FILE": file}
	for _, flag := range []string{"--endpoint", "--url"} {
		complete(t, env, "iam", "auth-token", "list", flag, typed.URL, "--token-file", file, "--user-id", "")
	}
	if right.Load() != 2 || wrong.Load() != 0 {
		t.Errorf("got %d calls to the typed address and %d to the other, want 2 and 0", right.Load(), wrong.Load())
	}
	for _, line := range [][]string{{"--profile", "P"}, {"--config-file", "c"}} {
		got, _ := complete(t, env, append(append([]string{"iam", "auth-token", "list"}, line...), "--user-id", "")...)
		if got != nothing || wrong.Load() != 0 {
			t.Errorf("%q: got %q and %d calls to an address that is not of the profile", line, got, wrong.Load())
		}
	}
}
