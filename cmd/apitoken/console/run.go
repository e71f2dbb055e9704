package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes beside 0. ExitCodes describes them for help texts.
const (
	ExitFailed      = 1 // refused, or something went wrong
	ExitUsage       = 2
	ExitInterrupted = 130 // the code that shells use for SIGINT
)

// ExitCodes is a help text: the exit codes of all commands.
const ExitCodes = `  0    the command did its work
  1    the service refused the call, or something failed
  2    the command line or a variable is wrong; nothing was sent
  130  the command was interrupted; its message says what may have changed`

// Run runs the command that the arguments name, below root, and returns the exit
// code of the process. It writes the error of the command as one message.
func Run(ctx context.Context, e *Env, root *cobra.Command, args []string) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := cmp.Or(checkTokens(c), checkGroups(c)); err != nil {
			return err
		}
		e.started = true
		return nil
	}
	Prepare(root)
	root.SetOut(e.Out)
	root.SetErr(e.Err)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	usage, wrongUsage := errors.AsType[*UsageError](err)
	shown, isShown := errors.AsType[*ShownError](err)
	switch {
	case err == nil:
		return 0
	case isShown:
		return shown.Code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		e.Messagef("apitoken: interrupted%s", e.Outcome(err))
		return ExitInterrupted
	case wrongUsage:
		e.Messagef("apitoken: %s", usage)
		return ExitUsage
	case !e.started:
		e.Messagef("apitoken: %s; see apitoken --help", err)
		return ExitUsage
	}
	e.Messagef("apitoken: %s", err)
	return ExitFailed
}

// UsageError is an error in the arguments, flags or variables of a command. The
// exit code is 2.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// ShownError is the error of a command that has written its message itself, in the
// form of another command line. Code is the exit code.
type ShownError struct{ Code int }

func (e *ShownError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// UnknownOutcomeError is the error of a call that may or may not have done its
// work. Hint says how the user can find out.
type UnknownOutcomeError struct {
	Err  error
	Hint string
}

func (e *UnknownOutcomeError) Error() string { return e.Err.Error() + ": " + e.Hint }
func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// Outcome says, after a colon, what a command that ended with err after an
// interruption may have changed at the service.
func (e *Env) Outcome(err error) string {
	if unknown, ok := errors.AsType[*UnknownOutcomeError](err); ok {
		return ": " + unknown.Hint
	}
	return e.changes.interrupted()
}

// NoArgs refuses arguments. The error does not quote them: one may be a token.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef("%s takes flags but no other arguments; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}
