package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/relay"
	"apitoken/functions/wiring/telemetry"
)

const (
	// waited is how long the change stream has to send a message.
	waited = 15 * time.Minute

	// page is how many messages are read at a time. A stream that is stuck may
	// fill a page, so it is larger than what one is likely to pile up.
	page = 1000

	// margin is what is left of an invocation's time to note what was sent.
	margin = 3 * time.Second
)

// reconciler empties the outbox of what is late.
type reconciler struct {
	bus    events.Bus
	outbox events.Outbox
	log    *slog.Logger
	now    func() time.Time
}

// errWaiting: there is still something to send.
var errWaiting = errors.New("messages are still waiting")

func (r *reconciler) reconcile(ctx context.Context) error {
	began := r.now()
	t := tally{done: map[string]bool{}}
	err := r.empty(ctx, &t)
	r.record(ctx, t, r.now().Sub(began), err)
	return err
}

// tally is how far a run came.
type tally struct {
	sent, waiting int
	lag           time.Duration   // the age of the oldest message that was found
	done          map[string]bool // what was sent: the outbox may lag and show it again
}

// empty sends page after page until nothing is late any more, or until a whole
// page brought nothing forward. What cannot be read holds up its own stream and
// no other.
func (r *reconciler) empty(ctx context.Context, t *tally) error {
	for {
		ms, unread := r.outbox.Pending(ctx, r.now().Add(-waited), page)
		if unread != nil {
			unread = fmt.Errorf("reading the outbox: %w", unread)
			if len(ms) == 0 {
				return unread
			}
		}
		full := len(ms) == page
		ms = slices.DeleteFunc(ms, func(m events.Message) bool { return t.done[m.ID] })
		sent, failed, err := r.send(ctx, ms)
		t.note(ms, sent, r.now())
		if err := errors.Join(err, r.outbox.Sent(ctx, sent...)); err != nil {
			return errors.Join(unread, fmt.Errorf("sending what is late: %w", err))
		}
		if len(sent) == 0 || !full {
			return errors.Join(unread, left(t.waiting, failed))
		}
	}
}

// send stops early enough to note what was sent.
func (r *reconciler) send(ctx context.Context, ms []events.Message) ([]string, map[string]error, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return relay.Send(ctx, r.bus, ms)
}

func (t *tally) note(found []events.Message, sent []string, now time.Time) {
	for _, m := range found {
		t.lag = max(t.lag, now.Sub(m.Time))
	}
	for _, id := range sent {
		t.done[id] = true
	}
	t.sent += len(sent)
	t.waiting = len(found) - len(sent)
}

// left is the end of a run: a fault if something could not be sent.
func left(waiting int, failed map[string]error) error {
	if waiting == 0 {
		return nil
	}
	for id, err := range failed {
		return fmt.Errorf("sending %s: %w (%d of them): %w", id, errWaiting, waiting, err)
	}
	return fmt.Errorf("%w (%d of them)", errWaiting, waiting)
}

func (r *reconciler) record(ctx context.Context, t tally, took time.Duration, fault error) {
	level, code := slog.LevelInfo, "ok"
	attrs := []slog.Attr{
		slog.String("operation", "reconcile"), slog.Duration("duration", took),
		slog.Any(telemetry.Published, telemetry.Count(t.sent)), slog.Any(telemetry.Unpublished, telemetry.Count(t.waiting)),
		slog.Any(telemetry.Lag, telemetry.Seconds(t.lag)),
	}
	if fault != nil {
		level, code = slog.LevelError, "unavailable"
		attrs = append(attrs, slog.String("error", fault.Error()))
	}
	r.log.LogAttrs(ctx, level, telemetry.Request, append(attrs, slog.String("code", code))...)
}
