package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/relay"
)

// outbox is an outbox in memory for the tests of Run, because a bubble of synctest
// cannot wait for a file.
type outbox struct {
	events.Outbox
	mu     sync.Mutex
	ms     []events.Message
	unread error // of Pending
}

func (o *outbox) put(ms ...events.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ms = append(o.ms, ms...)
}

func (o *outbox) Pending(_ context.Context, _ time.Time, limit int) ([]events.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ms[:min(limit, len(o.ms))]), o.unread
}

func (o *outbox) Sent(ctx context.Context, ids ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	o.ms = slices.DeleteFunc(o.ms, func(m events.Message) bool { return slices.Contains(ids, m.ID) })
	return nil
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ms)
}

// running starts a relay that reads its outbox every ten seconds. It returns the
// relay, and a function that stops the relay and returns the result of Run.
func running(t *testing.T, o *outbox, b *bus, logs *bytes.Buffer) (*relay.Relay, func() error) {
	t.Helper()
	r := relay.New(relay.Config{
		Outbox: o, Bus: b, Every: 10 * time.Second, Batch: 3, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	synctest.Wait()
	return r, func() error {
		cancel()
		return <-done
	}
}

func TestRunSendsAfterAWakeAndOtherwisePeriodically(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, b := &outbox{}, &bus{}
		r, stop := running(t, o, b, &bytes.Buffer{})
		for n := range 10 {
			o.put(message("ann", n+1)) // more than one batch
		}
		r.Wake()
		r.Wake()
		synctest.Wait()
		if got := len(b.ids()); got != 10 {
			t.Errorf("%d messages arrived after the Wake, want 10", got)
		}
		o.put(message("ann", 11))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := len(b.ids()); got != 11 || o.len() != 0 {
			t.Errorf("without a Wake %d messages arrived and %d are left, want 11 and none", got, o.len())
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunPausesLongerWhileTheBusFailsAndLogsOnlyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		o, b := &outbox{}, &bus{down: func() error { return errBus }}
		o.put(message("ann", 1))
		r, stop := running(t, o, b, &logs)
		for range 600 {
			r.Wake() // which does not shorten the pause
			time.Sleep(time.Second)
		}
		var calls []time.Time
		b.set(func() { calls = slices.Clone(b.calls) })
		for i, longest := range []time.Duration{10, 20, 40, 60, 60, 60} {
			pause := calls[i+1].Sub(calls[i])
			if longest *= time.Second; pause < longest/2 || pause > longest {
				t.Errorf("pause %d: got %v, want between %v and %v", i, pause, longest/2, longest)
			}
		}
		b.set(func() { b.down = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.ids(); len(got) != 1 {
			t.Errorf("arrived after the bus recovered: got %v, want one message", got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		lines := strings.Split(strings.TrimSpace(logs.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "events do not reach the bus") || !strings.Contains(lines[1], "events reach the bus again") {
			t.Errorf("logs: got\n%s\nwant one line when the bus failed and one when it recovered", logs.String())
		}
	})
}

func TestRunLogsRefusalsOnceAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		o := &outbox{}
		b := &bus{refuse: func(m events.Message) error {
			if m.Stream == "user/ann" {
				return errBus
			}
			return nil
		}}
		for n := range 5 {
			o.put(message("ann", n+1))
		}
		r, stop := running(t, o, b, &logs)
		for n := range 5 {
			o.put(message("bob", n+1))
			r.Wake()
			synctest.Wait()
			if got := len(b.ids()); got != n+1 {
				t.Fatalf("%d messages of the other stream arrived, want %d", got, n+1)
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := strings.Count(logs.String(), "\n"); got != 1 || !strings.Contains(logs.String(), "user/ann/1") {
			t.Errorf("logs: got %d lines, want one that names user/ann/1:\n%s", got, logs.String())
		}
	})
}

// TestRunSendsOtherStreamsIfAMessageCannotBeRead: a Wake sends them at once, without
// the pauses of a bus that fails.
func TestRunSendsOtherStreamsIfAMessageCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		o, b := &outbox{unread: fmt.Errorf("record 7 of stream user/ann: %w", events.ErrDamaged)}, &bus{}
		r, stop := running(t, o, b, &logs)
		for n := range 5 {
			o.put(message("bob", n+1))
			r.Wake()
			synctest.Wait()
			if got := len(b.ids()); got != n+1 || o.len() != 0 {
				t.Fatalf("%d messages of the other stream arrived and %d are left, want %d and none", got, o.len(), n+1)
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := strings.Count(logs.String(), "\n"); got != 1 || !strings.Contains(logs.String(), "record 7 of stream user/ann") {
			t.Errorf("logs: got %d lines, want one that names the record:\n%s", got, logs.String())
		}
	})
}

// TestRunFinishesItsCurrentCallOfTheBus: a batch may take long, and the process must
// end. What the bus has accepted is not sent again.
func TestRunFinishesItsCurrentCallOfTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, b := &outbox{}, &bus{}
		r := relay.New(relay.Config{Outbox: o, Bus: b, Batch: 3})
		ctx, cancel := context.WithCancel(t.Context())
		b.onTaken = cancel // ctx ends during the first batch
		for n := range 9 {
			o.put(message("ann", n+1))
		}
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := len(b.ids()); got != 1 || o.len() != 8 {
			t.Errorf("%d messages arrived and %d are left, want one and the other 8", got, o.len())
		}
	})
}

func TestRunReturnsTheLastErrorOfTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, b := &outbox{}, &bus{down: func() error { return errBus }}
		o.put(message("ann", 1))
		_, stop := running(t, o, b, &bytes.Buffer{})
		if err := stop(); !errors.Is(err, errBus) {
			t.Errorf("Run: got %v, want %v", err, errBus)
		}
	})
}
