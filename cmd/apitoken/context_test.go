package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServicesGetOnlyTheirOwnTokens runs the real command with two real services, and
// all mixtures of a context, flags and variables. The log of a service has
// token_invalid for each call with a token of the other one. Only flags and variables
// that give both an address and a token without a context may mix them.
func TestServicesGetOnlyTheirOwnTokens(t *testing.T) {
	dir := t.TempDir()
	a, b := serveIn(t, dir, "a"), serveIn(t, dir, "b")
	c := contextRun{t: t, dir: dir}
	c.mustRun(nil, "context", "add", "a", "--url", a.url, "--token-file", filepath.Join(dir, "a", "admin.token"))
	c.mustRun(nil, "context", "add", "b", "--url", b.url, "--token-file", filepath.Join(dir, "b", "admin.token"))
	tokenB, worked := "--token-file="+filepath.Join(dir, "b", "admin.token"), 0
	for _, chosen := range [][]string{nil, {"--context", "a"}, {"--context", "b"}} {
		for _, flags := range [][]string{nil, {"--url", b.url}, {tokenB}, {"--url", b.url, tokenB}} {
			for _, vars := range [][]string{nil, {"APITOKEN_URL=" + b.url}, {"APITOKEN_TOKEN_FILE=" + tokenB[len("--token-file="):]}, {"APITOKEN_CONTEXT=b"},
				{"APITOKEN_CONTEXT=b", "APITOKEN_URL=" + b.url}, {"APITOKEN_URL=" + b.url, "APITOKEN_TOKEN_FILE=" + tokenB[len("--token-file="):]}} {
				args := append(append([]string{"whoami"}, chosen...), flags...)
				if c.run(vars, args...) == nil {
					worked++
				}
			}
		}
	}
	if worked < 20 {
		t.Errorf("only %d calls worked: the test shows nothing", worked)
	}
	c.run(nil, "whoami", "--url", a.url, tokenB) // shows that the log has foreign tokens
	for s, want := range map[*server]int{a: 1, b: 0} {
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(s.log.String(), "token_invalid"); got != want {
			t.Errorf("the log of a service has %d foreign tokens, want %d:\n%s", got, want, s.log)
		}
	}
}

func serveIn(t *testing.T, dir, name string) *server {
	t.Helper()
	s, err := startServer(exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, name)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

// contextRun runs the command with contexts of its own.
type contextRun struct {
	t   *testing.T
	dir string
}

func (c contextRun) command(ctx context.Context, vars []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "apitoken", args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=" + os.Getenv("GORACE"), "HOME=" + c.dir}, vars...)
	return cmd
}

func (c contextRun) run(vars []string, args ...string) error {
	return c.command(c.t.Context(), vars, args...).Run()
}

func (c contextRun) mustRun(vars []string, args ...string) string {
	c.t.Helper()
	cmd := c.command(c.t.Context(), vars, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// TestAKilledChangeOfContextsLeavesTheOldFile kills the command at different moments.
// The file always has all contexts that were reported as stored, and can be read.
// Afterwards nothing else is left in the folder.
func TestAKilledChangeOfContextsLeavesTheOldFile(t *testing.T) {
	c := contextRun{t: t, dir: t.TempDir()}
	c.mustRun(nil, "context", "add", "first", "--url", "https://example.com", "--token-file", "t")
	killed, want := 0, []string{"first"}
	for i := range 40 {
		name := fmt.Sprint("c", i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		err := c.command(ctx, nil, "context", "add", name, "--url", "https://example.com", "--token-file", "t").Run() // sends SIGKILL
		cancel()
		if err == nil {
			want = append(want, name)
		} else {
			killed++
		}
		list := c.mustRun(nil, "context", "list", "--output", "text")
		for _, name := range want {
			if !strings.Contains(list, name+"\t") {
				t.Fatalf("after %d runs the context %s is missing", i+1, name)
			}
		}
	}
	t.Logf("%d of 40 runs were killed, and %d ended", killed, len(want)-1)
	c.mustRun(nil, "context", "use", "first")
	left, err := filepath.Glob(filepath.Join(c.dir, ".config", "apitoken", "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("the folder has %v (%v), want contexts.json and contexts.lock", left, err)
	}
}
