package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/functions/httpapi"
)

type history struct {
	access.Flags
	id            oneID
	owner, output string
	verify        bool
}

func newHistory(e *console.Env) *cobra.Command {
	var o history
	c := &cobra.Command{
		Use: "history ID | --owner USER",
		Example: `  apitoken history JhxND7ci
  apitoken history --owner ann --verify`,
		Short: "Show the events of a token, or of all tokens of a user",
		Long: `Show the events of a token, or of all tokens of a user, oldest first. The ID
self is the token that you use; it needs no scope. With --output json each event
is the CloudEvents object that was published. The hash of the event can be
verified from this object.

With --verify the command computes the hash of each event again and prints only
the result. With --owner it also checks that each event follows the one before, so
that no event between them is missing or changed. It fails if an event is wrong.
It has no peppers, so it cannot check the MACs, which show that the service wrote
the events; "apitoken audit verify" does. It cannot see that events at the end are
missing.`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	c.Flags().BoolVar(&o.verify, "verify", false, "verify the events, and print only the result")
	c.Flags().StringVar(&o.owner, "owner", "", "show the events of this user's tokens")
	o.id.add(c)
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

// readPage reads one page of a history.
type readPage func(context.Context, httpapi.HistoryQuery) (httpapi.History, error)

func (o *history) run(ctx context.Context, e *console.Env, args []string) error {
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	var id string
	if o.owner == "" || len(args) > 0 || o.id.flag != "" {
		if o.owner != "" {
			return console.Usagef("give a token's id or --owner, not both")
		}
		var err error
		if id, err = o.id.from(args); err != nil {
			return err
		}
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	if o.verify {
		return o.runVerify(ctx, e, o.reader(client, id), id)
	}
	progress := e.StartProgress()
	entries, err := allPages(ctx, o.reader(client, id), progress)
	progress.End()
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, entries)
}

// reader returns how the pages are read: of self, of a token, or of a user if id is
// "".
func (o *history) reader(client *httpapi.Client, id string) readPage {
	return func(ctx context.Context, q httpapi.HistoryQuery) (httpapi.History, error) {
		switch id {
		case self:
			return client.SelfEvents(ctx, q)
		case "":
			return client.UserEvents(ctx, o.owner, q)
		}
		return client.TokenEvents(ctx, id, q)
	}
}

// allPages returns the entries of all pages.
func allPages(ctx context.Context, read readPage, progress *console.Progress) ([]json.RawMessage, error) {
	entries := []json.RawMessage{}
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := read(ctx, httpapi.HistoryQuery{After: after, Limit: maxPage})
		entries = append(entries, page.Entries...)
		progress.Showf("events read: %d", len(entries))
		return page.Paging, err
	})
	return entries, err
}

func (o *history) print(e *console.Env, entries []json.RawMessage) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, entries)
	}
	if len(entries) == 0 {
		e.Messagef("there are no events")
		return nil
	}
	var rows [][]any
	for _, entry := range entries {
		m, err := events.ParseDetail(entry)
		if err != nil {
			return fmt.Errorf("reading the service's answer: %w", err)
		}
		rows = append(rows, []any{
			strconv.FormatUint(m.Seq, 10), m.Time, m.Type,
			m.Subject, m.Actor, m.TokenID,
		})
	}
	return e.PrintTable(o.output, console.Table{Heads: []string{"SEQUENCE", "TIME", "EVENT", "TOKEN", "BY", "WITH-TOKEN"}, Rows: rows})
}
