package cli

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newWhoAmI(w *world) *cobra.Command {
	var a access
	var output string
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Say whom the token acts for, and what that user may do to other people's tokens",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return whoAmI(c.Context(), w, &a, output) },
	}
	outputFlag(c, &output, forms...)
	a.add(c)
	return c
}

func whoAmI(ctx context.Context, w *world, a *access, output string) error {
	if err := checkOutput(output, forms...); err != nil {
		return err
	}
	client, err := a.client(ctx, w)
	if err != nil {
		return err
	}
	self, err := client.WhoAmI(ctx)
	if err != nil {
		return refused(err)
	}
	if output == "json" {
		return printJSON(w.out, self)
	}
	return printRows(w.out, output, []string{"FIELD", "VALUE"}, [][]string{
		{"id", plain(self.ID)}, {"name", plain(self.Name)}, {"permissions", orDash(strings.Join(self.Permissions, ", "))},
	})
}

func newVersion(w *world) *cobra.Command {
	var a access
	var server bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return printVersion(c.Context(), w, &a, server) },
	}
	c.Flags().BoolVar(&server, "server", false, "print the service's version instead")
	a.add(c)
	return c
}

func printVersion(ctx context.Context, w *world, a *access, server bool) error {
	version := release()
	if server {
		client, err := a.anonymous(w)
		if err != nil {
			return err
		}
		v, err := client.Version(ctx)
		if err != nil {
			return refused(err)
		}
		version = v.Version
	}
	_, err := fmt.Fprintln(w.out, plain(version))
	return err
}

// release is the version that the Go tool wrote into the program.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
