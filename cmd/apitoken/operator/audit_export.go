package operator

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/name"
)

func newAuditExport(e *console.Env) *cobra.Command {
	var f sourceFlags
	var owner string
	c := &cobra.Command{
		Use: "export",
		Example: `  apitoken audit export --data .apitoken --owner ann
  apitoken audit export --audit-table COPIES >events.jsonl`,
		Short: "Print the copies as CloudEvents, one on a line",
		Long: `Print the copies of all events as CloudEvents 1.0 objects, one on a line: stream
after stream, each stream in its order and each event once. The hashes in the
objects are enough to verify them.

With --audit-table the copies are those of a deployed stack. Otherwise they are
those of the data folder DIR, and a server may use the folder meanwhile. Events that
a restore left out (audit reapply) are not printed.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.withCopies(c, e, (*sourceFlags).openEvents, func(s *source) error { return s.export(c.Context(), e, owner) })
		},
	}
	f.addCopies(c)
	c.Flags().StringVar(&owner, "owner", "", "only the events of this user's tokens and sessions")
	return c
}

// export prints all streams, or the owner's only.
func (s *source) export(ctx context.Context, e *console.Env, owner string) error {
	streams := slices.Sorted(slices.Values(s.streams))
	if owner != "" {
		key, err := name.OwnerKey(owner)
		if err != nil {
			return console.Usagef("--owner: %s", err)
		}
		streams = []events.Stream{events.SessionStream(key), events.UserStream(key)}
	}
	p := newAuditProgress(e)
	defer p.End()
	s.copies, p.total = p.counting(s.copies), len(streams)
	for _, stream := range streams {
		if err := s.eachCopy(ctx, stream, func(m events.Message) error { return printEvent(p, m) }); err != nil {
			return err
		}
		p.streamDone()
	}
	return nil
}

func printEvent(w io.Writer, m events.Message) error {
	detail, err := m.Detail()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", console.EscapeJSON(detail))
	return err
}
