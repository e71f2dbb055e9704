package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type version struct {
	access
	server bool
}

func newVersion(w *world) *cobra.Command {
	var o version
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), w) },
	}
	c.Flags().BoolVar(&o.server, "server", false, "print the service's version instead")
	o.access.add(c)
	return c
}

func (o *version) run(ctx context.Context, w *world) error {
	if !o.server {
		return o.print(w, release())
	}
	client, err := o.anonymous(w)
	if err != nil {
		return err
	}
	v, err := client.Version(ctx)
	if err != nil {
		return refused(err)
	}
	return o.print(w, v.Version)
}

func (o *version) print(w *world, version string) error {
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
