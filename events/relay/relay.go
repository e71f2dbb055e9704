// Package relay carries what the log holds to the bus, in the order of each
// stream and at least once. It decides nothing about the facts it carries.
//
// Send is one attempt, for whoever has messages in hand. Relay takes them from
// an outbox, whose removal of what was sent is the durable position: after a
// crash the relay goes on with what was not removed, so a message may arrive
// twice and none is lost.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"apitoken/events"
)

// Config says what a Relay carries from where to where.
type Config struct {
	Outbox events.Outbox
	Bus    events.Bus
	Logger *slog.Logger // default: slog.Default()

	// Every is how often the outbox is looked at without a Wake, and the pause
	// after a first failure; default: one second.
	Every time.Duration

	// Batch is how many messages are taken from the outbox at a time; default:
	// 1000. Those that are stuck do not count.
	Batch int
}

const (
	// maxPause is how long the relay waits at most while the bus fails.
	maxPause = time.Minute

	// passTimeout is how long one batch may take, and so how long the end of
	// Run may be delayed by a bus that does not answer.
	passTimeout = 30 * time.Second
)

// always is later than every message: a relay takes them at once, whatever
// the clocks said that stamped them.
var always = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Relay empties an outbox onto a bus. One goroutine runs it; Wake is for any.
type Relay struct {
	c     Config
	wake  chan struct{}
	stuck int    // messages of the last batch that did not go
	state string // as last logged
}

// New fills in the defaults.
func New(c Config) *Relay {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.Batch <= 0 {
		c.Batch = 1000
	}
	return &Relay{c: c, wake: make(chan struct{}, 1), state: stateFlowing}
}

// Wake says that something may have come into the outbox. It never waits.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // one is on its way already
	}
}

// Outcome is what one batch came to.
type Outcome struct {
	Sent   int
	Failed map[string]error // what the bus refused, by message id
	More   bool             // there may be more that could go now
}

// Once carries one batch, the oldest messages of each stream first. The error
// is for outbox or bus as a whole; what was taken until then counts as sent.
func (r *Relay) Once(ctx context.Context) (Outcome, error) {
	limit := r.c.Batch + r.stuck // or those that are stuck would fill the batch and stop all others
	ms, err := r.c.Outbox.Pending(ctx, always, limit)
	if err != nil {
		return Outcome{}, fmt.Errorf("relaying: %w", err)
	}
	sent, failed, err := Send(ctx, r.c.Bus, ms)
	if len(sent) > 0 {
		err = errors.Join(err, r.c.Outbox.Sent(ctx, sent...))
	}
	if err != nil {
		return Outcome{Sent: len(sent)}, fmt.Errorf("relaying: %w", err)
	}
	r.stuck = len(ms) - len(sent)
	return Outcome{Sent: len(sent), Failed: failed, More: len(ms) == limit}, nil
}

// Run carries messages as they come until ctx ends, and then finishes the
// batch in hand. While the bus fails it waits ever longer, with jitter, and
// logs each change of state once. The error is the trouble that the bus or the
// outbox was in at the end; the messages that it held up stay in the outbox.
func (r *Relay) Run(ctx context.Context) error {
	var trouble error
	for pause := r.c.Every; ctx.Err() == nil; {
		var o Outcome
		o, trouble = r.batch(ctx)
		r.report(ctx, o, trouble)
		switch {
		case trouble != nil:
			r.wait(ctx, jitter(pause), nil) // a Wake is no reason to press a bus that fails
			pause = min(2*pause, maxPause)
		case o.More && o.Sent > 0: // go on at once
		case len(o.Failed) > 0:
			r.wait(ctx, jitter(pause), r.wake)
			pause = min(2*pause, maxPause)
		default:
			r.wait(ctx, r.c.Every, r.wake)
			pause = r.c.Every
		}
	}
	return trouble
}

// batch is Once, not cut short by the end of ctx.
func (r *Relay) batch(ctx context.Context) (Outcome, error) {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), passTimeout)
	defer cancel()
	return r.Once(whole)
}

func (r *Relay) wait(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// jitter is between half of d and d, so that many who wait do not come back
// together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// The states that are logged when they change.
const (
	stateFlowing = "flowing"
	stateStuck   = "stuck"
	stateFailing = "failing"
)

func (r *Relay) report(ctx context.Context, o Outcome, err error) {
	before := r.state
	r.state = stateOf(o, err)
	if r.state == before {
		return
	}
	switch r.state {
	case stateFailing:
		r.c.Logger.ErrorContext(ctx, "events do not reach the bus", "error", err)
	case stateStuck:
		id, cause := first(o.Failed)
		r.c.Logger.WarnContext(ctx, "the bus refuses events", "refused", len(o.Failed), "id", id, "error", cause)
	case stateFlowing:
		r.c.Logger.InfoContext(ctx, "events reach the bus again")
	}
}

func stateOf(o Outcome, err error) string {
	switch {
	case err != nil:
		return stateFailing
	case len(o.Failed) > 0:
		return stateStuck
	}
	return stateFlowing
}

// first is the refused message whose id sorts first, so that logs repeat.
func first(failed map[string]error) (id string, cause error) {
	for i, err := range failed {
		if id == "" || i < id {
			id, cause = i, err
		}
	}
	return id, cause
}
