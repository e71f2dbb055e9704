package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// startTime is the maximum time of a start and of one command.
const startTime = 2 * time.Minute

// Difference is a line of a session that a target answers in another form than serve.
type Difference struct {
	Command string // a line of the session, with the user
	Serve   string // a line of the answer to this command
	Here    string // the line in its place
}

// Run runs the commands of a session and returns them with their output. A line
// USER$ ARGS is a command; the lines after it are its output, which run returns.
// Empty lines and comments with # stay.
func Run(session string, run func(user string, args []string) string) string {
	var got strings.Builder
	for line := range strings.Lines(session) {
		switch {
		case isCommand(line):
			user, args, _ := strings.Cut(line, "$ ")
			got.WriteString(line + run(user, strings.Fields(args)))
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

// Check compares the output of a session with the session and a target's differences.
// Each of them must be there.
func Check(t *testing.T, got, session string, differs []Difference) {
	t.Helper()
	lines, command, used := strings.Split(session, "\n"), "", make([]bool, len(differs))
	for i, line := range lines {
		if isCommand(line) {
			command = line
		}
		for j, d := range differs {
			if d.Command == command && d.Serve == line {
				lines[i], used[j] = d.Here, true
			}
		}
	}
	for j, d := range differs {
		if !used[j] {
			t.Errorf("the session has no line %q after %q", d.Serve, d.Command)
		}
	}
	if want := strings.Join(lines, "\n"); got != want {
		t.Errorf("the session differs: %s", difference(got, want))
	}
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

// Exec runs a program in a folder that is also its HOME. Times without a zone are UTC
// then: some clients read them in the zone of the machine.
func Exec(t *testing.T, dir string, environment []string, command ...string) (out, errOut string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir, c.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC", "COLUMNS=200"}, environment...)
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return o.String(), e.String(), code
}

// Shown returns what a session shows of a command: its standard output, its standard
// error, and its exit code if this is not 0.
func Shown(out, errOut string, code int) string {
	if text := out + errOut; text != "" && !strings.HasSuffix(text, "\n") {
		errOut += "\n"
	}
	if code != 0 {
		errOut += fmt.Sprintf("exit %d\n", code)
	}
	return strings.ReplaceAll(out+errOut, "\n\n", "\n") // a blank line in the session ends a part
}

// IDs are the ids of a session in their order. A session shows an id as a number of
// the same length, so that a later command can name it.
type IDs []string

// Note adds an id that is new.
func (ids *IDs) Note(id string) {
	if !slices.Contains(*ids, id) {
		*ids = append(*ids, id)
	}
}

// Mask replaces the ids in a text by their numbers.
func (ids IDs) Mask(text string) string {
	for i, id := range ids {
		text = strings.ReplaceAll(text, id, number(i))
	}
	return text
}

func number(i int) string { return fmt.Sprintf("ID%06d", i+1) }

var numbers = regexp.MustCompile(`\bID[0-9]{6}\b`)

// Real replaces the numbers in an argument by their ids.
func (ids IDs) Real(t *testing.T, arg string) string {
	t.Helper()
	return numbers.ReplaceAllStringFunc(arg, func(n string) string {
		for i, id := range ids {
			if number(i) == n {
				return id
			}
		}
		t.Errorf("the session has no token %s yet", n)
		return n
	})
}
