package cli

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/routetest"
)

// TestEveryRouteHasACommand runs each command that asks the service, with the
// arguments that commands take, on a server that notes which routes are asked.
func TestEveryRouteHasACommand(t *testing.T) {
	r := routetest.NewRecorder()
	server := httptest.NewServer(r)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range clientCommands(newRoot(&console.Env{Getenv: os.Getenv}), "") {
		for _, args := range [][]string{nil, {"JhxND7ci"}, {"self"}, {"--owner", "ann"}, {"--all"},
			{"--token-limit", "7"}, {"ann", "--set", "view"}, {"corp", "/team", "--set", "view"}, {"ann", "--set", "7"}} {
			e := &console.Env{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }}
			run(t.Context(), e, append(strings.Fields(command+" --url "+server.URL+" --token-file "+file), args...))
		}
	}
	for _, route := range r.Missing(map[string]string{
		"POST /v1/auth/authorize": "services ask it about other callers",
		"GET /v1/version":         "the command version is about the program itself",
		"GET /v1/session/roles":   "only Qumulo's clients ask it",
		"POST /v1/session/login":  "apitoken login asks it, which takes no token: see login_test.go",
		"GET /openapi.yaml":       "it is a document",

		"POST /v1/oauth/introspect":                 "libraries of OAuth ask it",
		"POST /v1/oauth/revoke":                     "libraries of OAuth ask it",
		"GET /.well-known/oauth-protected-resource": "libraries of OAuth ask it",

		"POST /v1/session/exchange": "apitoken login asks it after the issuer: see login_test.go",
		"GET /v1/session/issuers":   "apitoken login asks it, which takes no token: see login_test.go",
		"GET /ui/login":             "browsers ask it",
		"GET /ui/callback":          "browsers ask it",
	}) {
		t.Errorf("no command of the command line asks %s", route)
	}
}

// clientCommands are the names of the commands below c that ask the service.
func clientCommands(c *cobra.Command, name string) (names []string) {
	if c.Flags().Lookup("url") != nil && c.Runnable() {
		names = append(names, name)
	}
	for _, sub := range c.Commands() {
		names = append(names, clientCommands(sub, strings.TrimSpace(name+" "+sub.Name()))...)
	}
	return names
}
