// Package cli is the command line: what people type, and what they are told.
//
// Data goes to standard output and everything said to people to standard
// error. A token is never taken from an argument, where process lists and shell
// histories keep it, and is printed once, by create. What the calls mean it
// leaves to the service.
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
	exitInterrupted = 130 // as shells have it for SIGINT
)

// env is what a command sees of its surroundings.
type env struct {
	in       *os.File
	out, err io.Writer
	getenv   func(string) string
	started  bool // the arguments made sense, and the command itself runs
}

// Main runs the command line of this process and gives its exit code. The
// first signal asks the command to end, a second one ends it at once.
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
	usage, wrong := errors.AsType[*usageError](err)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		e.tell("apitoken: interrupted%s", hint(err))
		return exitInterrupted
	case wrong:
		e.tell("apitoken: %s", usage)
		return exitUsage
	case !e.started:
		e.tell("apitoken: %s; see apitoken --help", err)
		return exitUsage
	}
	e.tell("apitoken: %s", err)
	return exitFailed
}

// usageError says that a command was asked wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// unsettledError says that a call may or may not have done its work, and how
// to find out.
type unsettledError struct {
	err  error
	hint string
}

func (e *unsettledError) Error() string { return e.err.Error() + ": " + e.hint }
func (e *unsettledError) Unwrap() error { return e.err }

func hint(err error) string {
	if unsettled, ok := errors.AsType[*unsettledError](err); ok {
		return ": " + unsettled.hint
	}
	return ""
}

// wholeToken is the form of a token anywhere in a text.
var wholeToken = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// tell says one line to the person at the terminal. Somebody may have typed or
// pasted a token where it does not belong, so none gets through here.
func (e *env) tell(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	fmt.Fprintln(e.err, wholeToken.ReplaceAllString(line, "[redacted]"))
}

// interactive says that a person can be asked something.
func (e *env) interactive() bool { return term.IsTerminal(int(e.in.Fd())) }

// answer waits for what is typed at the terminal, or for the end of ctx: then
// it leaves the terminal as it was, for a read that was cut short may have
// switched its echo off.
func (e *env) answer(ctx context.Context, read func() (string, error)) (string, error) {
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
