package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/relay"
)

// lateOutbox has messages of one stream, so that the relay sends one at a time.
type lateOutbox struct {
	events.Outbox
	next, last int
}

func (o *lateOutbox) Pending(_ context.Context, _ time.Time, limit int) (ms []events.Message, err error) {
	for n := o.next; n <= o.last && len(ms) < limit; n++ {
		ms = append(ms, events.Message{ID: fmt.Sprint("user/ann/", n), Stream: "user/ann", Seq: uint64(n)})
	}
	return ms, nil
}

func (o *lateOutbox) Sent(ctx context.Context, ids ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.next += len(ids)
	return nil
}

// slowBus takes one message in each pause.
type slowBus struct {
	pause time.Duration
	taken int
	fails error
}

func (b *slowBus) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("writing %d events: %w", len(ms), err)
	}
	if b.fails != nil {
		return nil, b.fails
	}
	time.Sleep(b.pause)
	b.taken += len(ms)
	return nil, nil
}

// stopLoop runs a relay for a minute, stops it, and returns how long that took and
// the log.
func stopLoop(t *testing.T, o *lateOutbox, b *slowBus) (took time.Duration, log string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&text, nil))
		l := &relayLoop{relay: relay.New(relay.Config{Outbox: o, Bus: b, Logger: logger}), logger: logger}
		stop := l.run(t.Context())
		time.Sleep(time.Minute)
		began := time.Now()
		err = stop()
		took, log = time.Since(began), text.String()
	})
	return took, log, err
}

// TestTheEndDoesNotWaitForAFileThatIsLate: the next start has exactly the messages
// that did not reach the file.
func TestTheEndDoesNotWaitForAFileThatIsLate(t *testing.T) {
	o, b := &lateOutbox{next: 1, last: 100_000}, &slowBus{pause: 20 * time.Millisecond}
	took, log, err := stopLoop(t, o, b)
	if err != nil || took > drainTimeout+time.Second {
		t.Errorf("the end took %v and gave %v, want no error after %v", took, err, drainTimeout)
	}
	if !strings.Contains(log, "the file of events is late; the next start writes the rest") || strings.Contains(log, "ERROR") {
		t.Errorf("log: %s", log)
	}
	if b.taken < 2000 || o.next != b.taken+1 {
		t.Errorf("the file has %d events, and the next start begins with %d", b.taken, o.next)
	}
}

// TestTheEndWritesAFewEvents that were committed last.
func TestTheEndWritesAFewEvents(t *testing.T) {
	o, b := &lateOutbox{next: 1, last: 3010}, &slowBus{pause: 20 * time.Millisecond}
	took, log, err := stopLoop(t, o, b)
	if err != nil || took > drainTimeout || b.taken != 3010 || o.next != 3011 || log != "" {
		t.Errorf("after %v: got %v, %d events, next %d, log %q, want 3010 events", took, err, b.taken, o.next, log)
	}
}

// TestTheEndNamesAFileThatFails: this is an error, because a new start may not help.
func TestTheEndNamesAFileThatFails(t *testing.T) {
	o, b := &lateOutbox{next: 1, last: 7}, &slowBus{fails: errors.New("the disk is full")}
	if _, _, err := stopLoop(t, o, b); err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "the next start sends them") {
		t.Errorf("got %v, want the error of the file", err)
	}
}
