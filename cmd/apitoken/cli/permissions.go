package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type permissions struct {
	access.Flags
	output, set string
}

func newPermissions(e *console.Env) *cobra.Command {
	var o permissions
	c := &cobra.Command{
		Use:   "permissions USER",
		Short: "Show what a user may do on tokens of other users, or set it",
		Long: `Show what a user may do on tokens of other users, or set it. Another user's
permissions are shown to holders of view or edit. To set them takes edit, and
each permission that is given or taken. The last holder of edit who is not
suspended keeps it. ` + userForms,
		Example: `  apitoken permissions ann
  apitoken permissions ann --set view,create
  apitoken permissions ann --set none`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed("set"))
		},
	}
	c.Flags().StringVar(&o.set, "set", "", "all permissions that the user shall have, of view, create, edit, delete; none takes all")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *permissions) run(ctx context.Context, e *console.Env, args []string, given bool) error {
	user, err := userToSet("apitoken permissions", args)
	if err != nil {
		return err
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	if err := checkSet(given, o.set); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	var now httpapi.Permissions
	if given {
		now, err = client.SetPermissions(ctx, user, words(o.set))
	} else {
		now, err = client.Permissions(ctx, user)
	}
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, now)
}

// checkSet refuses an empty --set: a variable of a script may be unset.
func checkSet(given bool, permissions string) error {
	if given && permissions == "" {
		return console.Usagef("--set is empty; allowed: some of view, create, edit, delete with commas between them, or none")
	}
	return nil
}

func (o *permissions) print(e *console.Env, p httpapi.Permissions) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, p)
	}
	return e.PrintTable(o.output, console.Table{Rows: [][]any{
		{"user", ownerOf(p.User)}, {"permissions", strings.Join(p.Permissions, ", ")},
	}})
}
