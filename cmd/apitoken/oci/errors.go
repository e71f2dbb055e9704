package oci

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// exitWrongUse is the exit code for an option or a command that does not exist. All
// other errors, a missing option too, have the code 1.
const exitWrongUse = 2

// failure is an error with its whole message.
type failure struct {
	text string
	code int
}

func (f *failure) Error() string { return f.text }

func failf(format string, args ...any) error {
	return &failure{text: fmt.Sprintf(format, args...), code: console.ExitFailed}
}

// usageErrorf is the error about the value of an option.
func usageErrorf(format string, args ...any) error { return failf("UsageError: "+format, args...) }

// aborted is the error of a user who does not confirm.
var aborted = failf("Abort: ")

// wrongUse is an error about the command line. It quotes no argument, which may be a
// token.
func wrongUse(c *cobra.Command, rest, text string) error {
	return &failure{text: usageLine(c, rest) + "Error: " + text, code: exitWrongUse}
}

func usageLine(c *cobra.Command, rest string) string {
	return strings.TrimRight("Usage: "+c.CommandPath()+" [OPTIONS] "+rest, " ") + "\n\n"
}

// flagError gives the errors of the parser the texts of OCI.
func flagError(c *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && len(e.GetSpecifiedName()) > 1 {
		return wrongUse(c, "", "No such option '--"+e.GetSpecifiedName()+"'.")
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return wrongUse(c, "", "Option '--"+e.GetSpecifiedName()+"' requires an argument.")
	}
	return wrongUse(c, "", err.Error()+".")
}

// ociNames gives the flags in errors of other packages the names that ociName gives them.
var ociNames = strings.NewReplacer("--url", "--endpoint", "--ca-file", "--cert-bundle")

// show writes the message of an error of this command, and returns an error that has
// only the exit code.
func (c *command) show(err error) error {
	usage, isUsage := errors.AsType[*console.UsageError](err)
	problem, isProblem := errors.AsType[*httpapi.Problem](err)
	_, isFailure := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return nil
	case isFailure:
		return show(c.env, err)
	case isUsage:
		return show(c.env, usageErrorf("%s", ociNames.Replace(usage.Error())))
	case isProblem:
		return show(c.env, c.serviceError(problem, hintOf(err)))
	case errors.Is(err, context.Canceled):
		return show(c.env, failf("Aborted!%s", c.env.Outcome(err)))
	case c.base != "":
		return show(c.env, c.requestError(err))
	}
	return show(c.env, failf("Error: %s", err))
}

// show writes the message. It redacts tokens, and replaces what a terminal would not
// print.
func show(e *console.Env, err error) error {
	f, isFailure := errors.AsType[*failure](err)
	if !isFailure {
		f = &failure{text: err.Error(), code: console.ExitFailed}
	}
	for line := range strings.Lines(f.text) {
		line = console.Plain(strings.TrimRight(line, "\n"))
		fmt.Fprintln(e.Err, console.WholeToken.ReplaceAllString(line, "[redacted]"))
	}
	return &console.ShownError{Code: f.code}
}

func hintOf(err error) string {
	if unknown, ok := errors.AsType[*console.UnknownOutcomeError](err); ok {
		return "; " + unknown.Hint
	}
	return ""
}
