package cli

import (
	"cmp"
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
		Short: "Print the version of this program: its name, commit and date",
		Example: `  apitoken version
  apitoken version --server`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	c.Flags().BoolVar(&o.server, "server", false, "print the version of the service in place of this program's")
	o.Flags.Add(c)
	return c
}

func (o *version) run(ctx context.Context, e *console.Env) error {
	if !o.server {
		// The form is that of cobra's --version: a template of ours for it would link 4 MB.
		return o.print(e, "apitoken version "+ownVersion())
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

// built describes a build: its version, the commit, and the date of the commit. Go
// writes the commit into a program that it builds in a clone, but not with go run,
// with -buildvcs=false, or from a downloaded module, whose version names it.
func built(info *debug.BuildInfo) string {
	text := cmp.Or(info.Main.Version, console.Unversioned)
	setting := func(key string) string {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
		return ""
	}
	commit := setting("vcs.revision")
	switch {
	case commit != "":
		text += " (commit " + commit[:min(shownCommit, len(commit))] + ", " + setting("vcs.time")
		if setting("vcs.modified") == "true" {
			text += ", with uncommitted changes"
		}
		text += ")"
	case text == console.Unversioned:
		text += " (commit unknown: built by go run, or without version control)"
	}
	return text
}

const shownCommit = 12 // as in Go's own versions

// ownVersion is built for this program.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return built(info)
}
