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
	verify, all   bool
}

func newHistory(e *console.Env) *cobra.Command {
	var o history
	c := &cobra.Command{
		Use: "history ID | --owner USER | --all",
		Example: `  apitoken history JhxND7ci
  apitoken history --owner ann --verify
  apitoken history --all --output json`,
		Short: "Show the events of a token, of a user, or of all users",
		Long: `Show the events of a token, or of all tokens of a user, oldest first. The ID
self is the token that you use; it needs no scope. With --output json each event
is the CloudEvents object that was published. The hash of the event can be
verified from this object.

--all shows the events of all users and of the settings, one stream after the
other, the oldest of each stream first. It takes the permission view. The formats
json, text and csv are printed while the events are read. If something other than
the service changed an event, the command leaves it out, and names it and fails at
the end.

With --verify the command computes the hash of each event again and prints only
the result. With --owner and --all it also checks that each event follows the one before, so
that no event between them is missing or changed. It fails if an event is wrong.
It has no peppers, so it cannot check the MACs, which show that the service wrote
the events; "apitoken audit verify" does. It cannot see that events at the end are
missing.`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	c.Flags().BoolVar(&o.verify, "verify", false, "verify the events, and print only the result")
	c.Flags().StringVar(&o.owner, "owner", "", "show the events of this user's tokens")
	o.id.add(c)
	c.Flags().BoolVar(&o.all, "all", false, "show the events of all users and of the settings")
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
	id, err := o.chosen(args)
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	switch {
	case o.all && o.verify:
		return o.runVerifyAll(ctx, e, client)
	case o.all:
		return o.runAll(ctx, e, client)
	case o.verify:
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

// chosen returns the id of the token, or "" for --owner and --all.
func (o *history) chosen(args []string) (string, error) {
	byID := len(args) > 0 || o.id.flag != ""
	switch {
	case o.all && (byID || o.owner != ""), byID && o.owner != "":
		return "", console.Usagef("give a token's id, --owner or --all, only one of them")
	case o.all || o.owner != "":
		return "", nil
	}
	return o.id.from(args)
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
		progress.Showf("events read: %d", len(entries))
		page, err := read(ctx, httpapi.HistoryQuery{After: after, Limit: maxPage})
		entries = append(entries, page.Entries...)
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
		rows = append(rows, historyRow(m))
	}
	return e.PrintTable(o.output, console.Table{Heads: historyHeads, Rows: rows})
}

var historyHeads = []string{"SEQUENCE", "TIME", "EVENT", "TOKEN", "BY", "WITH-TOKEN"}

func historyRow(m events.Message) []any {
	return []any{strconv.FormatUint(m.Seq, 10), m.Time, m.Type, m.Subject, m.Actor, m.TokenID}
}
