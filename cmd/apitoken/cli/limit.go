package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

type limit struct {
	access
	output, set string
}

func newLimit(e *env) *cobra.Command {
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
	outputFlag(c, &o.output, formats...)
	o.access.add(c)
	return c
}

func (o *limit) run(ctx context.Context, e *env, args []string, given bool) error {
	user, err := userFrom(args)
	if err != nil {
		return err
	}
	if err := checkOutput(o.output, formats...); err != nil {
		return err
	}
	var own *int
	if given && o.set != "default" {
		n, err := strconv.Atoi(o.set)
		if err != nil {
			return usagef("--set is invalid; allowed: a whole number from 0 to 50, or default")
		}
		own = &n
	}
	client, err := o.client(ctx, e)
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
		return explain(err)
	}
	return o.print(e, now)
}

func (o *limit) print(e *env, l httpapi.Limit) error {
	if o.output == "json" {
		return printJSON(e.out, l)
	}
	own := "default"
	if l.TokenLimit != nil {
		own = strconv.Itoa(*l.TokenLimit)
	}
	return printRows(e.out, o.output, []string{"FIELD", "VALUE"}, [][]string{
		{"user", ownerOf(l.User)}, {"own limit", own}, {"limit in effect", strconv.Itoa(l.Effective)}, {"live tokens", strconv.Itoa(l.LiveTokens)},
	})
}
