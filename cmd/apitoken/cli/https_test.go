package cli

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
)

// TestEachCommandSaysWhatIsWrongWithHTTPS: each command that calls a service says that
// the port speaks https, and that a certificate of an unknown authority needs --ca-file.
func TestEachCommandSaysWhatIsWrongWithHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	home := t.TempDir()
	file := filepath.Join(home, "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := clientCommands(newRoot(&console.Env{Getenv: os.Getenv}), "")
	if len(commands) < 25 {
		t.Errorf("got %d commands", len(commands))
	}
	var all sync.WaitGroup
	for _, command := range commands {
		if command == "context add" || command == "iam user create" { // they call no service
			continue
		}
		for url, want := range map[string]string{
			strings.Replace(server.URL, "https://", "http://", 1): "if the port speaks https, begin the address with https://",
			server.URL: "if this is a --tls-self-signed service, give --ca-file DIR/tls.crt",
		} {
			all.Go(func() {
				line := strings.Fields(command + " --url " + url + " --token-file " + file)
				if command == "login" { // it has no token yet
					line = line[:len(line)-2]
				}
				var outputs []string
				for _, args := range append(hostileArgs(command), callingArgs...) {
					var out strings.Builder
					run(t.Context(), &console.Env{Out: &out, Err: &out, Getenv: func(name string) string { return map[string]string{"HOME": home}[name] }}, append(slices.Clone(line), args...))
					if strings.Contains(out.String(), want) {
						return
					}
					outputs = append(outputs, out.String())
				}
				t.Errorf("%s: got %q, want %q in it", command, outputs, want)
			})
		}
	}
	all.Wait()
}

// callingArgs are more arguments, so that each command has one list with which it calls
// the service.
var callingArgs = [][]string{
	{}, {"--max-api-tokens-per-user", "9"}, {"--pwd-expiration-timeout", "30D"}, {"--name", "x", "--description", "x"},
	{"ann"}, {"ann", "--yes"}, {"--owner", "ann", "--yes"}, {"JhxND7ci", "--name", "x"}, {"--id", "JhxND7ci", "--name", "x"}, {"JhxND7ci", "--yes"},
}
