package cli

import (
	"context"

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
token is listed if it matches all flags.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed) },
	}
	f := c.Flags()
	f.StringVar(&o.owner, "owner", "", "list only the tokens of this user")
	f.StringSliceVar(&o.states, "state", nil, "list only tokens in these states: active, disabled, expired, revoked (default: active and disabled)")
	o.filter.add(c)
	f.IntVar(&o.limit, "limit", 0, "print at most this many tokens (default: all)")
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
	filter, err := o.filter.read(given)
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	progress := e.StartProgress()
	entries, err := o.fetch(ctx, client, filter, progress)
	progress.End()
	switch {
	case err != nil:
		return access.Explain(err)
	case o.output == "json":
		return console.PrintJSON(e.Out, entries)
	case len(entries) == 0:
		e.Messagef("there are no such tokens")
		return nil
	}
	return e.PrintTable(o.output, console.Table{Heads: []string{"ID", "NAME", "OWNER", "STATE", "CREATED", "EXPIRES", "LAST-USED"}, Rows: tokenRows(entries)})
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
		page, err := client.List(ctx, q)
		entries = append(entries, page.Entries...)
		progress.Showf("tokens read: %d", len(entries))
		if o.limit > 0 && len(entries) >= o.limit {
			return httpapi.Paging{}, err
		}
		return page.Paging, err
	})
	return entries, err
}

func tokenRows(entries []httpapi.Entry) [][]any {
	var rows [][]any
	for _, e := range entries {
		rows = append(rows, []any{
			e.ID, e.Name, ownerOf(e.User), console.State(e.State),
			e.CreationTime.Time, console.Expiry(e.ExpirationTime.Time), e.LastUsed.Time,
		})
	}
	return rows
}
