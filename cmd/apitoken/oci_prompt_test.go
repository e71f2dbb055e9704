package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/creack/pty"

	"apitoken/events/secret"
)

// TestCtrlCAtThePromptOfDelete types Ctrl-C on the terminal that controls the command.
// The service must get no request.
func TestCtrlCAtThePromptOfDelete(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("pseudo-terminals are set up for Linux only")
	}
	var calls atomic.Int32
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer service.Close()
	c := exec.CommandContext(t.Context(), "apitoken", "iam", "auth-token", "delete", "--auth-token-id", "JhxND7ci", "--user-id", "ann")
	c.Env = []string{"PATH=", "HOME=" + t.TempDir(), "APITOKEN_URL=" + service.URL, "APITOKEN_TOKEN=" + secret.Mint("").Text().Reveal()}
	person, err := pty.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	text := readUntil(person, "[y/N]: ")
	person.Write([]byte{3})
	text += readUntil(person, "\x00") // to the end
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(text, "[y/N]: ") || !strings.Contains(text, "Abort") || calls.Load() != 0 {
		t.Errorf("got exit code %d, %q and %d calls, want 1, Abort and none", code, text, calls.Load())
	}
}

// readUntil reads until the text appears, or to the end of the terminal's output.
func readUntil(from io.Reader, end string) string {
	var text strings.Builder
	for b := make([]byte, 256); !strings.Contains(text.String(), end); {
		n, err := from.Read(b)
		text.Write(b[:n])
		if err != nil {
			break
		}
	}
	return text.String()
}
