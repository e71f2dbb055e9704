package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/cli"
	"apitoken/events/secret"
)

// interrupted is a run of a command that got a signal while the service held an answer.
type interrupted struct {
	method   string // of the request without an answer; "" if there was none
	code     int    // the exit code
	out, err string
}

// interruptCommand runs apitoken against a service that does not answer the first
// request for which hold is true. Other requests get an entry of the token JhxND7ci.
// When the service has the request, the command gets SIGINT.
func interruptCommand(dir string, env, args []string, hold func(method string) bool) (interrupted, error) {
	held, release := make(chan string, 1), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hold(r.Method) {
			select {
			case held <- r.Method:
			default:
			}
			<-release
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"id": "JhxND7ci", "name": "ann", "user": map[string]any{"name": "ann"}, "entries": []any{}, "permissions": []any{}})
	}))
	defer service.Close()
	defer close(release)
	c := exec.Command("apitoken", args...)
	c.Dir, c.Env = dir, append(append(os.Environ(), env...), "APITOKEN_URL="+service.URL)
	var out, messages bytes.Buffer
	c.Stdout, c.Stderr = &out, &messages
	if err := c.Start(); err != nil {
		return interrupted{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	var i interrupted
	var err error
	select {
	case i.method = <-held:
		c.Process.Signal(syscall.SIGINT)
		err = <-ended
	case err = <-ended:
	case <-time.After(time.Minute):
		c.Process.Kill()
		return i, errors.New("the command sent no request and did not end")
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return i, err
	}
	i.code, i.out, i.err = c.ProcessState.ExitCode(), out.String(), messages.String()
	return i, nil
}

// scriptInterrupt is `interrupt CODE ARGS...`: it interrupts apitoken while the service
// holds its answer, compares the exit code, and stores the message in the file err.
func scriptInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	i, err := interruptCommand(ts.MkAbs("."), []string{"APITOKEN_TOKEN=" + secret.Mint("").Text().Reveal()}, args[1:], func(string) bool { return true })
	ts.Check(err)
	if code := strconv.Itoa(i.code); code != args[0] || i.method == "" {
		ts.Fatalf("got exit code %s after a request %q, want %s: %s", code, i.method, args[0], i.err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(i.err), 0o600))
}

// TestAnInterruptedCommandSaysWhatItMayHaveChanged runs an example of each command that
// calls the service. The service holds the answer of the first change; for a command
// that changes nothing, of the first request.
func TestAnInterruptedCommandSaysWhatItMayHaveChanged(t *testing.T) {
	changing := 0
	for _, c := range clientCommands(cli.Commands()) {
		args := arguments(c)
		dir := t.TempDir()
		token := filepath.Join(dir, "token")
		if err := os.WriteFile(token, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
		env := []string{"HOME=" + dir, "APITOKEN_TOKEN=", "APITOKEN_TOKEN_FILE=" + token}
		i, err := interruptCommand(dir, env, args, isChange)
		if err == nil && i.method == "" {
			i, err = interruptCommand(dir, env, args, func(string) bool { return true })
		}
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		want := "nothing was changed at the service"
		if isChange(i.method) {
			want, changing = "may have", changing+1
		}
		code, prefix := 130, "apitoken: interrupted: "
		if args[0] == "iam" {
			code, prefix = 1, "Aborted!: " // as OCI's command line
		}
		if i.code != code || i.out != "" || !strings.HasPrefix(i.err, prefix) || !strings.Contains(i.err, want) || strings.Count(i.err, "\n") != 1 {
			t.Errorf("%q after %q: got exit code %d, output %q, message %q; want %d, no output and a message with %q", args, i.method, i.code, i.out, i.err, code, want)
		}
		if left := filesIn(t, dir); !slices.Equal(left, []string{"token"}) {
			t.Errorf("%q: the files %v are left", args, left)
		}
	}
	if changing < 10 {
		t.Errorf("got %d commands that change something, want 10 at least", changing)
	}
}

func isChange(method string) bool {
	return method != "" && method != http.MethodGet && method != http.MethodHead
}

// clientCommands are the commands below c that call the service with a token that is
// there: context add only stores its address, iam user create stores nothing, and logout
// needs a session.
func clientCommands(c *cobra.Command) (all []*cobra.Command) {
	for _, sub := range c.Commands() {
		all = append(all, clientCommands(sub)...)
		if !sub.HasSubCommands() && sub.Flags().Lookup("context") != nil && !slices.Contains([]string{"apitoken iam user create", "apitoken logout"}, sub.CommandPath()) {
			all = append(all, sub)
		}
	}
	return all
}

// arguments is a line that runs c: its last example without redirections, which for a
// command that shows or changes is one that changes.
func arguments(c *cobra.Command) []string {
	lines := strings.Split(strings.TrimSpace(c.Example), "\n")
	line := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "apitoken ")
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " <")
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return slices.DeleteFunc(args, func(arg string) bool { return arg == "-" || arg == "--token-file" })
}

func filesIn(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
