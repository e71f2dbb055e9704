package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type limit struct {
	access.Flags
	output, set string
}

func newLimit(e *console.Env) *cobra.Command {
	var o limit
	c := &cobra.Command{
		Use:   "limit USER",
		Short: "Show how many live tokens a user may have, or set it",
		Long: `Show how many live tokens a user may have, or set it. Another user's limit is
shown to holders of view or edit; to set it takes edit. A lower limit ends no
token; it blocks new ones. ` + userForms,
		Example: `  apitoken limit ann
  apitoken limit ann --set 10
  apitoken limit ann --set default`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed("set"))
		},
	}
	c.Flags().StringVar(&o.set, "set", "", "the user's own limit, 0 to 50; default: that of the settings")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *limit) run(ctx context.Context, e *console.Env, args []string, given bool) error {
	user, err := userToSet("apitoken limit", args)
	if err != nil {
		return err
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	var own *int
	if given && o.set != "default" {
		n, err := strconv.Atoi(o.set)
		if err != nil {
			return console.Usagef("--set is invalid; allowed: a whole number from 0 to 50, or default")
		}
		own = &n
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	var now httpapi.Limit
	if given {
		now, err = client.SetLimit(ctx, user, own)
	} else {
		now, err = client.Limit(ctx, user)
	}
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, now)
}

func (o *limit) print(e *console.Env, l httpapi.Limit) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, l)
	}
	own := "default"
	if l.TokenLimit != nil {
		own = strconv.Itoa(*l.TokenLimit)
	}
	return e.PrintTable(o.output, console.Table{Rows: [][]any{
		{"user", ownerOf(l.User)}, {"own limit", own}, {"limit in effect", strconv.Itoa(l.Effective)}, {"live tokens", strconv.Itoa(l.LiveTokens)},
	}})
}
