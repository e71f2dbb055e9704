package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// GracePeriod is how late an event's predecessor may arrive. Events are
// delivered in any order, and the reconciler sends events that have waited that
// long.
const GracePeriod = 15 * time.Minute

// Copies stores the copies.
type Copies interface {
	// Keep stores a message permanently if no message with its id is stored, and
	// returns the stored one otherwise. The copy is durable on return.
	Keep(context.Context, events.Message) (first bool, earlier events.Message, err error)

	// Evidence stores a message that may not be kept under its id, once for
	// each content.
	Evidence(context.Context, events.Message) error

	// Around reads consistently the copies numbered seq-1 and seq+1. A missing
	// one is nil.
	Around(ctx context.Context, s events.Stream, seq uint64) (before, after *events.Message, err error)

	// Await records that the predecessor of an event is missing. Waiting calls f
	// for each record that was made before olderThan. Arrived deletes a record.
	Await(ctx context.Context, s events.Stream, seq uint64, since time.Time) error
	Waiting(ctx context.Context, olderThan time.Time, f func(s events.Stream, seq uint64, since time.Time)) error
	Arrived(ctx context.Context, s events.Stream, seq uint64, since time.Time) error
}

// Auditor judges events as they arrive. Its fields are set once.
type Auditor struct {
	Copies Copies
	Now    func() time.Time
}

// Take stores a message once for its id and reports what is wrong with it. It
// may be called any number of times with the same message. After an error it
// must be called again.
func (a *Auditor) Take(ctx context.Context, m events.Message) ([]Finding, error) {
	if m.Seq > 0 {
		if err := events.VerifyMessages(m.Prev, []events.Message{m}); err != nil {
			return a.keepEvidence(ctx, m, Finding{Forged, m.ID, err.Error()})
		}
	}
	first, earlier, err := a.Copies.Keep(ctx, m)
	if err != nil {
		return nil, err
	}
	if !first && !same(earlier, m) {
		return a.keepEvidence(ctx, m, Finding{Differs, m.ID, "an earlier event with the same id differs"})
	}
	if m.Seq == 0 {
		return nil, nil
	}
	return a.checkNeighbours(ctx, m)
}

// keepEvidence stores the message before it reports the finding.
func (a *Auditor) keepEvidence(ctx context.Context, m events.Message, f Finding) ([]Finding, error) {
	if err := a.Copies.Evidence(ctx, m); err != nil {
		return nil, err
	}
	return []Finding{f}, nil
}

// same compares content. A record's hash covers all of its content except its
// MAC, and Take has checked the hash. A notice has no hash.
func same(a, b events.Message) bool {
	if a.Seq > 0 || b.Seq > 0 {
		return a.Hash == b.Hash && a.MAC.Kid == b.MAC.Kid && bytes.Equal(a.MAC.MAC, b.MAC.MAC)
	}
	return a.Type == b.Type && a.Subject == b.Subject && a.Time.Equal(b.Time) && bytes.Equal(a.Data, b.Data)
}

// checkNeighbours compares the message with the events before and after it. It
// records a missing predecessor for Overdue.
func (a *Auditor) checkNeighbours(ctx context.Context, m events.Message) (found []Finding, err error) {
	before, after, err := a.Copies.Around(ctx, m.Stream, m.Seq)
	if err != nil {
		return nil, err
	}
	if after != nil {
		found = checkPrev(found, m.Hash, *after)
	}
	switch {
	case before != nil:
		found = checkPrev(found, before.Hash, m)
	case m.Seq == 1:
		found = checkPrev(found, events.Hash{}, m)
	default:
		err = a.Copies.Await(ctx, m.Stream, m.Seq, instant.Cut(a.Now()))
	}
	return found, err
}

func checkPrev(found []Finding, prev events.Hash, m events.Message) []Finding {
	if m.Prev == prev {
		return found
	}
	return append(found, Finding{Broken, m.ID, "it does not continue from the event before it"})
}

// Overdue finds the events after a predecessor that has been missing for longer
// than GracePeriod. If a predecessor has arrived meanwhile, Take has judged it.
func (a *Auditor) Overdue(ctx context.Context) (found []Finding, err error) {
	var waits []wait
	err = a.Copies.Waiting(ctx, a.Now().Add(-GracePeriod), func(s events.Stream, seq uint64, since time.Time) {
		waits = append(waits, wait{s, seq, since})
	})
	if err != nil {
		return nil, err
	}
	reported := map[string]bool{} // an event that arrived twice has two waits
	for _, w := range waits {
		before, _, e := a.Copies.Around(ctx, w.stream, w.seq)
		switch {
		case e != nil:
			err = errors.Join(err, e)
		case before != nil:
			err = errors.Join(err, a.Copies.Arrived(ctx, w.stream, w.seq, w.since))
		case !reported[w.id()]:
			reported[w.id()] = true
			found = append(found, w.finding())
		}
	}
	return found, err
}

// wait is an event that was kept before its predecessor arrived.
type wait struct {
	stream events.Stream
	seq    uint64
	since  time.Time
}

func (w wait) id() string { return fmt.Sprintf("%s/%d", w.stream, w.seq) }

func (w wait) finding() Finding {
	return Finding{Gap, w.id(), "the event before it has been missing since " + instant.Format(w.since)}
}
