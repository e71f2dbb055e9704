// Package cli is the command line: its commands, flags and messages.
//
// It writes data to standard output and messages for people to standard error.
// It never reads a token from an argument, because process lists and shell
// histories keep arguments. Only create and rotate print a token, and print it
// once. The package leaves the meaning of the calls to the service.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// The exit codes beside 0.
const (
	exitFailed      = 1 // refused, or something went wrong
	exitUsage       = 2
	exitInterrupted = 130 // the code that shells use for SIGINT
)

// env is the part of the process that a command uses: its standard files and
// its environment variables.
type env struct {
	in       *os.File
	out, err io.Writer
	getenv   func(string) string
	started  bool // the arguments were valid, and the command itself runs
}

// Main runs the command line of this process and returns its exit code. The
// first SIGINT or SIGTERM asks the command to end; a second one kills the
// process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, &env{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}, os.Args[1:])
}

func run(ctx context.Context, e *env, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	usage, wrongUsage := errors.AsType[*usageError](err)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		e.messagef("apitoken: interrupted%s", hint(err))
		return exitInterrupted
	case wrongUsage:
		e.messagef("apitoken: %s", usage)
		return exitUsage
	case !e.started:
		e.messagef("apitoken: %s; see apitoken --help", err)
		return exitUsage
	}
	e.messagef("apitoken: %s", err)
	return exitFailed
}

// usageError is an error in the arguments, flags or variables of a command.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// unknownOutcomeError is the error of a call that may or may not have done its
// work. hint says how the user can find out.
type unknownOutcomeError struct {
	err  error
	hint string
}

func (e *unknownOutcomeError) Error() string { return e.err.Error() + ": " + e.hint }
func (e *unknownOutcomeError) Unwrap() error { return e.err }

func hint(err error) string {
	if unknown, ok := errors.AsType[*unknownOutcomeError](err); ok {
		return ": " + unknown.hint
	}
	return ""
}

// wholeToken matches a token anywhere in a text.
var wholeToken = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// messagef writes a message of one line to standard error. It redacts tokens: a
// user may have typed or pasted a token in a wrong place. It replaces unprintable
// characters: an error may contain a text of the service.
func (e *env) messagef(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	line = plain(strings.ReplaceAll(line, "\t", " "))
	fmt.Fprintln(e.err, wholeToken.ReplaceAllString(line, "[redacted]"))
}

// interactive reports whether standard input is a terminal, so that a command
// can ask its user.
func (e *env) interactive() bool { return term.IsTerminal(int(e.in.Fd())) }

// readTerminal returns the text that read gets from the terminal, or the error
// of ctx when ctx ends first. It then restores the state of the terminal: an
// interrupted read may have switched off the echo.
func (e *env) readTerminal(ctx context.Context, read func() (string, error)) (string, error) {
	fd := int(e.in.Fd())
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
