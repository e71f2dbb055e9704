// Package console is what the commands share to speak with their user: the
// standard files and variables of the process, messages, tables and JSON, and the
// run of a command with its exit code.
//
// Data goes to standard output, and messages for people to standard error. Texts of
// a service never reach a terminal as control characters. The package knows no
// command, and leaves the calls to the service to the package access.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// Env is the part of the process that a command uses: its standard files and
// its environment variables.
type Env struct {
	In       *os.File
	Out, Err io.Writer
	Getenv   func(string) string

	started bool // the arguments were valid, and the command itself runs
	changes Changes
}

// WholeToken matches a token anywhere in a text.
var WholeToken = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// Messagef writes a message of one line to standard error. It redacts tokens: a
// user may have typed or pasted a token in a wrong place. It replaces unprintable
// characters: an error may contain a text of the service.
func (e *Env) Messagef(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	line = Plain(strings.ReplaceAll(line, "\t", " "))
	fmt.Fprintln(e.Err, WholeToken.ReplaceAllString(line, "[redacted]"))
}

// Interactive reports whether standard input is a terminal, so that a command
// can ask its user.
func (e *Env) Interactive() bool { return term.IsTerminal(int(e.In.Fd())) }

// ReadTerminal returns the text that read gets from the terminal, or the error
// of ctx when ctx ends first. It then restores the state of the terminal: an
// interrupted read may have switched off the echo.
func (e *Env) ReadTerminal(ctx context.Context, read func() (string, error)) (string, error) {
	fd := int(e.In.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := read()
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
