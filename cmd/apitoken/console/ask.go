package console

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Interactive reports whether standard input is a terminal, so that a command
// can ask its user.
func (e *Env) Interactive() bool { return term.IsTerminal(int(e.In.Fd())) }

// Confirm asks the user a question on standard error and reports whether the answer
// is y or yes. Every other answer, and the end of the input, is no. An error is that
// of ctx. A command asks only if Interactive is true, and offers a flag that
// answers in advance.
func (e *Env) Confirm(ctx context.Context, question string) (bool, error) {
	e.Messagef("%s [y/N]", question)
	answer, err := e.ReadTerminal(ctx, func() (string, error) { return bufio.NewReader(e.In).ReadString('\n') })
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	yes := slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
	return err == nil && yes, nil
}

// ReadTerminal returns the text that read gets from the terminal, or the error
// of ctx when ctx ends first. It then restores the state of the terminal: an
// interrupted read may have switched off the echo.
func (e *Env) ReadTerminal(ctx context.Context, read func() (string, error)) (string, error) {
	fd := int(e.In.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	text, err := Until(ctx, read)
	if ctx.Err() != nil {
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
	return text, err
}

// Until returns what read returns, or the error of ctx when ctx ends first. read then
// goes on until its input ends, so nothing else may read this input.
func Until(ctx context.Context, read func() (string, error)) (string, error) {
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
		return "", ctx.Err()
	}
}
