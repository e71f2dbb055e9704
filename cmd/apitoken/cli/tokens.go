package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

var forms = []string{"table", "json", "text"}

func newShow(w *world) *cobra.Command {
	var a access
	var id oneID
	var output string
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one token, without its secret",
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := id.from(args)
			if err != nil {
				return err
			}
			return show(c.Context(), w, &a, chosen, output)
		},
	}
	id.add(c)
	outputFlag(c, &output, forms...)
	a.add(c)
	return c
}

func show(ctx context.Context, w *world, a *access, id, output string) error {
	if err := checkOutput(output, forms...); err != nil {
		return err
	}
	client, err := a.client(ctx, w)
	if err != nil {
		return err
	}
	entry, err := client.Get(ctx, id)
	if err != nil {
		return refused(err)
	}
	if output == "json" {
		return printJSON(w.out, entry)
	}
	return printRows(w.out, output, []string{"FIELD", "VALUE"}, fields(entry))
}

// fields are all that is known of a token, one a row.
func fields(e httpapi.Entry) [][]string {
	var ranges []string
	for _, p := range e.SourceIPs {
		ranges = append(ranges, p.String())
	}
	return [][]string{
		{"id", plain(e.ID)}, {"name", orDash(e.Name)}, {"description", orDash(e.Description)},
		{"owner", ownerOf(e.User)}, {"creator", ownerOf(e.Creator)}, {"state", plain(e.State)},
		{"created", stamp(e.CreationTime)}, {"expires", stamp(e.ExpirationTime)}, {"last used", stamp(e.LastUsed)},
		{"scopes", orDash(strings.Join(e.Scopes, ", "))}, {"source ranges", orDash(strings.Join(ranges, ", "))},
	}
}

// ownerOf is an identity as --owner takes it.
func ownerOf(i token.Identity) string {
	key, err := i.Key()
	if err != nil {
		return "?"
	}
	return plain(key)
}

func newRevoke(w *world) *cobra.Command {
	var a access
	var id oneID
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token, for good and at once",
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := id.from(args)
			if err != nil {
				return err
			}
			return revoke(c.Context(), w, &a, chosen)
		},
	}
	id.add(c)
	a.add(c)
	return c
}

func revoke(ctx context.Context, w *world, a *access, id string) error {
	client, err := a.client(ctx, w)
	if err != nil {
		return err
	}
	if err := client.Revoke(ctx, id); err != nil {
		return refused(err)
	}
	_, err = fmt.Fprintf(w.out, "ApiToken with id: %s has been revoked\n", id)
	return err
}
