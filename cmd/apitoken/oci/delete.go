package oci

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

func newDelete(e *console.Env) *cobra.Command {
	c := &command{
		cobra: &cobra.Command{
			Use:   "delete",
			Short: "Revoke a token, immediately and permanently",
			Long: `Revoke a token, immediately and permanently. Without --force the command asks
first, and reads the answer from standard input.`,
			Example: `  apitoken iam auth-token delete --auth-token-id JhxND7ci --user-id ann --force`,
		},
		options: []option{
			userID, tokenIDOption, ifMatchOption,
			{name: "force", usage: "do not ask for confirmation", isSwitch: true},
		},
		operation: "delete_auth_token", method: http.MethodDelete,
	}
	return c.build(e, c.deleteToken)
}

func (c *command) deleteToken(ctx context.Context) error {
	id, owner, match, err := c.target()
	if err != nil {
		return err
	}
	if c.value("force") != "true" {
		if err := confirm(ctx, c.env); err != nil {
			return err
		}
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	if _, err := owned(ctx, client, id, owner); err != nil {
		return err
	}
	err = client.RevokeWith(ctx, id, httpapi.RevokeOptions{IfMatch: match})
	return unknown(err, "the token may have been deleted; `apitoken iam auth-token list` shows it if it still exists")
}

// confirm asks until the answer is yes or no. The end of the input and an interruption
// are a no.
func confirm(ctx context.Context, e *console.Env) error {
	in := bufio.NewReader(e.In)
	for {
		fmt.Fprint(e.Err, "Are you sure you want to delete this resource? [y/N]: ")
		line, err := readLine(ctx, e, in)
		switch word := strings.ToLower(strings.TrimSpace(line)); {
		case ctx.Err() != nil || word == "n" || word == "no" || word == "":
			return aborted
		case word == "y" || word == "yes":
			return nil
		case err != nil:
			return aborted
		}
		fmt.Fprintln(e.Err, "Error: invalid input")
	}
}

// readLine reads a line, or returns when ctx ends.
func readLine(ctx context.Context, e *console.Env, in *bufio.Reader) (string, error) {
	read := func() (string, error) { return in.ReadString('\n') }
	if e.Interactive() {
		return e.ReadTerminal(ctx, read)
	}
	return console.Until(ctx, read)
}
