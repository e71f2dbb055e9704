package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
)

// Patience is how long an event's predecessor may be on its way: events are
// delivered in any order, and the reconciler sends what waited that long.
const Patience = 15 * time.Minute

// Kind says what is wrong.
type Kind string

const (
	Forged     Kind = "forged"      // the event is not what its own hash says
	Differs    Kind = "differs"     // one id came with two contents
	Broken     Kind = "broken"      // an event does not follow its predecessor
	Gap        Kind = "gap"         // an event's predecessor never arrived
	RolledBack Kind = "rolled_back" // the log ends before its copies do
	Missing    Kind = "missing"     // the log has an event that was never copied
	Unsealed   Kind = "unsealed"    // the head was changed behind the service's back
)

// Finding is one disagreement.
type Finding struct {
	Kind   Kind
	ID     string // of the event
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Kind, f.ID, f.Detail) }

// Copies is where the copies are.
type Copies interface {
	// Keep stores a message for ever if nothing is kept under its id, and
	// otherwise gives what is; durable on return.
	Keep(context.Context, events.Message) (first bool, earlier events.Message, err error)

	// Evidence stores a message that may not be kept under its id, once for
	// each content.
	Evidence(context.Context, events.Message) error

	// Around reads consistently the copies numbered seq-1 and seq+1; nil if
	// there is none.
	Around(ctx context.Context, s events.Stream, seq uint64) (before, after *events.Message, err error)

	// Await remembers that the predecessor of an event is missing; Waiting
	// calls f for each that is remembered since before olderThan; Arrived
	// forgets one.
	Await(ctx context.Context, s events.Stream, seq uint64, since time.Time) error
	Waiting(ctx context.Context, olderThan time.Time, f func(s events.Stream, seq uint64, since time.Time)) error
	Arrived(ctx context.Context, s events.Stream, seq uint64, since time.Time) error
}

// Ledger judges what arrives. Its fields are set once.
type Ledger struct {
	Copies Copies
	Now    func() time.Time
}

// Take keeps a message once for its id and says what is wrong with it. It may
// be called any number of times with the same message. After an error it must
// be called again.
func (l *Ledger) Take(ctx context.Context, m events.Message) ([]Finding, error) {
	if m.Seq > 0 {
		if err := events.VerifyMessages(m.Prev, []events.Message{m}); err != nil {
			return l.accuse(ctx, m, Finding{Forged, m.ID, err.Error()})
		}
	}
	first, earlier, err := l.Copies.Keep(ctx, m)
	if err != nil {
		return nil, err
	}
	if !first && !same(earlier, m) {
		return l.accuse(ctx, m, Finding{Differs, m.ID, "it came before with other content"})
	}
	if m.Seq == 0 {
		return nil, nil
	}
	return l.neighbours(ctx, m)
}

// accuse keeps the evidence before anybody hears of it.
func (l *Ledger) accuse(ctx context.Context, m events.Message, f Finding) ([]Finding, error) {
	if err := l.Copies.Evidence(ctx, m); err != nil {
		return nil, err
	}
	return []Finding{f}, nil
}

// same compares content. A record's hash covers all of it, and was checked.
func same(a, b events.Message) bool {
	if a.Seq > 0 || b.Seq > 0 {
		return a.Hash == b.Hash
	}
	return a.Type == b.Type && a.Subject == b.Subject && a.Time.Equal(b.Time) && bytes.Equal(a.Data, b.Data)
}

func (l *Ledger) neighbours(ctx context.Context, m events.Message) (found []Finding, err error) {
	before, after, err := l.Copies.Around(ctx, m.Stream, m.Seq)
	if err != nil {
		return nil, err
	}
	if after != nil {
		found = follows(found, m.Hash, *after)
	}
	switch {
	case before != nil:
		found = follows(found, before.Hash, m)
	case m.Seq == 1:
		found = follows(found, events.Hash{}, m)
	default:
		err = l.Copies.Await(ctx, m.Stream, m.Seq, l.Now().UTC())
	}
	return found, err
}

func follows(found []Finding, prev events.Hash, m events.Message) []Finding {
	if m.Prev == prev {
		return found
	}
	return append(found, Finding{Broken, m.ID, "it does not follow the event before it"})
}

// Overdue finds the events whose predecessor has been missing for longer than
// Patience. A predecessor that arrived meanwhile was judged when it did.
func (l *Ledger) Overdue(ctx context.Context) (found []Finding, err error) {
	var waits []wait
	err = l.Copies.Waiting(ctx, l.Now().Add(-Patience), func(s events.Stream, seq uint64, since time.Time) {
		waits = append(waits, wait{s, seq, since})
	})
	if err != nil {
		return nil, err
	}
	said := map[string]bool{} // an event that came twice is remembered twice
	for _, w := range waits {
		before, _, e := l.Copies.Around(ctx, w.stream, w.seq)
		switch {
		case e != nil:
			err = errors.Join(err, e)
		case before != nil:
			err = errors.Join(err, l.Copies.Arrived(ctx, w.stream, w.seq, w.since))
		case !said[w.id()]:
			said[w.id()] = true
			found = append(found, w.finding())
		}
	}
	return found, err
}

// wait is an event whose predecessor had not arrived when it was kept.
type wait struct {
	stream events.Stream
	seq    uint64
	since  time.Time
}

func (w wait) id() string { return fmt.Sprintf("%s/%d", w.stream, w.seq) }

func (w wait) finding() Finding {
	return Finding{Gap, w.id(), "the event before it has been missing since " + w.since.Format(time.RFC3339)}
}
