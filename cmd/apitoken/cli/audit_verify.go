package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apitoken/events"
	"apitoken/events/audit"
)

func newAuditVerify(e *env) *cobra.Command {
	var f sourceFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare every stream of the log with its copies",
		Long: `Compare every stream of the log with its copies: each event with its own hash and
with the event before it, the log with the copies, and the head with its seal and
with the last event. Prints a line for each stream and a line for each finding.
Fails if there is a finding. An event of the last 15 minutes may have no copy yet.

With --table and --audit-table the log and the copies are tables of a deployed
stack. The stack's peppers are in the variable PEPPERS (kid:base64, the current
one first) or in --peppers-file. Credentials and region are found as AWS's own
tools find them. Otherwise the log and the copies are in the data folder DIR,
which no server may use meanwhile. Events that were moved away from
DIR/events.jsonl count as missing.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.withLogAndCopies(c, e, func(s *source) error { return s.verify(c.Context(), e) })
		},
	}
	f.addCopies(c)
	f.addLog(c)
	return c
}

func (s *source) verify(ctx context.Context, e *env) error {
	streams, err := s.allStreams(ctx)
	if err != nil {
		return err
	}
	if err := printFindings(e, s.faults); err != nil {
		return err
	}
	n := len(s.faults)
	for _, stream := range streams {
		found, err := s.verifyStream(ctx, e, stream)
		if err != nil {
			return err
		}
		n += found
	}
	if n > 0 {
		return fmt.Errorf("the log and its copies do not agree: %d findings", n)
	}
	return nil
}

// verifyStream prints what it finds, and returns the number of findings.
func (s *source) verifyStream(ctx context.Context, e *env, stream events.Stream) (int, error) {
	r, err := audit.Compare(ctx, s.log, s.copies, s.keys, stream, time.Now())
	if err != nil {
		return 0, fmt.Errorf("comparing stream %s: %w", stream, err)
	}
	if _, err := fmt.Fprintf(e.out, "%s: %d in the log, %d copies\n", plain(string(stream)), r.Log, r.Copies); err != nil {
		return 0, err
	}
	found := slices.DeleteFunc(r.Findings, func(f audit.Finding) bool { return f.Kind == audit.Missing && s.unsent[f.ID] })
	return len(found), printFindings(e, found)
}

func printFindings(e *env, found []audit.Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(e.out, "  %s\n", plain(f.String())); err != nil {
			return err
		}
	}
	return nil
}

// allStreams are the streams that have copies, and the streams that the log may
// have without copies: the settings, and one for each owner of a token.
func (s *source) allStreams(ctx context.Context) ([]events.Stream, error) {
	streams := append(slices.Clone(s.streams), events.SettingsStream)
	q := events.Query{
		States: []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked, events.StateGone},
		Now:    time.Now(), Limit: 1000,
	}
	for {
		page, err := s.log.Tokens(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the owners: %w", err)
		}
		for _, v := range page.Views {
			streams = append(streams, events.UserStream(v.Owner))
		}
		slices.Sort(streams)
		streams = slices.Compact(streams)
		if !page.More {
			return streams, nil
		}
		q.After = page.Next
	}
}
