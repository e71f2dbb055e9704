package operator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/events/instant"
)

func newAuditVerify(e *console.Env) *cobra.Command {
	var f sourceFlags
	var file string
	c := &cobra.Command{
		Use: "verify",
		Example: `  apitoken audit verify --data .apitoken
  apitoken audit verify --table TABLE --audit-table COPIES
  apitoken audit verify --events .apitoken/events.jsonl`,
		Short: "Compare every stream of the log, and the view of every token, with the copies",
		Long: `Compare every stream of the log with its copies: each event with its own hash, its
MAC and the event before it, the log with the copies, and the head with its seal
and with the last event. Compare the view of every token with its seal and with the
last event about the token, and look for views without a copy. Prints a line for
each stream, a line for each finding, and at the end a summary if all agree. An item
that cannot be decoded is a finding too. Fails if there is a finding. An event of the
last 15 minutes may have no copy yet.

With --table and --audit-table the log and the copies are tables of a deployed
stack. The stack's peppers are in the variable PEPPERS (kid:base64, the current
one first) or in --peppers-file. Credentials and region are found as AWS's own
tools find them. Otherwise the log and the copies are in the data folder DIR. If a
server uses the folder, the command verifies a snapshot of the store, which it keeps
in a temporary file in TMPDIR or /tmp meanwhile. Events that were moved away from
DIR/events.jsonl count as missing. After a restore and audit reapply, the events that
the restore left out are a note and no finding.

With --events there is no log: the command verifies FILE with all its older parts
beside it, or the output of audit export. It compares each event with its own hash
and with the event before it in its stream, and names each wrong line. A stream may
lack its beginning. The command needs no peppers, so it does not show that the
service wrote the events, or that no event is missing at the end of a stream. A
server may write to the file meanwhile.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("events") {
				return verifyEvents(c, e, file)
			}
			return f.withLogAndCopies(c, e, (*sourceFlags).openReading, func(s *source) error { return newVerification(s, e).run(c.Context()) })
		},
	}
	f.addCopies(c)
	f.addLog(c)
	c.Flags().StringVar(&file, "events", "", "verify only this file of events, without a log")
	return c
}

// verification compares a whole source, without a limit of time.
type verification struct {
	*source
	progress *auditProgress // all output goes through it
	compare  compare.Comparison
	once     compare.Once
	found    int
	events   int // in the log
}

func newVerification(s *source, e *console.Env) *verification {
	p := newAuditProgress(e)
	return &verification{source: s, progress: p, compare: compare.Comparison{
		Store: s.log, Copies: p.counting(s.copies), Keys: s.keys, Now: time.Now, Unsent: func(id string) bool { return s.unsent[id] }, Trimmed: s.trimmed,
	}}
}

func (v *verification) run(ctx context.Context) error {
	defer v.progress.End()
	if err := v.print(v.faults); err != nil {
		return err
	}
	streams, err := v.allStreams(ctx)
	if err != nil {
		return err
	}
	v.progress.total = len(streams)
	for _, stream := range streams {
		if err := v.stream(ctx, stream); err != nil {
			return err
		}
		v.progress.streamDone()
	}
	if err := v.ids(ctx, func(id string) error { return v.view(ctx, id) }); err != nil {
		return err
	}
	if v.found > 0 {
		return fmt.Errorf("the log and its copies do not agree: %d findings", v.found)
	}
	return v.summary()
}

// summary prints the known restores and the result.
func (v *verification) summary() error {
	if v.superseded != nil {
		restores := v.superseded.Restores()
		for _, at := range slices.SortedFunc(maps.Keys(restores), time.Time.Compare) {
			if _, err := fmt.Fprintf(v.progress, "note: the restore that ended at %s left out %s of the file; their revocations are applied\n", instant.Format(at), console.Count(restores[at], "event")); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(v.progress, "%s, %s, all agree\n", console.Count(v.progress.streams, "stream"), console.Count(v.events, "event"))
	return err
}

func (v *verification) stream(ctx context.Context, stream events.Stream) error {
	r, err := v.compare.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("comparing stream %s: %w", stream, err)
	}
	v.events += r.Log
	if _, err := fmt.Fprintf(v.progress, "%s: %d in the log, %d copies\n", console.Plain(string(stream)), r.Log, r.Copies); err != nil {
		return err
	}
	return v.print(r.Findings)
}

func (v *verification) view(ctx context.Context, id string) error {
	v.progress.tokenChecked()
	f, err := v.compare.View(ctx, id)
	if err != nil {
		return fmt.Errorf("looking for the copy of token %q: %w", id, err)
	}
	if f == nil {
		return nil
	}
	return v.print([]audit.Finding{*f})
}

// print prints each finding once.
func (v *verification) print(found []audit.Finding) error {
	for _, f := range v.once.First(found...) {
		v.found++
		if _, err := fmt.Fprintf(v.progress, "  %s\n", console.Plain(f.String())); err != nil {
			return err
		}
	}
	return nil
}

// allStreams are the streams that have copies, and the streams that the log may
// have without copies: the settings, and one for each owner of a token and of a
// session. It prints
// a finding for an entry of the list that cannot be decoded.
func (v *verification) allStreams(ctx context.Context) ([]events.Stream, error) {
	streams := append(slices.Clone(v.streams), events.SettingsStream)
	for _, kind := range []string{"", events.KindSession} {
		more, err := v.streamsOf(ctx, kind)
		if err != nil {
			return nil, err
		}
		streams = append(streams, more...)
	}
	slices.Sort(streams)
	return slices.Compact(streams), nil
}

// streamsOf are the streams of the tokens of a kind.
func (v *verification) streamsOf(ctx context.Context, kind string) (streams []events.Stream, err error) {
	q := events.Query{
		Kind: kind, States: events.AllStates(),
		Now: time.Now(), Limit: 1000,
	}
	for {
		page, err := v.log.Tokens(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the owners: %w", err)
		}
		for _, view := range page.Views {
			streams = append(streams, view.Stream())
		}
		for _, d := range page.Damaged {
			if err := v.print([]audit.Finding{audit.View(audit.Damaged, d.TokenID, d.Error())}); err != nil {
				return nil, err
			}
		}
		slices.Sort(streams)
		streams = slices.Compact(streams)
		if !page.More {
			return streams, nil
		}
		q.After = page.Next
	}
}
