package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// enabling is the command enable or disable.
type enabling struct {
	access.Flags
	ifMatch
	id      oneID
	enabled bool
}

func newEnable(e *console.Env) *cobra.Command {
	return newEnabling(e, true, &cobra.Command{
		Use:     "enable ID",
		Example: `  apitoken enable JhxND7ci`,
		Short:   "Let a disabled token pass again",
		Long: `Let a disabled token pass again. An enabled token stays as it is. The ID self is
the token that you use.`,
	})
}

func newDisable(e *console.Env) *cobra.Command {
	return newEnabling(e, false, &cobra.Command{
		Use:     "disable ID",
		Example: `  apitoken disable JhxND7ci`,
		Short:   "Refuse a token until it is enabled again",
		Long: `Refuse a token from the next call on, until it is enabled again. A disabled token
counts for the limit of its owner. The ID self is the token that you use; to
enable it again takes another token.`,
	})
}

func newEnabling(e *console.Env, enabled bool, c *cobra.Command) *cobra.Command {
	o := enabling{enabled: enabled}
	c.RunE = func(c *cobra.Command, args []string) error {
		return o.run(c.Context(), e, args, c.Flags().Changed)
	}
	o.id.add(c)
	o.ifMatch.add(c)
	o.Flags.Add(c)
	return c
}

func (o *enabling) run(ctx context.Context, e *console.Env, args []string, given func(flag string) bool) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	tags, err := o.ifMatch.header(given("if-match"))
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	if id, err = ownID(ctx, client, id); err != nil {
		return access.Explain(err)
	}
	if _, err := client.Update(ctx, id, httpapi.UpdateRequest{IfMatch: tags, Enabled: &o.enabled}); err != nil {
		return access.Explain(err)
	}
	word := "disabled"
	if o.enabled {
		word = "enabled"
	}
	_, err = fmt.Fprintf(e.Out, "ApiToken with id: %s has been %s\n", id, word)
	return err
}
