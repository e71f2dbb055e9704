package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

type show struct {
	access
	id         oneID
	at, output string
}

func newShow(e *env) *cobra.Command {
	var o show
	c := &cobra.Command{
		Use:   "show ID",
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
	outputFlag(c, &o.output, formats...)
	o.access.add(c)
	return c
}

func (o *show) run(ctx context.Context, e *env, args []string, past bool) error {
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
	if err := checkOutput(o.output, formats...); err != nil {
		return err
	}
	client, err := o.client(ctx, e)
	if err != nil {
		return err
	}
	entry, err := entryOf(ctx, client, id, past, at)
	if err != nil {
		return explain(err)
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
func printEntry(e *env, output string, entry httpapi.Entry) error {
	if output == "json" {
		return printJSON(e.out, struct {
			httpapi.Entry
			ETag string `json:"etag,omitempty"`
		}{entry, entry.ETag})
	}
	rows := fields(entry)
	if entry.ETag == "" {
		rows = slices.DeleteFunc(rows, func(row []string) bool { return row[0] == "etag" || strings.HasPrefix(row[0], "last used") })
	}
	return printRows(e.out, output, []string{"FIELD", "VALUE"}, rows)
}

// fields are the rows of one token: a name and a value each.
func fields(e httpapi.Entry) [][]string {
	var ranges []string
	for _, p := range e.SourceIPs {
		ranges = append(ranges, p.String())
	}
	return [][]string{
		{"id", plain(e.ID)}, {"kind", plain(e.Kind)}, {"name", orDash(e.Name)}, {"description", orDash(e.Description)},
		{"owner", ownerOf(e.User)}, {"creator", ownerOf(e.Creator)}, {"state", plain(e.State)},
		{"created", formatTime(e.CreationTime)}, {"expires", formatTime(e.ExpirationTime)},
		{"ended", formatTime(e.EndedTime)}, {"previous secret until", formatTime(e.PreviousSecretUntil)}, {"last used", formatTime(e.LastUsed)},
		{"last used from", orDash(e.LastUsedAddress)},
		{"scopes", orDash(strings.Join(e.Scopes, ", "))}, {"source ranges", orDash(strings.Join(ranges, ", "))},
		{"etag", orDash(e.ETag)},
	}
}
