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

// ErrBusy is wrapped by faults that a retry may solve: the store did not answer,
// the stream got newer versions too often, or the outcome of a write is still
// unknown at the deadline. In the last case the command may have taken effect
// already, or may take effect later.
var ErrBusy = errors.New("busy, try again")

const (
	tries     = 8
	firstWait = 5 * time.Millisecond // the maximum wait after the first try; doubled with each try

	urgentTries = 300 // of a command that must not lose against a script that writes all the time
)

// Rules are the functions for one kind of stream: how its state is stored, and
// what a command does to the state. There are three kinds of streams: the tokens
// of an owner, the sessions of an owner, and the settings.
type Rules[S, C any] struct {
	StateV int // the version that Encode writes
	Decode func(v int, stored []byte) (S, error)
	Encode func(S) ([]byte, error)
	Decide func(S, C) ([]events.Fact, error)
	Fold   func(S, events.Fact, time.Time) S

	// Urgent says that the command must take effect although other commands write to
	// the stream all the time: it tries again sooner and much more often.
	Urgent bool

	// Turn runs at the beginning of each try, and may wait. Its error ends the command;
	// nil: it does nothing.
	Turn func(context.Context) error

	// Before runs on each try, after the head is read and before the decision. Its
	// error ends the command; nil: it does nothing.
	Before func() error

	// Reply returns the reply that the commit of the facts stores, and the expired
	// reply that it may replace, or nil (events.Effect); nil: no reply.
	Reply func(after S, at time.Time) (reply, expired *events.Reply, err error)

	// Effect returns the changes of views that the facts cause; nil: no changes.
	Effect func(before, after S, facts []events.Fact, at time.Time, retention time.Duration) events.Effect
}

// Do runs one command on a stream: the rules decide, and Do commits their facts
// once for m.Command. It returns the state after the command. After a conflict Do
// reads the stream and decides again. It builds the command for each try with the
// time of the new records: m.At, or the stream's time if that is later.
//
// After an *events.Refusal, an events.ErrIDTaken and any other error that does
// not wrap ErrBusy, nothing was written. If the stream has a record that is newer
// than its head, the error wraps events.ErrDamaged.
func Do[S, C any](ctx context.Context, log events.Log, k events.Keys, r Rules[S, C], s events.Stream, m events.Meta, command func(at time.Time) C) (S, error) {
	var none S
	var lost losses
	most := tries
	if r.Urgent {
		most = urgentTries
	}
	for try := range most {
		if r.Turn != nil {
			if err := r.Turn(ctx); err != nil {
				return none, fmt.Errorf("stream %s: waiting for an urgent command: %w: %w", s, ErrBusy, err)
			}
		}
		before, head, err := load(ctx, log, k, r, s)
		if err == nil {
			err = lost.check(ctx, log, k, s, head.Version)
		}
		if err == nil && r.Before != nil {
			err = r.Before()
		}
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
		after, c, err := buildCommit(k, r, s, head, m, before, facts)
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
		lost.add(head.Version)
		wait := try
		if r.Urgent {
			wait = 0 // the shortest
		}
		if err := pause(ctx, wait); err != nil {
			return none, fmt.Errorf("stream %s: waiting for the next try: %w: %w", s, ErrBusy, err)
		}
	}
	return none, fmt.Errorf("stream %s: each of %d tries ended with a conflict: %w", s, most, ErrBusy)
}

// load reads the head and the state of a stream.
func load[S, C any](ctx context.Context, log events.Log, k events.Keys, r Rules[S, C], s events.Stream) (S, events.Head, error) {
	var none S
	h, err := readHead(ctx, log, k, s)
	if err != nil {
		return none, h, err
	}
	state, err := decodeState(r, s, h)
	return state, h, err
}

func decodeState[S, C any](r Rules[S, C], s events.Stream, h events.Head) (S, error) {
	state, err := r.Decode(h.StateV, h.State)
	if err != nil {
		return state, fmt.Errorf("decoding the state of stream %s: %w", s, err)
	}
	return state, nil
}

// readHead reads a head. A head without a seal under the peppers is a fault, and
// nothing is decided from it.
func readHead(ctx context.Context, log events.Log, k events.Keys, s events.Stream) (events.Head, error) {
	h, err := log.Head(ctx, s)
	if err != nil {
		return h, fmt.Errorf("reading stream %s: %w", s, busyUnlessDamaged(err))
	}
	if err := h.Check(k, s); err != nil {
		return h, fmt.Errorf("checking the head: %w", err)
	}
	return h, nil
}

// busyUnlessDamaged marks a fault of the store with ErrBusy, unless the stored
// data is the reason: then no retry helps.
func busyUnlessDamaged(err error) error {
	if errors.Is(err, events.ErrDamaged) || errors.Is(err, events.ErrOlderVersion) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// buildCommit returns the state after the facts, and the commit that writes
// facts and state.
func buildCommit[S, C any](k events.Keys, r Rules[S, C], s events.Stream, h events.Head, m events.Meta, before S, facts []events.Fact) (S, events.Commit, error) {
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
	if r.Reply != nil {
		if e.Reply, e.Expired, err = r.Reply(after, m.At); err != nil {
			return after, events.Commit{}, fmt.Errorf("stream %s: making the reply: %w", s, err)
		}
	}
	c, err := events.NewCommit(k, s, h, m, facts, r.StateV, state, e)
	if err != nil {
		return after, c, fmt.Errorf("making a commit: %w", err)
	}
	return after, c, nil
}

// write sends a commit and finds out its outcome. It returns nil if the commit
// was applied. An error that wraps events.ErrConflict or events.ErrIDTaken means
// that the commit was not applied and never will be. An error that wraps ErrBusy
// means that the outcome is unknown.
//
// While the outcome is unknown, write sends the same commit again. The stream
// takes the commit at most once, because a commit fits only one version. When the
// stream has a newer version without this command, an earlier write that is still
// on its way can no longer be applied.
func write(ctx context.Context, log events.Log, c events.Commit) error {
	err := log.Commit(ctx, c)
	for try := 0; err != nil && !rejected(err); try++ {
		if try == tries {
			return unknownOutcome(c, err)
		}
		if perr := pause(ctx, try); perr != nil {
			return unknownOutcome(c, errors.Join(err, perr))
		}
		err = resend(ctx, log, c)
	}
	if err != nil {
		return fmt.Errorf("writing to stream %s: %w", c.Stream(), err)
	}
	return nil
}

// resend sends a commit with an unknown outcome again. A conflict or a taken id
// may now come from an earlier write of the same commit, so resend looks for the
// command in the log.
func resend(ctx context.Context, log events.Log, c events.Commit) error {
	err := log.Commit(ctx, c)
	if err == nil || !rejected(err) {
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

// rejected reports whether the store answered that it did not write the commit.
func rejected(err error) bool {
	return errors.Is(err, events.ErrConflict) || errors.Is(err, events.ErrIDTaken)
}

func unknownOutcome(c events.Commit, err error) error {
	return fmt.Errorf("stream %s: the outcome of command %s is unknown: %w: %w", c.Stream(), c.Command(), ErrBusy, err)
}

// pause waits with full jitter: a random time, so that commands that collided do
// not collide again after the same wait. It returns at once if the caller has left:
// a select with a short random time would pick either of the two.
func pause(ctx context.Context, try int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(mathrand.N(firstWait << try))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// newCommandID returns 128 random bits in hexadecimal.
func newCommandID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}
