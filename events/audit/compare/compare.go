package compare

import (
	"context"
	"errors"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
)

// Store is the part of a store that a comparison reads.
type Store interface {
	Head(context.Context, events.Stream) (events.Head, error)
	History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error)
	Token(ctx context.Context, id string) (events.View, events.Use, error)
}

// Comparison compares a store with the copies of its events. Its fields are set
// once. Many goroutines may use one Comparison.
type Comparison struct {
	Store  Store
	Copies audit.Reader
	Keys   events.Keys // the zero Keys: seals and MACs are not checked
	Now    func() time.Time

	// Unsent reports whether an event is still in the outbox, so that its copy may
	// be missing for any time. It may be nil.
	Unsent func(id string) bool

	// Trimmed says that the oldest copies may have been deleted, as an operator
	// deletes the oldest parts of an event file. Then copies that begin later than
	// the stream are no finding, and the sealed head speaks for the tokens that were
	// created before the first copy.
	Trimmed bool
}

// Report is the result of comparing one stream.
type Report struct {
	Stream   events.Stream
	Log      int // events that the log still has
	Copies   int
	Findings []audit.Finding
}

// Stream compares one stream. Three differences are not findings: retention may
// have removed the oldest events of the log and the views of ended tokens, and
// events of the last audit.GracePeriod may not have a copy yet. The memory that
// Stream needs grows with the number of unended tokens and of findings, and not
// with the number of events.
func (c Comparison) Stream(ctx context.Context, s events.Stream) (Report, error) {
	w := &walk{Comparison: c, report: Report{Stream: s}, ctx: ctx, now: c.Now(), tokens: newTokens(s), doubts: map[string]audit.Finding{}}
	if err := w.readHead(); err != nil {
		return Report{}, err
	}
	if err := w.walk(); err != nil {
		return Report{}, err
	}
	w.checkHead()
	if err := w.checkViews(); err != nil {
		return Report{}, err
	}
	if err := w.recheckNewer(); err != nil {
		return Report{}, err
	}
	return w.report, nil
}

func (c Comparison) hasKeys() bool { return c.Keys.Current() != "" }

// View looks for the copy of the event that made the view of a token. It finds
// the view of a token that no copy names, which Stream cannot find. It returns nil
// if there is no such view, or if the view is younger than audit.GracePeriod.
func (c Comparison) View(ctx context.Context, id string) (*audit.Finding, error) {
	v, _, err := c.Store.Token(ctx, id)
	if errors.Is(err, events.ErrNotFound) {
		return nil, nil
	}
	if f := damagedView(err); f != nil {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return c.copyOf(ctx, v)
}

// clockSkew is how much the clock of a token's creation may be ahead of the clock
// of the comparison.
const clockSkew = time.Hour

func (c Comparison) copyOf(ctx context.Context, v events.View) (*audit.Finding, error) {
	s, now := v.Stream(), c.Now()
	if young := v.CreatedAt.After(now.Add(-audit.GracePeriod)) && v.CreatedAt.Before(now.Add(clockSkew)); young {
		return nil, nil
	}
	if c.isUnsent(events.Record{Stream: s, Seq: v.First}.ID()) {
		return nil, nil
	}
	ms, err := c.Copies.Copy(ctx, s, max(v.First, 1)-1, 1)
	if _, damaged := errors.AsType[*events.DamagedRecord](err); damaged {
		return nil, nil // Stream reports the copy, and compares this view
	}
	if err != nil {
		return nil, err
	}
	if len(ms) == 1 && ms[0].Seq == v.First && ms[0].Subject == v.ID && opens(ms[0]) {
		return nil, nil
	}
	if trimmed, err := c.isTrimmed(ctx, s, v); err != nil || trimmed {
		return nil, err
	}
	f := audit.View(audit.UncopiedView, v.ID, "no copy of an event of its owner says that the token was created")
	return &f, nil
}

// isTrimmed reports whether the copy of the token's creation may have been deleted
// with all copies before it, and the token is as the head says. A view that was put
// back after the token had ended is not in the head.
func (c Comparison) isTrimmed(ctx context.Context, s events.Stream, v events.View) (bool, error) {
	if !c.Trimmed {
		return false, nil
	}
	ms, err := c.Copies.Copy(ctx, s, 0, 1)
	if err != nil || len(ms) > 0 && ms[0].Seq <= v.First {
		return false, err
	}
	head, err := c.Store.Head(ctx, s)
	if errors.Is(err, events.ErrDamaged) || err == nil && c.hasKeys() && head.Check(c.Keys, s) != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	state, err := decodeState(s, head)
	if err != nil {
		return false, nil
	}
	held, found := state.Find(v.ID)
	return v.Ended != "" || found && held.Seq == v.Seq, nil
}

func (c Comparison) isUnsent(id string) bool { return c.Unsent != nil && c.Unsent(id) }
