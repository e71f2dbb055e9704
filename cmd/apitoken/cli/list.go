package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// maxPage is the number of entries in the largest page of the service.
const maxPage = 1000

type list struct {
	access.Flags
	owner, output string
	states        []string
	archived      bool
	wide, byOwner bool
	limit         int
	filter        filterFlags
}

func newList(e *console.Env) *cobra.Command {
	var o list
	c := &cobra.Command{
		Use: "list",
		Example: `  apitoken list
  apitoken list --owner ann --state active,expired
  apitoken list --output json --limit 10`,
		Short: "List tokens, without their secrets",
		Long: `List tokens, without their secrets: your own, and also those of other users if
you hold the permission view. Without --state only live tokens are listed. A
token is listed if it matches all flags.

The table has the columns of VAST's command line; --wide adds the others. The
formats text, csv and json have all of them. A text in CSV that a spreadsheet
would take for a formula begins with an apostrophe.

--by-owner prints a line for each owner of such tokens: how many live tokens the
owner has, the limit, and when the first of the listed tokens expires.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed) },
	}
	f := c.Flags()
	f.StringVar(&o.owner, "owner", "", "list only the tokens of this user")
	f.StringSliceVar(&o.states, "state", nil, "list only tokens in these states: active, disabled, expired, revoked (default: active and disabled)")
	f.BoolVar(&o.archived, "archived", false, "list archived tokens too: revoked ones")
	c.MarkFlagsMutuallyExclusive("archived", "state")
	o.filter.add(c)
	f.BoolVar(&o.wide, "wide", false, "add columns to the table: state, creation, creator, scopes, source ranges, description")
	f.BoolVar(&o.byOwner, "by-owner", false, "print a line for each owner, and no tokens")
	f.IntVar(&o.limit, "limit", 0, "print at most this many tokens (default: all)")
	for _, other := range []string{"archived", "state", "wide", "limit"} {
		c.MarkFlagsMutuallyExclusive("by-owner", other)
	}
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *list) run(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	if given("owner") && o.owner == "" {
		return console.Usagef("--owner is empty; give a user, or leave the flag out for the tokens of all users")
	}
	if o.limit < 0 {
		return console.Usagef("--limit is negative; allowed: a number above 0, or 0 for all tokens")
	}
	filter, err := o.filter.read(given, time.Now())
	if err != nil {
		return err
	}
	if o.archived {
		o.states = []string{"active", "disabled", "revoked"}
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	progress := e.StartProgress()
	entries, err := o.fetch(ctx, client, filter, progress)
	if err == nil && o.byOwner {
		return o.printOwners(ctx, e, client, entries, progress)
	}
	progress.End()
	switch {
	case err != nil:
		return access.Explain(err)
	case o.output == "json":
		return console.PrintJSON(e.Out, entries)
	case len(entries) == 0 && o.output != "csv":
		e.Messagef("there are no such tokens")
		return nil
	}
	return e.PrintTable(o.output, tableOf(entries, o.columns(), o.output))
}

// columns are those that the output has.
func (o *list) columns() []column {
	switch {
	case o.output != "table":
		return allColumns
	case o.wide:
		return wideColumns
	}
	return vastColumns
}

// fetch reads pages until the last page, or until it has as many tokens as
// --limit allows.
func (o *list) fetch(ctx context.Context, client *httpapi.Client, filter httpapi.Filter, progress *console.Progress) ([]httpapi.Entry, error) {
	entries := []httpapi.Entry{}
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		q := httpapi.ListQuery{User: o.owner, States: o.states, Filter: filter, After: after, Limit: maxPage}
		if o.limit > 0 {
			q.Limit = min(maxPage, o.limit-len(entries))
		}
		progress.Showf("tokens read: %d", len(entries))
		page, err := client.List(ctx, q)
		entries = append(entries, page.Entries...)
		if o.limit > 0 && len(entries) >= o.limit {
			return httpapi.Paging{}, err
		}
		return page.Paging, err
	})
	return entries, err
}
