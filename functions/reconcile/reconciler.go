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
	// lateAfter is the time that publish has to send a message. After that time
	// the message is late.
	lateAfter = 15 * time.Minute

	// pageSize is the maximum number of messages in one read of the outbox. If
	// the waiting messages of one stream fill a page, the messages of all other
	// streams wait too. So a page is larger than the number of messages that are
	// likely to wait in one stream.
	pageSize = 1000

	// margin is the time reserved at the end of an invocation to remove the sent
	// messages from the outbox.
	margin = 3 * time.Second
)

// reconciler sends the late messages of the outbox.
type reconciler struct {
	bus    events.Bus
	outbox events.Outbox
	log    *slog.Logger
	now    func() time.Time
}

// errWaiting: late messages remain that could not be sent.
var errWaiting = errors.New("messages are still waiting")

func (r *reconciler) reconcile(ctx context.Context) error {
	began := r.now()
	t := tally{done: map[string]bool{}}
	err := r.sendLate(ctx, &t)
	telemetry.LogToKeep(ctx, r.log, r.now(), t.times)
	r.logRun(ctx, t, r.now().Sub(began), err)
	return err
}

// tally counts the work of one run.
type tally struct {
	sent, waiting int
	lag           time.Duration   // age of the oldest message that was found
	done          map[string]bool // ids of sent messages: the outbox may lag and return them again
	times         []time.Time     // the own times of the sent messages
}

// sendLate sends page after page until no message is late, or until no message
// of a page could be sent. A message that cannot be read delays only its own
// stream.
func (r *reconciler) sendLate(ctx context.Context, t *tally) error {
	for {
		ms, unread := r.outbox.Pending(ctx, r.now().Add(-lateAfter), pageSize)
		if unread != nil {
			unread = fmt.Errorf("reading the outbox: %w", unread)
			if len(ms) == 0 {
				return unread
			}
		}
		full := len(ms) == pageSize
		ms = slices.DeleteFunc(ms, func(m events.Message) bool { return t.done[m.ID] })
		sent, failed, err := r.send(ctx, ms)
		t.add(ms, sent, r.now())
		if err := errors.Join(err, r.outbox.Sent(ctx, sent...)); err != nil {
			return errors.Join(unread, fmt.Errorf("sending late messages: %w", err))
		}
		if len(sent) == 0 || !full {
			return errors.Join(unread, waitingError(t.waiting, failed))
		}
	}
}

// send stops in time to remove the sent messages from the outbox.
func (r *reconciler) send(ctx context.Context, ms []events.Message) ([]string, map[string]error, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return relay.Send(ctx, r.bus, ms)
}

func (t *tally) add(found []events.Message, sent []string, now time.Time) {
	for _, id := range sent {
		t.done[id] = true
	}
	for _, m := range found {
		t.lag = max(t.lag, now.Sub(m.Time))
		if t.done[m.ID] {
			t.times = append(t.times, m.Time)
		}
	}
	t.sent += len(sent)
	t.waiting = len(found) - len(sent)
}

// waitingError returns a fault if messages are waiting at the end of a run.
func waitingError(waiting int, failed map[string]error) error {
	if waiting == 0 {
		return nil
	}
	for id, err := range failed {
		return fmt.Errorf("%w: %d; sending %s: %w", errWaiting, waiting, id, err)
	}
	return fmt.Errorf("%w: %d", errWaiting, waiting)
}

func (r *reconciler) logRun(ctx context.Context, t tally, duration time.Duration, fault error) {
	level, code := slog.LevelInfo, "ok"
	attrs := []slog.Attr{
		slog.String("operation", "reconcile"), slog.Duration("duration", duration),
		slog.Any(telemetry.Published, telemetry.Count(t.sent)), slog.Any(telemetry.Unpublished, telemetry.Count(t.waiting)),
		slog.Any(telemetry.Lag, telemetry.Seconds(t.lag)),
	}
	if fault != nil {
		level, code = slog.LevelError, "unavailable"
		attrs = append(attrs, slog.Any("error", fault))
	}
	r.log.LogAttrs(ctx, level, telemetry.Request, append(attrs, slog.String("code", code))...)
}
