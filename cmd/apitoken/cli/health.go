package cli

import (
	"context"
	"fmt"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"

	"github.com/spf13/cobra"
)

type health struct{ access.Flags }

func newHealth(e *console.Env) *cobra.Command {
	var o health
	c := &cobra.Command{
		Use:   "health",
		Short: "Say whether a service can do its work, for health checks",
		Long: `Say whether a service can do its work. The exit code is 0 if it can, and 1 if it does
not answer or its store does not write any more. The call sends no token.`,
		Example: `  apitoken health --url unix:/run/apitoken/apitoken.sock
  apitoken health`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	o.Flags.Add(c)
	return c
}

func (o *health) run(ctx context.Context, e *console.Env) error {
	client, err := o.Anonymous(e)
	if err != nil {
		return err
	}
	h, err := client.Health(ctx)
	if err != nil {
		return access.Explain(err)
	}
	_, err = fmt.Fprintln(e.Out, console.Plain(h.Status))
	return err
}
