// Package relay sends the messages of the log to the bus: each stream in its
// order, each message at least once. It does not look at the facts.
//
// Send is one attempt for given messages. A Relay takes messages from an outbox
// and removes those that were sent. The outbox is the durable position: after a
// crash the relay sends the messages that are still there. So a message may
// arrive twice, and none is lost.
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

// Config has the outbox and the bus of a Relay.
type Config struct {
	Outbox events.Outbox
	Bus    events.Bus
	Logger *slog.Logger // default: slog.Default()

	// Every is the time between two reads of the outbox without a Wake, and the
	// pause after a first failure. Default: one second.
	Every time.Duration

	// Batch is the number of messages that are taken from the outbox at a time.
	// Messages that the bus refused before do not count. Default: 1000.
	Batch int
}

const (
	// maxPause is the longest pause while the bus fails.
	maxPause = time.Minute

	// batchTimeout is the longest time for one batch. A bus that does not answer
	// can delay the end of Run by this time.
	batchTimeout = 30 * time.Second

	// sentTimeout is the longest time for noting what the bus accepted.
	sentTimeout = 5 * time.Second
)

// endOfTime is after the time of every message. So Pending returns all messages,
// even those with the time of a clock that is fast.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Relay sends the messages of an outbox to a bus. One goroutine calls Run or
// Once; any goroutine may call Wake.
type Relay struct {
	c     Config
	wake  chan struct{}
	stuck int    // messages of the last batch that were not sent
	state string // as last logged
}

// New makes a Relay with the defaults of Config filled in.
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

// Wake tells the relay that the outbox may have new messages. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // an earlier Wake is still waiting
	}
}

// Outcome is the result of one batch.
type Outcome struct {
	Sent   int
	Failed map[string]error // the messages that the bus refused, by message id
	More   bool             // the outbox may have more messages
	Unread error            // names the messages that the outbox cannot read; nil: none
}

// Once sends one batch, the oldest messages of each stream first. It sends the other
// messages if the outbox cannot read some. An error is about the outbox or the bus as
// a whole. Messages that the bus accepted before
// the error count as sent, also if ctx has ended meanwhile.
func (r *Relay) Once(ctx context.Context) (Outcome, error) { return r.once(ctx, r.c.Bus) }

func (r *Relay) once(ctx context.Context, bus events.Bus) (Outcome, error) {
	limit := r.c.Batch + r.stuck // otherwise refused messages could fill the batch, and all other streams would wait
	ms, unread := r.c.Outbox.Pending(ctx, endOfTime, limit)
	if unread != nil && !errors.Is(unread, events.ErrDamaged) {
		return Outcome{}, fmt.Errorf("relaying: %w", unread)
	}
	sent, failed, err := Send(ctx, bus, ms)
	if len(sent) > 0 {
		err = errors.Join(err, r.noteSent(ctx, sent))
	}
	if err != nil {
		return Outcome{Sent: len(sent)}, fmt.Errorf("relaying: %w", err)
	}
	r.stuck = len(ms) - len(sent)
	return Outcome{Sent: len(sent), Failed: failed, More: len(ms) == limit, Unread: unread}, nil
}

// noteSent also works after the end of ctx: the next start would send the messages
// again.
func (r *Relay) noteSent(ctx context.Context, sent []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sentTimeout)
	defer cancel()
	return r.c.Outbox.Sent(ctx, sent...)
}

// Run sends messages until ctx ends, and finishes its current call of the bus then. While
// the bus fails, the pauses grow, with jitter. Run logs each change of state
// once. It returns the error that the bus or the outbox had last, if any; the
// messages that were not sent stay in the outbox. A message that the outbox cannot
// read delays only its own stream.
func (r *Relay) Run(ctx context.Context) error {
	var trouble error
	for pause := r.c.Every; ctx.Err() == nil; {
		var o Outcome
		o, trouble = r.batch(ctx)
		r.report(ctx, o, trouble)
		switch {
		case trouble != nil:
			r.wait(ctx, jitter(pause), nil) // a Wake does not shorten the pause of a bus that fails
			pause = min(2*pause, maxPause)
		case o.More && o.Sent > 0: // no pause
		case len(o.Failed) > 0, o.Unread != nil:
			r.wait(ctx, jitter(pause), r.wake)
			pause = min(2*pause, maxPause)
		default:
			r.wait(ctx, r.c.Every, r.wake)
			pause = r.c.Every
		}
	}
	return trouble
}

// batch is Once with a deadline of its own: the end of ctx does not cut a call of the
// bus. It only begins no further call.
func (r *Relay) batch(ctx context.Context) (Outcome, error) {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	o, err := r.once(whole, endingBus{r.c.Bus, ctx.Done()})
	if errors.Is(err, errEnded) {
		return o, nil
	}
	return o, err
}

// endingBus takes no messages after the end.
type endingBus struct {
	events.Bus
	end <-chan struct{}
}

var errEnded = errors.New("the relay ends")

func (b endingBus) Put(ctx context.Context, ms []events.Message) (failed map[string]error, err error) {
	select {
	case <-b.end:
		return nil, errEnded
	default:
		return b.Bus.Put(ctx, ms)
	}
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

// jitter is a random time between half of d and d, so that many relays do not
// retry at the same moment.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// The states that are logged when they change.
const (
	stateFlowing = "flowing"
	stateStuck   = "stuck"
	stateDamaged = "damaged"
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
	case stateDamaged:
		r.c.Logger.ErrorContext(ctx, "events cannot be read; they and the later events of the same users do not reach the bus", "error", o.Unread)
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
	case o.Unread != nil:
		return stateDamaged
	case len(o.Failed) > 0:
		return stateStuck
	}
	return stateFlowing
}

// first is the refused message with the lowest id, so that logs are repeatable.
func first(failed map[string]error) (id string, cause error) {
	for i, err := range failed {
		if id == "" || i < id {
			id, cause = i, err
		}
	}
	return id, cause
}
