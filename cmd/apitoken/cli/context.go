package cli

import (
	"context"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
)

func newContext(e *console.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "context",
		Short: "Store the addresses of services with their tokens, and choose one",
		Long: `Store the addresses of services with their tokens, and choose one.

A context has the address of a service, the path of a file with your token, and
if needed the path of a file with certificates to trust. It never has the token
itself. The contexts are in contexts.json in $XDG_CONFIG_HOME/apitoken (default
~/.config/apitoken), which only you can read.

The flag --context chooses the context of one command. Otherwise flags and
variables with both an address and a token are used, then APITOKEN_CONTEXT, then
the current context. The address, the token and the certificates always come from
one source: a flag or a variable with a part of them beside a context is an error.`,
	}
	c.AddCommand(newContextAdd(e), newContextUse(e), newContextList(e), newContextRemove(e))
	return c
}

func newContextUse(e *console.Env) *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a context the current one",
		Example:           "  apitoken context use prod",
		ValidArgsFunction: access.CompleteContext(e),
		RunE:              func(c *cobra.Command, args []string) error { return useContext(c.Context(), e, args) },
	}
}

func useContext(ctx context.Context, e *console.Env, args []string) error {
	name, err := contextName(args)
	if err != nil {
		return err
	}
	var chosen access.Context
	err = access.ChangeContexts(ctx, e, func(stored *access.Contexts) error {
		var known bool
		if chosen, known = stored.Contexts[name]; !known {
			return noContext(name)
		}
		stored.Current = name
		return nil
	})
	if err == nil {
		e.Messagef("the current context is %s: %s", name, chosen.URL)
	}
	return err
}

func newContextRemove(e *console.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a context; its files and its token stay as they are",
		Long: `Remove a context. The file with the token stays, and the token still works. To
end the token, revoke it before.`,
		Example:           "  apitoken context remove old",
		ValidArgsFunction: access.CompleteContext(e),
		RunE:              func(c *cobra.Command, args []string) error { return removeContext(c.Context(), e, args) },
	}
}

func removeContext(ctx context.Context, e *console.Env, args []string) error {
	name, err := contextName(args)
	if err != nil {
		return err
	}
	var removed access.Context
	wasCurrent := false
	err = access.ChangeContexts(ctx, e, func(stored *access.Contexts) error {
		var known bool
		if removed, known = stored.Contexts[name]; !known {
			return noContext(name)
		}
		delete(stored.Contexts, name)
		if wasCurrent = stored.Current == name; wasCurrent {
			stored.Current = ""
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.Messagef("the context %s is removed; %s stays, and its token still works", name, removed.TokenFile)
	if wasCurrent {
		e.Messagef("it was the current context; choose another one with `apitoken context use NAME`")
	}
	return nil
}

// contextName is the one argument of a command about a context.
func contextName(args []string) (string, error) {
	if len(args) != 1 {
		return "", console.Usagef("give exactly one name of a context")
	}
	return args[0], access.CheckName(args[0])
}

func noContext(name string) error {
	return console.Usagef("there is no context %s; `apitoken context list` shows those that exist", name)
}
