package cli

import (
	"context"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
)

func newContextAdd(e *console.Env) *cobra.Command {
	var o access.NewContext
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Store a context",
		Long: `Store a context. The first context becomes the current one. The paths are stored
as absolute paths. A name has 1 to 32 lower-case letters, digits and hyphens. To
change a context, remove it and add it again.`,
		Example: `  apitoken context add local --url http://127.0.0.1:8080 --token-file .apitoken/admin.token
  apitoken context add prod --url https://api.example.com --token-file ~/prod.token --ca-file ca.pem`,
		RunE: func(c *cobra.Command, args []string) error { return addContext(c.Context(), e, o, args) },
	}
	o.Add(c)
	return c
}

func addContext(ctx context.Context, e *console.Env, o access.NewContext, args []string) error {
	name, err := contextName(args)
	if err != nil {
		return err
	}
	added, doubt, err := o.Context(e, name)
	if err != nil {
		return err
	}
	first := false
	err = access.ChangeContexts(ctx, e, func(stored *access.Contexts) error {
		if _, exists := stored.Contexts[name]; exists {
			return console.Usagef("the context %s exists; to replace it, remove it first with `apitoken context remove %s`", name, name)
		}
		if first = len(stored.Contexts) == 0; first {
			stored.Current = name
		}
		stored.Contexts[name] = added
		return nil
	})
	if err != nil {
		return err
	}
	if doubt != nil {
		e.Messagef("warning: the context cannot be used yet: %s", doubt)
	}
	if first {
		e.Messagef("the context %s is stored, and is the current one: %s", name, added.URL)
		return nil
	}
	e.Messagef("the context %s is stored: %s; to make it the current one, run `apitoken context use %s`", name, added.URL, name)
	return nil
}
