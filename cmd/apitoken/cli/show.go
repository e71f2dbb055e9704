package cli

import (
	"context"
	"slices"
	"strings"
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
}

func newShow(e *console.Env) *cobra.Command {
	var o show
	c := &cobra.Command{
		Use: "show ID",
		Example: `  apitoken show JhxND7ci
  apitoken show self --output json`,
		Short: "Show one token, without its secret",
		Long: `Show one token, without its secret. The ID self is the token that you use; it
needs no scope. With --at the command shows the token as it was at an earlier
instant, computed from the events that are kept. It shows a revoked token only
with --at. The etag changes with each change of the token: with --if-match,
other commands change the token only if it still has this etag.`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed("at"))
		},
	}
	c.Flags().StringVar(&o.at, "at", "", "show the token as it was at this instant, like 2027-01-31T12:00:00Z")
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
	return printEntry(e, o.output, entry)
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
	return c.Get(ctx, id)
}

// printEntry prints one token in one of the formats, with its etag. An entry without
// etag is one of the past: the service does not know its last use then.
func printEntry(e *console.Env, output string, entry httpapi.Entry) error {
	if output == "json" {
		return console.PrintJSON(e.Out, struct {
			httpapi.Entry
			ETag string `json:"etag,omitempty"`
		}{entry, entry.ETag})
	}
	rows := fields(entry)
	if entry.ETag == "" {
		rows = slices.DeleteFunc(rows, func(row []any) bool {
			name := row[0].(string)
			return name == "etag" || strings.HasPrefix(name, "last used")
		})
	}
	return e.PrintTable(output, console.Table{Rows: rows})
}

// fields are the rows of one token: a name and a value each.
func fields(e httpapi.Entry) [][]any {
	var ranges []string
	for _, p := range e.SourceIPs {
		ranges = append(ranges, p.String())
	}
	return [][]any{
		{"id", e.ID}, {"kind", e.Kind}, {"name", e.Name}, {"description", e.Description},
		{"owner", ownerOf(e.User)}, {"creator", ownerOf(e.Creator)}, {"state", console.State(e.State)},
		{"created", e.CreationTime.Time}, {"expires", console.Expiry(e.ExpirationTime.Time)},
		{"ended", e.EndedTime.Time}, {"previous secret until", e.PreviousSecretUntil.Time}, {"last used", e.LastUsed.Time},
		{"last used from", e.LastUsedAddress},
		{"scopes", strings.Join(e.Scopes, ", ")}, {"source ranges", strings.Join(ranges, ", ")},
		{"etag", e.ETag},
	}
}
