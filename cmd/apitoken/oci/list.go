package oci

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

func newList(e *console.Env) *cobra.Command {
	c := &command{
		cobra: &cobra.Command{
			Use:   "list",
			Short: "List the live tokens of a user, without their secrets",
			Long: `List the live tokens of a user, without their secrets. A disabled token is
INACTIVE. Deleted and expired tokens are not listed. Without tokens nothing is
printed.`,
			Example: `  apitoken iam auth-token list --user-id ann --output table
  apitoken iam auth-token list --user-id ann --query 'data[*].id'`,
		},
		options:   []option{userID},
		operation: "list_auth_tokens", method: http.MethodGet,
	}
	listed := c.build(e, c.listTokens)
	listed.Flags().Bool("all", false, "accepted, as in oci; all tokens are always listed")
	return listed
}

func (c *command) listTokens(ctx context.Context) error {
	_, owner, err := c.owner(userID.name)
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	var tokens []any
	err = httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := client.List(ctx, httpapi.ListQuery{User: owner, After: after})
		for _, e := range page.Entries {
			tokens = append(tokens, tokenData(e, ""))
		}
		return page.Paging, err
	})
	if err != nil || len(tokens) == 0 {
		return err
	}
	return c.print(c.env, answer{"data": tokens})
}
