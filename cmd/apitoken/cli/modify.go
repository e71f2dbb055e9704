package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// newModify is VAST's command apitoken modify (kb.vastdata.com, "apitoken modify"). It
// is update with VAST's options, and prints no data.
func newModify(e *console.Env) *cobra.Command {
	var o update
	c := &cobra.Command{
		Use:   "modify --id ID",
		Short: "Change the name or the expiry of a token, as VAST's command line does",
		Long: `Change the name or the expiry of a token, as VAST's command line does. A lifetime
counts from the creation of the token. The command update can change more.`,
		Example: `  apitoken modify --id SwpND4dt --name manager1token2 --expiry-date 24M
  apitoken modify --id SwpND4dt --expiry-date 180D`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return o.modify(c.Context(), e, c.Flags().Changed)
		},
	}
	f := c.Flags()
	f.StringVar(&o.id.flag, "id", "", "the token's id, or self for the token that you use")
	f.StringVar(&o.name, "name", "", "the token's name; '' is OWNER_api_token")
	f.StringVar(&o.expiry, "expiry-date", "", expiryForms+"; a lifetime counts from the creation of the token")
	f.BoolVar(&o.yes, "yes", false, "do not ask for confirmation if the unit is M (months)")
	o.Flags.Add(c)
	return c
}

func (o *update) modify(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	flags := []string{"name", "expiry-date"}
	if !slices.ContainsFunc(flags, given) {
		return console.Usagef("give --name or --expiry-date; see apitoken modify --help")
	}
	id, err := o.id.from(nil)
	if err != nil {
		return err
	}
	entry, err := o.change(ctx, e, id, given)
	if err != nil {
		return err
	}
	e.Messagef("ApiToken with id: %s has been modified", entry.ID)
	if given("expiry-date") {
		e.Messagef("%s", expiryText(entry.ExpirationTime, o.expiry))
	}
	return nil
}
