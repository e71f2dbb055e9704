package issuer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"apitoken/events"
)

// ErrBusy is wrapped by faults that trying again may mend: the store did not
// answer, the stream moved on too often, or the outcome of a write could not be
// settled in time. In the last case the command may have taken effect, or may
// still.
var ErrBusy = errors.New("busy, try again")

const (
	tries     = 8
	firstWait = 5 * time.Millisecond // doubled with each try
)

// Rules is one kind of stream: how its state is kept and what may happen to it.
// There are two, the tokens of an owner and the settings.
type Rules[S, C any] struct {
	StateV int // what Encode writes
	Decode func(v int, stored []byte) (S, error)
	Encode func(S) ([]byte, error)
	Decide func(S, C) ([]events.Fact, error)
	Fold   func(S, events.Fact, time.Time) S

	// Effect is what the facts mean for views; nil: nothing.
	Effect func(before, after S, facts []events.Fact, at time.Time, retention time.Duration) events.Effect
}

// Do has the rules decide a command on the stream and commits what they
// decided, once for m.Command, and returns the state after it. The command is
// made anew for each try, with the time that its records will bear: m.At, or
// the stream's time if that is later.
//
// An *events.Refusal and events.ErrIDTaken mean that nothing happened, as does
// every other error that does not wrap ErrBusy.
func Do[S, C any](ctx context.Context, log events.Log, k events.Keys, r Rules[S, C], s events.Stream, m events.Meta, command func(at time.Time) C) (S, error) {
	var none S
	for try := range tries {
		before, head, err := load(ctx, log, k, r, s)
		if err != nil {
			return none, err
		}
		m.At = head.Next(m.At)
		facts, err := r.Decide(before, command(m.At))
		if err != nil {
			return none, fmt.Errorf("stream %s: deciding: %w", s, err)
		}
		if len(facts) == 0 {
			return before, nil
		}
		after, c, err := step(k, r, s, head, m, before, facts)
		if err != nil {
			return none, err
		}
		err = write(ctx, log, c)
		if err == nil {
			return after, nil
		}
		if !errors.Is(err, events.ErrConflict) {
			return none, err
		}
		if err := pause(ctx, try); err != nil {
			return none, fmt.Errorf("stream %s: waiting for another try: %w: %w", s, ErrBusy, err)
		}
	}
	return none, fmt.Errorf("stream %s moved on during each of %d tries: %w", s, tries, ErrBusy)
}

// load reads where a stream stands. A head that was not sealed by a holder of
// the peppers is a fault, and nothing is decided from it.
func load[S, C any](ctx context.Context, log events.Log, k events.Keys, r Rules[S, C], s events.Stream) (S, events.Head, error) {
	var none S
	h, err := log.Head(ctx, s)
	if err != nil {
		return none, h, fmt.Errorf("reading stream %s: %w: %w", s, ErrBusy, err)
	}
	if err := h.Check(k, s); err != nil {
		return none, h, fmt.Errorf("trusting what was read: %w", err)
	}
	state, err := r.Decode(h.StateV, h.State)
	if err != nil {
		return none, h, fmt.Errorf("decoding the state of stream %s: %w", s, err)
	}
	return state, h, nil
}

// step is the commit of the facts, and the state after it.
func step[S, C any](k events.Keys, r Rules[S, C], s events.Stream, h events.Head, m events.Meta, before S, facts []events.Fact) (S, events.Commit, error) {
	after := before
	for _, f := range facts {
		after = r.Fold(after, f, m.At)
	}
	state, err := r.Encode(after)
	if err != nil {
		return after, events.Commit{}, fmt.Errorf("encoding the state of stream %s: %w", s, err)
	}
	var e events.Effect
	if r.Effect != nil {
		e = r.Effect(before, after, facts, m.At, m.Retention)
	}
	c, err := events.NewCommit(k, s, h, m, facts, r.StateV, state, e)
	if err != nil {
		return after, c, fmt.Errorf("making a commit: %w", err)
	}
	return after, c, nil
}

// write sends a commit and returns only with a known outcome: nil, or an error
// that wraps events.ErrConflict or events.ErrIDTaken and means that the commit
// never lands, or one that wraps ErrBusy and says that the outcome is unknown.
//
// While the outcome is unknown the same commit is sent again. The stream takes
// it only once, since it fits one version; and once the stream has moved on
// without the command, a write that is still under way can no longer land.
func write(ctx context.Context, log events.Log, c events.Commit) error {
	err := log.Commit(ctx, c)
	for try := 0; err != nil && !decided(err); try++ {
		if try == tries {
			return unsettled(c, err)
		}
		if perr := pause(ctx, try); perr != nil {
			return unsettled(c, errors.Join(err, perr))
		}
		err = again(ctx, log, c)
	}
	if err != nil {
		return fmt.Errorf("writing to stream %s: %w", c.Stream(), err)
	}
	return nil
}

// again sends a commit whose outcome is unknown once more. That it conflicts
// now, or that its token id is taken, may be its own doing.
func again(ctx context.Context, log events.Log, c events.Commit) error {
	err := log.Commit(ctx, c)
	if err == nil || !decided(err) {
		return err
	}
	landed, lerr := events.Landed(ctx, log, c.Stream(), c.Base(), c.Command())
	switch {
	case lerr != nil:
		return lerr
	case landed:
		return nil
	}
	return err
}

func decided(err error) bool {
	return errors.Is(err, events.ErrConflict) || errors.Is(err, events.ErrIDTaken)
}

func unsettled(c events.Commit, err error) error {
	return fmt.Errorf("stream %s: the outcome of command %s is unknown: %w: %w", c.Stream(), c.Command(), ErrBusy, err)
}

// pause waits with full jitter, so that those who collided once do not collide
// again in step.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(mathrand.N(firstWait << try))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// newCommand names an intent: 128 random bits in hexadecimal.
func newCommand() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}
