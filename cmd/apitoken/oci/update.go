package oci

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

var (
	tokenIDOption = option{name: "auth-token-id", usage: "the id of the token", required: true}
	ifMatchOption = option{name: "if-match", usage: "do nothing unless the token still has this etag, which create and update print"}
)

func newUpdate(e *console.Env) *cobra.Command {
	c := &command{
		cobra: &cobra.Command{
			Use:     "update",
			Short:   "Change the description of a token",
			Long:    `Change the description of a token, and print the token without its secret.`,
			Example: `  apitoken iam auth-token update --auth-token-id JhxND7ci --user-id ann --description nightly`,
		},
		options: []option{
			userID, tokenIDOption,
			{name: "description", usage: "the purpose of the token; '' removes it"},
			ifMatchOption,
		},
		operation: "update_auth_token", method: http.MethodPatch,
	}
	return c.build(e, c.updateToken)
}

func (c *command) updateToken(ctx context.Context) error {
	id, owner, match, err := c.target()
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	if _, err := owned(ctx, client, id, owner); err != nil {
		return err
	}
	request := httpapi.UpdateRequest{IfMatch: match}
	if c.given("description") {
		text := c.value("description")
		request.Description = &text
	}
	entry, err := client.Update(ctx, id, request)
	if err != nil {
		return unknown(err, "the token may have been changed; `apitoken iam auth-token list` shows it")
	}
	return c.print(c.env, tokenAnswer(entry, ""))
}

// target is the token that update and delete name, with its user and the etag that it
// must have.
func (c *command) target() (id, owner, match string, err error) {
	if _, owner, err = c.owner(userID.name); err != nil {
		return id, owner, match, err
	}
	if id, err = c.tokenID(); err != nil {
		return id, owner, match, err
	}
	match, err = c.ifMatch()
	return id, owner, match, err
}
