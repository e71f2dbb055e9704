package oci

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

var userID = option{name: "user-id", usage: "the user that the token acts for, as `OWNER` in other commands", required: true}

func newCreate(e *console.Env) *cobra.Command {
	c := &command{
		cobra: &cobra.Command{
			Use:   "create",
			Short: "Create a token and print it; no command can show it again",
			Long: `Create a token and print it. No command can show it again. It does not expire, if
the settings of the service allow that.`,
			Example: `  apitoken iam auth-token create --description ci --user-id ann
  apitoken iam auth-token create --from-json file://token.json --description nightly
  apitoken iam auth-token create --description ci --user-id ann --query data.token --raw-output`,
		},
		options: []option{
			{name: "description", usage: "the purpose of the token; it may be empty", required: true},
			userID,
		},
		operation: "create_auth_token", method: http.MethodPost,
	}
	return c.build(e, c.createToken)
}

func (c *command) createToken(ctx context.Context) error {
	owner, _, err := c.owner(userID.name)
	if err != nil {
		return err
	}
	if err := c.try(tokenAnswer(httpapi.Entry{ETag: "1"}, "token")); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	made, err := client.Create(ctx, httpapi.CreateRequest{User: &owner, Description: c.value("description")})
	if err == nil {
		if err = access.CheckCreated(made); err != nil {
			err = fmt.Errorf("creating a token: %w", err)
		}
	}
	if err != nil {
		return unknown(err, "the token may have been created; if `apitoken iam auth-token list` shows it, delete it")
	}
	if err := c.print(c.env, tokenAnswer(made.Entry, made.BearerToken.Reveal())); err != nil {
		return failf("Error: printing the new token %s (delete this token and create another): %s", made.ID, err)
	}
	return nil
}
