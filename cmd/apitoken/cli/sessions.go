package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

type sessions struct {
	access.Flags
	owner, output string
	all           bool
}

func newSessions(e *console.Env) *cobra.Command {
	var o sessions
	c := &cobra.Command{
		Use:   "sessions",
		Short: "List sessions, and end one",
		Long: `List the sessions that are open: your own, and those of other users if you hold
the permission view. A user has at most 20; the next one ends the oldest.`,
		Example: `  apitoken sessions
  apitoken sessions --owner ann --all
  apitoken sessions close JhxND7ci`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed) },
	}
	c.Flags().StringVar(&o.owner, "owner", "", "list only the sessions of this user")
	c.Flags().BoolVar(&o.all, "all", false, "list also sessions that have ended")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	c.AddCommand(newSessionsClose(e))
	return c
}

func (o *sessions) run(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	if given("owner") && o.owner == "" {
		return console.Usagef("--owner is empty; give a user, or leave the flag out for the sessions of all users")
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	q := httpapi.ListQuery{User: o.owner, Kind: sessionKind, Limit: maxPage}
	if o.all {
		q.States = []string{"active", "disabled", "expired", "revoked"}
	}
	entries := []httpapi.Entry{}
	err = httpapi.Pages(func(after string) (httpapi.Paging, error) {
		q.After = after
		page, err := client.List(ctx, q)
		entries = append(entries, page.Entries...)
		return page.Paging, err
	})
	switch {
	case err != nil:
		return access.Explain(err)
	case o.output == "json":
		return console.PrintJSON(e.Out, entries)
	case len(entries) == 0 && o.output != "csv":
		e.Messagef("there are no such sessions")
		return nil
	}
	return e.PrintTable(o.output, tableOf(entries, sessionColumns, o.output))
}

// sessionColumns are the columns of a list of sessions, in all formats.
var sessionColumns = []column{
	idColumn, ownerColumn, {"Via", "via", func(e httpapi.Entry) any { return e.Via }}, stateColumn, createdColumn, expiryColumn, lastUsedColumn, lastUsedFromColumn,
}

type sessionsClose struct{ access.Flags }

func newSessionsClose(e *console.Env) *cobra.Command {
	var o sessionsClose
	c := &cobra.Command{
		Use:   "close ID",
		Short: "End a session",
		Long: `End a session. The ID self is the session that you use; apitoken logout removes its
file too. The sessions of other users need the permission delete.`,
		Example: "  apitoken sessions close JhxND7ci",
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	o.Flags.Add(c)
	return c
}

func (o *sessionsClose) run(ctx context.Context, e *console.Env, args []string) error {
	id, err := new(oneID).from(args)
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	var found httpapi.Entry
	if id == self {
		found, err = client.GetSelf(ctx)
	} else {
		found, err = client.Get(ctx, id)
	}
	switch {
	case err != nil:
		return access.Explain(err)
	case !secret.IsID(found.ID):
		_, err := checkAnswered(found.ID)
		return err
	case found.Kind != sessionKind:
		return fmt.Errorf("%s is a token and no session; to end it, run `apitoken revoke %s`", found.ID, found.ID)
	}
	if id == self {
		err = client.RevokeSelf(ctx)
	} else {
		err = client.Revoke(ctx, id)
	}
	if err != nil {
		return access.Explain(err)
	}
	_, err = fmt.Fprintf(e.Out, "Session with id: %s has been ended\n", found.ID)
	return err
}
