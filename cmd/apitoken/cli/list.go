package cli

import (
	"context"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

// maxPage is the largest page that the service gives.
const maxPage = 1000

type list struct {
	access
	owner, output string
	states        []string
	limit         int
}

func newList(e *env) *cobra.Command {
	var o list
	c := &cobra.Command{
		Use:   "list",
		Short: "List tokens, without their secrets",
		Long: `List tokens, without their secrets: your own, and everybody's if you hold the
permission view. Live ones are listed unless --state asks for others.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed("owner")) },
	}
	f := c.Flags()
	f.StringVar(&o.owner, "owner", "", "only the tokens of this user")
	f.StringSliceVar(&o.states, "state", nil, "only tokens in these states: active, disabled, expired, revoked (default: active and disabled)")
	f.IntVar(&o.limit, "limit", 0, "print at most so many (default: all)")
	outputFlag(c, &o.output, forms...)
	o.access.add(c)
	return c
}

func (o *list) run(ctx context.Context, e *env, ofOne bool) error {
	if err := checkOutput(o.output, forms...); err != nil {
		return err
	}
	if ofOne && o.owner == "" {
		return usagef("--owner is empty; leave it out for everybody's tokens")
	}
	if o.limit < 0 {
		return usagef("--limit is a number above 0, or 0 for all")
	}
	client, err := o.client(ctx, e)
	if err != nil {
		return err
	}
	entries, err := o.fetch(ctx, client)
	switch {
	case err != nil:
		return refused(err)
	case o.output == "json":
		return printJSON(e.out, entries)
	case len(entries) == 0:
		e.tell("there are no such tokens")
		return nil
	}
	return printRows(e.out, o.output, []string{"ID", "NAME", "OWNER", "STATE", "CREATED", "EXPIRES", "LAST-USED"}, tokenRows(entries))
}

// fetch reads page after page until there is no more, or enough.
func (o *list) fetch(ctx context.Context, client *httpapi.Client) ([]httpapi.Entry, error) {
	entries := []httpapi.Entry{}
	q := httpapi.ListQuery{User: o.owner, States: o.states, Limit: maxPage}
	for {
		if o.limit > 0 {
			q.Limit = min(maxPage, o.limit-len(entries))
		}
		page, err := client.List(ctx, q)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		q.After = page.Paging.After()
		if q.After == "" || (o.limit > 0 && len(entries) >= o.limit) {
			return entries, nil
		}
	}
}

func tokenRows(entries []httpapi.Entry) [][]string {
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{
			plain(e.ID), orDash(e.Name), ownerOf(e.User), plain(e.State),
			stamp(e.CreationTime), stamp(e.ExpirationTime), stamp(e.LastUsed),
		})
	}
	return rows
}
