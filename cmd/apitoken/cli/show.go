package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/functions/httpapi"
)

type show struct {
	access
	id     oneID
	output string
}

func newShow(e *env) *cobra.Command {
	var o show
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one token, without its secret",
		Long: `Show one token, without its secret. The ID self is the token that you use; it
needs no scope. The etag changes with each change of the token: with --if-match,
other commands change the token only if it still has this etag.`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	o.id.add(c)
	outputFlag(c, &o.output, formats...)
	o.access.add(c)
	return c
}

func (o *show) run(ctx context.Context, e *env, args []string) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	if err := checkOutput(o.output, formats...); err != nil {
		return err
	}
	client, err := o.client(ctx, e)
	if err != nil {
		return err
	}
	entry, err := entryOf(ctx, client, id)
	if err != nil {
		return explain(err)
	}
	return printEntry(e, o.output, entry)
}

func entryOf(ctx context.Context, c *httpapi.Client, id string) (httpapi.Entry, error) {
	if id == self {
		return c.GetSelf(ctx)
	}
	return c.Get(ctx, id)
}

// printEntry prints one token in one of the formats, with its etag.
func printEntry(e *env, output string, entry httpapi.Entry) error {
	if output == "json" {
		return printJSON(e.out, struct {
			httpapi.Entry
			ETag string `json:"etag"`
		}{entry, entry.ETag})
	}
	return printRows(e.out, output, []string{"FIELD", "VALUE"}, fields(entry))
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
