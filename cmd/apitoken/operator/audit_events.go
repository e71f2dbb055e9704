package operator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/infra/eventfile"
)

// verifyEvents verifies a file of events alone, without a log and without peppers.
func verifyEvents(c *cobra.Command, e *console.Env, path string) (err error) {
	for _, other := range []string{"data", "table", "audit-table", "peppers-file"} {
		if c.Flags().Changed(other) {
			return console.Usagef("--events verifies a file alone: it does not go together with --%s", other)
		}
	}
	if path == "" {
		return console.Usagef("--events needs the path of a file")
	}
	file, err := eventfile.OpenCopies(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file of events at %s", path)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	p := newAuditProgress(e)
	defer p.End()
	v := &eventsVerification{file: file, source: source{copies: p.counting(file)}, progress: p}
	return v.run(c.Context(), e)
}

// eventsVerification verifies the hashes and the chain of each stream in a file.
type eventsVerification struct {
	source
	file     *eventfile.Copies
	progress *auditProgress // all output goes through it
	found    int
	cut      int // streams without their first event
}

func (v *eventsVerification) run(ctx context.Context, e *console.Env) error {
	if err := v.print(lineFindings(append(v.file.Faults, v.file.Disagreeing...))); err != nil {
		return err
	}
	streams := v.file.Streams()
	v.progress.total = len(streams)
	for _, stream := range streams {
		if err := v.stream(ctx, stream); err != nil {
			return fmt.Errorf("verifying stream %s: %w", stream, err)
		}
		v.progress.streamDone()
	}
	return v.finish(e)
}

// finish prints the result, and says what it does not show.
func (v *eventsVerification) finish(e *console.Env) error {
	if v.progress.copies == 0 {
		e.Messagef("there are no events to verify")
	}
	if v.cut > 0 {
		e.Messagef("%d streams do not begin with event 1: their earlier events were moved away with older parts, or were removed", v.cut)
	}
	e.Messagef("not verified: that the service wrote the events (audit verify with --data or --table checks MACs, heads and seals with the peppers), that no event is missing after the last one of a stream, and the notices, which have no hash")
	if v.found > 0 {
		return fmt.Errorf("the file of events is not as the service writes it: %d findings", v.found)
	}
	if v.progress.copies == 0 {
		return nil
	}
	_, err := fmt.Fprintf(v.progress, "%s of %s verified: each hash matches its event, and each event follows the one before\n", console.Count(v.progress.copies, "event"), console.Count(v.progress.total, "stream"))
	return err
}

func (v *eventsVerification) stream(ctx context.Context, stream events.Stream) error {
	check := fileCheck{file: v.file}
	var found []audit.Finding
	err := v.eachCopy(ctx, stream, func(m events.Message) error {
		found = append(found, check.next(m)...)
		return nil
	})
	if err != nil {
		return err
	}
	if check.first > 1 {
		v.cut++
	}
	if _, err := fmt.Fprintf(v.progress, "%s: events %d to %d\n", console.Plain(string(stream)), check.first, check.before.Seq); err != nil {
		return err
	}
	return v.print(found)
}

func (v *eventsVerification) print(found []audit.Finding) error {
	for _, f := range found {
		v.found++
		if _, err := fmt.Fprintf(v.progress, "  %s\n", console.Plain(f.String())); err != nil {
			return err
		}
	}
	return nil
}

// lineFindings are the findings for lines that are not events, or that differ from
// their event or from an earlier line with the same id.
func lineFindings(faults []eventfile.Fault) []audit.Finding {
	found := findingsOf(faults)
	for i, f := range faults {
		if f.ID != "" {
			found[i].Detail = fmt.Sprintf("%s line %d: %s", f.Part, f.Line, f.Detail)
		}
	}
	return found
}

// fileCheck verifies the events of one stream in a file, in the order of their
// sequences.
type fileCheck struct {
	file   *eventfile.Copies
	first  uint64 // the first sequence, 0 before the first event
	before events.Message
}

// next returns what is wrong with the event. Each event is compared with the event
// before as it is, also if that one is wrong: one wrong line is no reason to find all
// later ones wrong.
func (c *fileCheck) next(m events.Message) (found []audit.Finding) {
	place := c.file.Place(m.Stream, m.Seq)
	add := func(kind audit.Kind, format string, args ...any) {
		found = append(found, audit.Finding{Kind: kind, ID: m.ID, Detail: fmt.Sprintf("%s: ", place) + fmt.Sprintf(format, args...)})
	}
	if events.VerifyMessages(m.Prev, []events.Message{m}) != nil {
		add(audit.Forged, "its hash does not match its content")
	}
	switch before := c.before; {
	case c.first == 0:
		c.first = m.Seq
		if m.Seq == 1 && m.Prev != (events.Hash{}) {
			add(audit.Broken, "it is the first event of its stream and names an event before it")
		}
	case m.Seq != before.Seq+1:
		add(audit.Gap, "the event before it is missing: the file has event %d and then event %d", before.Seq, m.Seq)
	case m.Prev != before.Hash:
		add(audit.Broken, "it does not continue from event %d", before.Seq)
	case place.Before(c.file.Place(before.Stream, before.Seq)):
		add(audit.Broken, "it is before event %d in the file", before.Seq)
	}
	c.before = m
	return found
}
