package cli

import (
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
)

func newContextList(e *console.Env) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the contexts",
		Example: "  apitoken context list --output json",
		Args:    console.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return listContexts(e, output) },
	}
	console.OutputFlag(c, &output, console.Formats...)
	return c
}

// listedContext is one context in the JSON of a list.
type listedContext struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	access.Context
}

func listContexts(e *console.Env, output string) error {
	if err := console.CheckOutput(output, console.Formats...); err != nil {
		return err
	}
	stored, err := access.ReadContexts(e)
	if err != nil {
		return err
	}
	all, rows := []listedContext{}, [][]any{}
	for _, name := range stored.Names() {
		c := stored.Contexts[name]
		all = append(all, listedContext{Name: name, Current: name == stored.Current, Context: c})
		rows = append(rows, []any{name, name == stored.Current, c.URL, c.TokenFile, c.CAFile})
	}
	if output == "json" {
		return console.PrintJSON(e.Out, all)
	}
	return e.PrintTable(output, console.Table{Heads: []string{"NAME", "CURRENT", "URL", "TOKEN-FILE", "CA-FILE"}, Rows: rows})
}
