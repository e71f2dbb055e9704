// Package terminaltest runs commands on a pseudo-terminal, and compares what reaches
// the terminal with recorded scenes. It is for tests only.
package terminaltest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// Terminal is a pseudo-terminal. It collects what is written to it.
type Terminal struct {
	File   *os.File // the side of the command
	user   *os.File // the side of the person
	text   strings.Builder
	copied chan struct{}
}

// Open opens a terminal with this number of columns; 0 is a terminal that does not
// know its size. It skips the test on a system where pseudo-terminals are not set up.
func Open(t *testing.T, columns uint16) *Terminal {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("pseudo-terminals are set up for Linux only")
	}
	user, command, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close(); command.Close() })
	if columns > 0 {
		if err := pty.Setsize(user, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
			t.Fatal(err)
		}
	}
	x := &Terminal{File: command, user: user, copied: make(chan struct{})}
	go func() {
		defer close(x.copied)
		io.Copy(&x.text, user) // it ends with an error when the command's side is closed
	}()
	return x
}

// Type types a text, as a person does.
func (x *Terminal) Type(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(x.user, text); err != nil {
		t.Fatal(err)
	}
}

// Run runs a command in a session of its own. Its standard files that are nil are the
// terminal. It returns the exit code.
func (x *Terminal) Run(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if cmd.Stdin == nil {
		cmd.Stdin = x.File
	}
	if cmd.Stdout == nil {
		cmd.Stdout = x.File
	}
	if cmd.Stderr == nil {
		cmd.Stderr = x.File
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// Text closes the terminal and returns what was written to it. The terminal's line
// ends are newlines.
func (x *Terminal) Text() string {
	x.File.Close()
	<-x.copied
	return strings.ReplaceAll(x.text.String(), "\r\n", "\n")
}

var (
	instants = regexp.MustCompile(`20\d\d-\d\d-\d\d([ T])\d\d:\d\d:\d\d`)
	dates    = regexp.MustCompile(`20\d\d-\d\d-\d\d`)
)

// Scene is the form of a text in a recorded scene: control characters are visible,
// and times are replaced by as many characters.
func Scene(text string) string {
	text = strings.NewReplacer("\x1b", `\e`, "\r", `\r`).Replace(text)
	return dates.ReplaceAllString(instants.ReplaceAllString(text, "YYYY-MM-DD${1}hh:mm:ss"), "YYYY-MM-DD")
}

// Compare compares the scene of a text with the file, or writes the file if update is
// true.
func Compare(t *testing.T, file, text string, update bool) {
	t.Helper()
	got := Scene(text)
	if update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}
