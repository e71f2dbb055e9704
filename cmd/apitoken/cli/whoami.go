package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type whoAmI struct {
	access.Flags
	output string
}

func newWhoAmI(e *console.Env) *cobra.Command {
	var o whoAmI
	c := &cobra.Command{
		Use: "whoami",
		Example: `  apitoken whoami
  apitoken whoami --token-file - <laptop.token`,
		Short: "Show the user that your token acts for, and the user's permissions on tokens of other users",
		Args:  console.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *whoAmI) run(ctx context.Context, e *console.Env) error {
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	caller, err := client.WhoAmI(ctx)
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, caller)
}

func (o *whoAmI) print(e *console.Env, caller httpapi.WhoAmI) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, caller)
	}
	return e.PrintTable(o.output, console.Table{Rows: [][]any{
		{"user", ownerOf(caller.User)}, {"name", caller.Name}, {"permissions", strings.Join(caller.Permissions, ", ")},
	}})
}
