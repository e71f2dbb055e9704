package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"

	"github.com/spf13/cobra"
)

type version struct {
	access.Flags
	server bool
}

func newVersion(e *console.Env) *cobra.Command {
	var o version
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  console.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	c.Flags().BoolVar(&o.server, "server", false, "print the version of the service in place of this program's")
	o.Flags.Add(c)
	return c
}

func (o *version) run(ctx context.Context, e *console.Env) error {
	if !o.server {
		return o.print(e, release())
	}
	client, err := o.Anonymous(e)
	if err != nil {
		return err
	}
	v, err := client.Version(ctx)
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, v.Version)
}

func (o *version) print(e *console.Env, version string) error {
	_, err := fmt.Fprintln(e.Out, console.Plain(version))
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
