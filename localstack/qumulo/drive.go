package qumulo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Password is the password that the drive sends. It may be in no log line.
const Password = "hunter2"

// startTime is the maximum time of a start and of one command.
const startTime = 30 * time.Second

var (
	//go:embed testdata/session.txt
	session string

	//go:embed testdata/bindings.py
	bindings []byte
)

// Target is a service to drive, with the programs that drive it. The service is new:
// its only token is the administrator's.
type Target struct {
	QQ, Python string // the paths of qq, and of the Python with its bindings
	Host, Port string // an address that speaks TLS
	Admin      string // the administrator's token
	Differs    []Difference
}

// Difference is a line of the session that a target answers in another form than
// serve.
type Difference struct {
	Command string // a line of the session, with the user
	Serve   string // a line of the answer to this command
	Here    string // the line in its place
}

// Commands runs the commands of testdata/session.txt and compares their output.
func Commands(t *testing.T, to Target) {
	t.Helper()
	if got, want := Session(t, to), to.expected(t); got != want {
		t.Errorf("the session differs: %s", difference(got, want))
	}
}

// Session runs the commands of testdata/session.txt and returns them with their
// output. A line USER$ ARGS is a call of qq with the credentials file USER.json; the
// lines after it are its standard output, its standard error, and its exit code if
// this is not 0. Ids are numbered, so that a later command can name them.
func Session(t *testing.T, to Target) string {
	t.Helper()
	d := newDrive(t, to)
	var got strings.Builder
	for line := range strings.Lines(session) {
		switch {
		case isCommand(line):
			user, args, _ := strings.Cut(line, "$ ")
			got.WriteString(line + d.qq(user, strings.Fields(args)))
		case line == "\n" || strings.HasPrefix(line, "#"):
			got.WriteString(line)
		}
	}
	return got.String()
}

func isCommand(line string) bool {
	user, _, found := strings.Cut(line, "$ ")
	return found && !strings.Contains(user, " ")
}

// expected returns the session with the target's differences. Each of them must be
// there.
func (to Target) expected(t *testing.T) string {
	t.Helper()
	lines, command, used := strings.Split(session, "\n"), "", make([]bool, len(to.Differs))
	for i, line := range lines {
		if isCommand(line) {
			command = line
		}
		for j, d := range to.Differs {
			if d.Command == command && d.Serve == line {
				lines[i], used[j] = d.Here, true
			}
		}
	}
	for j, d := range to.Differs {
		if !used[j] {
			t.Errorf("the session has no line %q after %q", d.Serve, d.Command)
		}
	}
	return strings.Join(lines, "\n")
}

// difference names the first line that differs, with the command before it.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var command string
	for i := range min(len(g), len(w)) {
		if isCommand(g[i]) {
			command = g[i]
		}
		if g[i] != w[i] {
			return fmt.Sprintf("line %d, after %s\ngot  %s\nwant %s", i+1, command, g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

// Bindings runs testdata/bindings.py, which checks every answer itself. The target
// may have tokens of an earlier session.
func Bindings(t *testing.T, to Target) {
	t.Helper()
	d := newDrive(t, to)
	d.write("bindings.py", bindings)
	out, errOut, code := d.run(to.Python, "bindings.py", to.Host, to.Port, "admin.json")
	if code != 0 || out != "ok\n" {
		t.Errorf("bindings.py: got exit %d\n%s%s", code, out, errOut)
	}
}

// drive is a place where the clients run.
type drive struct {
	Target
	t   *testing.T
	dir string // the working directory and HOME of qq, with the credentials files
	ids []string
}

func newDrive(t *testing.T, to Target) *drive {
	t.Helper()
	d := &drive{Target: to, t: t, dir: t.TempDir()}
	d.write("admin.json", fmt.Appendf(nil, `{"version":1,"bearer_token":%q}`, to.Admin))
	return d
}

func (d *drive) write(name string, text []byte) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// qq runs a command and returns what the session shows of it.
func (d *drive) qq(user string, args []string) string {
	for i, arg := range args {
		args[i] = d.realID(arg)
	}
	args = append([]string{d.QQ, "--host", d.Host, "--port", d.Port, "--credentials-store", user + ".json"}, args...)
	out, errOut, code := d.run(args...)
	if text := out + errOut; text != "" && !strings.HasSuffix(text, "\n") {
		errOut += "\n"
	}
	if code != 0 {
		errOut += fmt.Sprintf("exit %d\n", code)
	}
	return d.masked(strings.ReplaceAll(out+errOut, "\n\n", "\n")) // a blank line in the session ends a part
}

// run runs a program. Times without a zone are UTC then: qq reads them in the zone of
// the machine.
func (d *drive) run(command ...string) (out, errOut string, code int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir, c.Env = d.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "TZ=UTC", "COLUMNS=200"}
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		d.t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return o.String(), e.String(), code
}
