package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type groupsCommand struct {
	access.Flags
	output, set string
}

func newGroups(e *console.Env) *cobra.Command {
	var o groupsCommand
	c := &cobra.Command{
		Use:   "groups [ALIAS GROUP --set PERMISSIONS]",
		Short: "Show which groups of an identity provider give permissions, or set it",
		Long: `Show which groups of identity providers give permissions to the sessions of their
members, or set what one group gives. A session has what its groups gave when it
was opened; no token has these permissions. Reading takes view or edit. Setting
takes edit, and each permission that is given or taken. ALIAS is the alias of the
identity provider in the configuration of the service, and GROUP is the group as
the provider names it.`,
		Example: `  apitoken groups
  apitoken groups corp /team/admins --set view,edit
  apitoken groups corp /team/admins --set none`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed("set"))
		},
	}
	c.Flags().StringVar(&o.set, "set", "", "all permissions that the group shall give, of view, create, edit, delete; none takes all")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *groupsCommand) run(ctx context.Context, e *console.Env, args []string, given bool) error {
	switch {
	case given && len(args) != 2:
		return console.Usagef("give the alias of the identity provider and the group, as two arguments")
	case !given && len(args) > 0:
		return console.Usagef("the command shows all groups and has no arguments; to set what a group gives, add --set")
	}
	if err := checkSet(given, o.set); err != nil {
		return err
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	if !given {
		all, err := client.Groups(ctx)
		if err != nil {
			return access.Explain(err)
		}
		return o.print(e, all, all.Groups)
	}
	now, err := client.SetGroup(ctx, httpapi.Group{Alias: args[0], Group: args[1], Permissions: words(o.set)})
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, now, []httpapi.Group{now})
}

func (o *groupsCommand) print(e *console.Env, answer any, groups []httpapi.Group) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, answer)
	}
	t := console.Table{Heads: []string{"alias", "group", "permissions"}}
	for _, g := range groups {
		t.Rows = append(t.Rows, []any{g.Alias, g.Group, strings.Join(g.Permissions, ", ")})
	}
	return e.PrintTable(o.output, t)
}
