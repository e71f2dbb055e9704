package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

type whoAmI struct {
	access
	output string
}

func newWhoAmI(e *env) *cobra.Command {
	var o whoAmI
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Show the user that your token acts for, and the user's permissions on tokens of other users",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	outputFlag(c, &o.output, formats...)
	o.access.add(c)
	return c
}

func (o *whoAmI) run(ctx context.Context, e *env) error {
	if err := checkOutput(o.output, formats...); err != nil {
		return err
	}
	client, err := o.client(ctx, e)
	if err != nil {
		return err
	}
	caller, err := client.WhoAmI(ctx)
	if err != nil {
		return explain(err)
	}
	return o.print(e, caller)
}

func (o *whoAmI) print(e *env, caller httpapi.WhoAmI) error {
	if o.output == "json" {
		return printJSON(e.out, caller)
	}
	return printRows(e.out, o.output, []string{"FIELD", "VALUE"}, [][]string{
		{"id", plain(caller.ID)}, {"name", plain(caller.Name)}, {"permissions", orDash(strings.Join(caller.Permissions, ", "))},
	})
}
