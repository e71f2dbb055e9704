package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type revoke struct {
	access
	id oneID
}

func newRevoke(e *env) *cobra.Command {
	var o revoke
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token, immediately and permanently",
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	o.id.add(c)
	o.access.add(c)
	return c
}

func (o *revoke) run(ctx context.Context, e *env, args []string) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	client, err := o.client(ctx, e)
	if err != nil {
		return err
	}
	if err := client.Revoke(ctx, id); err != nil {
		return explain(err)
	}
	return o.print(e, id)
}

func (o *revoke) print(e *env, id string) error {
	_, err := fmt.Fprintf(e.out, "ApiToken with id: %s has been revoked\n", id)
	return err
}
