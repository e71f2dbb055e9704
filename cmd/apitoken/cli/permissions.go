package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

type permissions struct {
	access
	output, set string
}

func newPermissions(e *env) *cobra.Command {
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
	outputFlag(c, &o.output, formats...)
	o.access.add(c)
	return c
}

func (o *permissions) run(ctx context.Context, e *env, args []string, given bool) error {
	user, err := userFrom(args)
	if err != nil {
		return err
	}
	if err := checkOutput(o.output, formats...); err != nil {
		return err
	}
	if given && o.set == "" { // an unset variable in a script
		return usagef("--set is empty; allowed: some of view, create, edit, delete with commas between them, or none")
	}
	client, err := o.client(ctx, e)
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
		return explain(err)
	}
	return o.print(e, now)
}

func (o *permissions) print(e *env, p httpapi.Permissions) error {
	if o.output == "json" {
		return printJSON(e.out, p)
	}
	return printRows(e.out, o.output, []string{"FIELD", "VALUE"}, [][]string{
		{"user", ownerOf(p.User)}, {"permissions", orDash(strings.Join(p.Permissions, ", "))},
	})
}
