package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type show struct {
	access.Flags
	id         oneID
	at, output string
	wide       bool
}

func newShow(e *console.Env) *cobra.Command {
	var o show
	c := &cobra.Command{
		Use: "show ID",
		Example: `  apitoken show JhxND7ci
  apitoken show self --output json`,
		Short: "Show one token, without its secret",
		Long: `Show one token, without its secret. The ID self is the token that you use; it
needs no scope. The table has the fields of VAST's command line; --wide adds the
others. With --at the command shows the token as it was at an earlier instant,
computed from the events that are kept. The etag, which --wide shows, changes with each change of the token: with --if-match,
other commands change the token only if it still has this etag.`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed("at"))
		},
	}
	c.Flags().StringVar(&o.at, "at", "", "show the token as it was at this instant, like 2027-01-31T12:00:00Z")
	c.Flags().BoolVar(&o.wide, "wide", false, "add fields to the table: state, creation, creator, scopes, source ranges, last address, etag and others")
	o.id.add(c)
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *show) run(ctx context.Context, e *console.Env, args []string, past bool) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	var at time.Time
	if past {
		if at, err = instantFlag("at", o.at); err != nil {
			return err
		}
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	entry, err := entryOf(ctx, client, id, past, at)
	if err != nil {
		return access.Explain(err)
	}
	if past {
		return printEntry(e, o.output, o.wide, entry, lastUse...)
	}
	return printEntry(e, o.output, o.wide, entry)
}

// entryOf asks for a token, or with past for the token as it was at an instant.
func entryOf(ctx context.Context, c *httpapi.Client, id string, past bool, at time.Time) (httpapi.Entry, error) {
	switch {
	case past && id == self:
		return c.GetSelfAt(ctx, at)
	case past:
		return c.GetAt(ctx, id, at)
	case id == self:
		return c.GetSelf(ctx)
	}
	entry, err := c.Get(ctx, id)
	if p, ok := errors.AsType[*httpapi.Problem](err); ok && p.Code == codeRevoked {
		if entry, found := revoked(ctx, c, id, p.EndedTime.Time); found {
			return entry, nil
		}
	}
	return entry, err
}

// revoked finds a revoked token, which the service does not answer by its id. The past
// of the token names its owner, whose list has it with its last use.
func revoked(ctx context.Context, c *httpapi.Client, id string, ended time.Time) (entry httpapi.Entry, found bool) {
	past, err := c.GetAt(ctx, id, ended)
	if err != nil {
		return entry, false
	}
	owner, err := past.User.Key()
	if err != nil {
		return entry, false
	}
	err = httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := c.List(ctx, httpapi.ListQuery{User: owner, States: []string{"revoked"}, After: after, Limit: maxPage})
		for _, listed := range page.Entries {
			if listed.ID == id {
				entry, found = listed, true
				return httpapi.Paging{}, nil
			}
		}
		return page.Paging, err
	})
	return entry, found && err == nil
}

// lastUse are the fields that the service does not know of the past.
var lastUse = []string{lastUsedColumn.name, lastUsedFromColumn.name}

// printEntry prints one token in one of the formats, without the fields whose names
// are to be omitted. The formats for programs have all fields that the service knows.
func printEntry(e *console.Env, output string, wide bool, entry httpapi.Entry, omit ...string) error {
	fields := allFields
	switch {
	case output == "json":
		return console.PrintJSON(e.Out, struct {
			httpapi.Entry
			ETag string `json:"etag,omitempty"`
		}{entry, entry.ETag})
	case output == "table" && wide:
		fields = wideFields
	case output == "table":
		fields = vastColumns
	}
	var t console.Table
	for _, field := range fields {
		if !slices.Contains(omit, field.name) {
			t.Rows = append(t.Rows, []any{field.label(output), field.cell(entry)})
		}
	}
	return e.PrintTable(output, t)
}
