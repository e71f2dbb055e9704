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

func newWhoAmI(w *world) *cobra.Command {
	var o whoAmI
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Say whom the token acts for, and what that user may do to other people's tokens",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), w) },
	}
	outputFlag(c, &o.output, forms...)
	o.access.add(c)
	return c
}

func (o *whoAmI) run(ctx context.Context, w *world) error {
	if err := checkOutput(o.output, forms...); err != nil {
		return err
	}
	client, err := o.client(ctx, w)
	if err != nil {
		return err
	}
	self, err := client.WhoAmI(ctx)
	if err != nil {
		return refused(err)
	}
	return o.print(w, self)
}

func (o *whoAmI) print(w *world, self httpapi.Self) error {
	if o.output == "json" {
		return printJSON(w.out, self)
	}
	return printRows(w.out, o.output, []string{"FIELD", "VALUE"}, [][]string{
		{"id", plain(self.ID)}, {"name", plain(self.Name)}, {"permissions", orDash(strings.Join(self.Permissions, ", "))},
	})
}
