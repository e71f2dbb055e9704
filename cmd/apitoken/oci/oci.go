// Package oci is the commands that OCI's own command line has too, in its form:
// `apitoken iam auth-token create | list | update | delete` and `apitoken iam user
// create`.
//
// A script for `oci iam` runs with `apitoken iam`. The options, the JSON and the
// tables, the exit codes and the form of the errors are those of oci 3.95. There are
// three intended differences. A call sends a token, because requests are not signed.
// All messages go to standard error; oci writes some to standard output. Unknown keys
// and unreadable files of --from-json are errors; oci ignores some of them.
package oci

import (
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// NewIAM returns the command iam, with its commands.
func NewIAM(e *console.Env) *cobra.Command {
	tokens := newGroup(e, "auth-token", "Create, list, change and delete tokens, as oci iam auth-token does",
		newCreate(e), newList(e), newUpdate(e), newDelete(e))
	users := newGroup(e, "user", "Name a user, as oci iam user does", newUserCreate(e))
	iam := newGroup(e, "iam", "Run scripts that were written for oci iam", tokens, users)
	iam.Long = `Run scripts that were written for oci iam: the options, the answers, the exit codes
and the form of the errors are those of OCI's command line. Requests are not
signed: each call sends your token, as all commands of apitoken do.

The token and the address come from flags and variables (see apitoken --help), or
from a profile. --profile NAME is the section NAME of ~/.oci/config, and
--config-file names another file; its section DEFAULT is used without --profile:

  [NAME]
  endpoint = https://tokens.example.org
  token_file = ~/.oci/apitoken.token`
	iam.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return show(e, flagError(c, err)) })
	return iam
}

// newGroup returns a command that only has other commands. Without one of them it
// shows its help and fails, as oci does.
func newGroup(e *console.Env, use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   use,
		Short: short,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return show(e, wrongUse(c, "COMMAND [ARGS]...", "No such command."))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(e.Err, c.Short+"\n\n"+c.UsageString())
			return &console.ShownError{Code: exitWrongUse}
		},
	}
	g.AddCommand(commands...)
	return g
}
