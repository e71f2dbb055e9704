package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
)

// TestNoFlagIsForASecret: a flag with such a name must be a file, an id or a number.
func TestNoFlagIsForASecret(t *testing.T) {
	secretive := regexp.MustCompile(`token|secret|password|pepper|bearer|key`)
	harmless := []string{"token-file", "token-file-shared", "peppers-file", "token-limit", "idempotency-key", "tls-key", "auth-token-id", "end-previous-secret", "max-api-tokens-per-user", "password-file", "oidc-secrets"}
	for _, c := range runnable(Commands()) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if secretive.MatchString(f.Name) && !slices.Contains(harmless, f.Name) {
				t.Errorf("%s: --%s may be for a secret", c.CommandPath(), f.Name)
			}
		})
	}
}

// TestATokenInTheArgumentsIsNotSent gives a token to each command that calls the
// service: as an argument, as the value of each flag, and as a flag.
func TestATokenInTheArgumentsIsNotSent(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	own := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(own, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	env := map[string]string{"APITOKEN_URL": server.URL, "APITOKEN_TOKEN_FILE": own}
	token := secret.Mint("").Text().Reveal()
	for _, c := range runnable(Commands()) {
		if c.Flags().Lookup("url") == nil {
			continue
		}
		path := strings.Fields(c.CommandPath())[1:]
		lines := [][]string{{token}, {"--" + token}, {"--" + token + "=x"}}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() != "bool" {
				lines = append(lines, []string{"--" + f.Name, token}, []string{"ann", "--" + f.Name + "=" + token}, []string{"JhxND7ci", "--" + f.Name, token})
			}
		})
		for _, line := range lines {
			var messages strings.Builder
			e := &console.Env{Out: io.Discard, Err: &messages, Getenv: func(name string) string { return env[name] }}
			code := run(t.Context(), e, append(slices.Clone(path), line...))
			if n := asked.Swap(0); code == 0 || n != 0 || strings.Contains(messages.String(), token[9:20]) {
				t.Errorf("%s %s: got exit code %d, %d requests, %s", c.CommandPath(), strings.ReplaceAll(strings.Join(line, " "), token, "TOKEN"), code, n, messages.String())
			}
		}
	}
}
