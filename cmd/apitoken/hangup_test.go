package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/events/secret"
)

// TestAClosedTerminalLeavesNoFile sends SIGHUP while the service holds the answer.
func TestAClosedTerminalLeavesNoFile(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SKIPPED: the tests run under nohup, and their commands would ignore the signal too")
	}
	held, release := make(chan struct{}, 1), make(chan struct{})
	c, messages := heldCreate(t, held, release, "exec apitoken create --out x.token")
	<-held
	c.Process.Signal(syscall.SIGHUP)
	c.Wait()
	close(release)
	if c.ProcessState.ExitCode() != 130 || !strings.Contains(messages.String(), "interrupted: the token may have been created") {
		t.Errorf("got exit code %d and %q", c.ProcessState.ExitCode(), messages)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "x.token*")); len(left) > 0 {
		t.Errorf("got files %q", left)
	}
}

// TestNohupIsRespected sends SIGHUP to a command that ignores it, and then lets the
// service answer.
func TestNohupIsRespected(t *testing.T) {
	held, release := make(chan struct{}, 1), make(chan struct{})
	c, messages := heldCreate(t, held, release, "trap '' HUP; exec apitoken create --out x.token")
	<-held
	c.Process.Signal(syscall.SIGHUP)
	time.Sleep(100 * time.Millisecond) // a command that obeys it ends meanwhile
	close(release)
	c.Wait()
	if c.ProcessState.ExitCode() != 0 {
		t.Errorf("got exit code %d and %q", c.ProcessState.ExitCode(), messages)
	}
}

// heldCreate starts a line of the shell against a service that tells held about its
// first request, and creates a token when release is closed.
func heldCreate(t *testing.T, held, release chan struct{}, line string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	made := secret.Mint("")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held <- struct{}{}
		<-release
		w.Header().Set("Content-Type", "application/json")
		text := made.Text().Reveal()
		w.Write([]byte(`{"id": "` + text[:8] + `", "name": "x", "user": {"name": "ann"}, "bearer_token": "` + text + `"}`))
	}))
	t.Cleanup(service.Close)
	var messages bytes.Buffer
	c := exec.CommandContext(t.Context(), "sh", "-c", line)
	c.Dir, c.Stderr = t.TempDir(), &messages
	c.Env = append(os.Environ(), "HOME="+c.Dir, "APITOKEN_URL="+service.URL, "APITOKEN_TOKEN="+secret.Mint("").Text().Reveal())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, &messages
}
