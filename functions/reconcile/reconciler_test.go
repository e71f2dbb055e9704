package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// fakeBus is a bus with errors that the test decides.
type fakeBus struct {
	refuse   func(events.Message) error
	down     error
	arrived  []string
	deadline time.Time // of the last Put
}

func (b *fakeBus) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	b.deadline, _ = ctx.Deadline()
	if b.down != nil {
		return nil, b.down
	}
	var failed map[string]error
	for _, m := range ms {
		if b.refuse != nil && b.refuse(m) != nil {
			failed = map[string]error{m.ID: b.refuse(m)}
			continue
		}
		b.arrived = append(b.arrived, m.ID)
	}
	return failed, nil
}

// scene is a reconciler with a real outbox and a fake bus.
type scene struct {
	*testing.T
	*reconciler
	store   *bolt.Store
	fakeBus *fakeBus
	out     bytes.Buffer
	clock   time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, store: bolttest.Open(t), fakeBus: &fakeBus{}, clock: time.Now().UTC()}
	s.reconciler = &reconciler{
		bus: s.fakeBus, outbox: s.store, now: func() time.Time { return s.clock },
		log: telemetry.NewLogger(telemetry.Config{Out: &s.out, Function: "reconcile"}),
	}
	return s
}

// write adds n records of this age to the owner's stream, and returns their ids.
func (s *scene) write(owner string, n int, age time.Duration) (ids []string) {
	s.Helper()
	base, err := s.store.Head(s.Context(), events.UserStream(owner))
	if err != nil {
		s.Fatal(err)
	}
	facts := slices.Repeat([]events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: owner}}, n)
	m := events.Meta{Command: owner, Actor: owner, At: s.clock.Add(-age)}
	c, err := events.NewCommit(storetest.Keys, events.UserStream(owner), base, m, facts, 1, nil, events.Effect{})
	if err != nil {
		s.Fatal(err)
	}
	if err := s.store.Commit(s.Context(), c); err != nil {
		s.Fatal(err)
	}
	for _, r := range c.Records() {
		ids = append(ids, r.ID())
	}
	return ids
}

// pending returns the number of messages in the outbox.
func (s *scene) pending() int {
	s.Helper()
	ms, err := s.store.Pending(s.Context(), s.clock.Add(time.Hour), 10*pageSize)
	if err != nil {
		s.Fatal(err)
	}
	return len(ms)
}

func TestLateMessagesAreSentAndFreshOnesAreNot(t *testing.T) {
	s := newScene(t)
	late := s.write("ann", 3, time.Hour)
	s.write("bob", 2, lateAfter-time.Second)
	if err := s.reconcile(t.Context()); err != nil {
		t.Fatalf("reconcile: %v", err)
	}
	if !slices.Equal(s.fakeBus.arrived, late) {
		t.Errorf("got %v sent, want %v", s.fakeBus.arrived, late)
	}
	if got := s.pending(); got != 2 {
		t.Errorf("%d messages are left, want only the 2 fresh ones", got)
	}
	for _, want := range []string{`"operation":"reconcile"`, `"code":"ok"`, `"Published":3`, `"Unpublished":0`, `"Lag":3600`} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("the log line has no %s: %s", want, s.out.String())
		}
	}
}

// TestOnlyMessagesSentInTimeMustBeKept: an alarm compares this number with that of
// the audit. A message that is sent once is counted once, also if the outbox lags.
func TestOnlyMessagesSentInTimeMustBeKept(t *testing.T) {
	s := newScene(t)
	s.write("ann", 3, lateAfter+time.Minute)
	s.write("bob", 2, time.Hour)
	s.outbox = &stale{Outbox: s.store}
	if err := s.reconcile(t.Context()); err != nil {
		t.Fatalf("reconcile: %v", err)
	}
	if got := strings.Count(s.out.String(), `"ToKeep":`); got != 1 || !strings.Contains(s.out.String(), `"ToKeep":3,`) {
		t.Errorf("got %s, want one line with 3", s.out.String())
	}
}

func TestMoreThanAPageIsSentInOneRun(t *testing.T) {
	s := newScene(t)
	for i := range 12 {
		s.write(fmt.Sprint("user", i), 90, time.Hour)
	}
	if err := s.reconcile(t.Context()); err != nil || s.pending() != 0 {
		t.Errorf("%d are left, %v, want none", s.pending(), err)
	}
	if got := len(s.fakeBus.arrived); got != 12*90 {
		t.Errorf("%d were sent, want each once", got)
	}
}

func TestNothingLateIsNoFault(t *testing.T) {
	s := newScene(t)
	if err := s.reconcile(t.Context()); err != nil {
		t.Errorf("reconcile: %v", err)
	}
	if !strings.Contains(s.out.String(), `"Lag":0`) {
		t.Errorf("the log line has no lag of 0: %s", s.out.String())
	}
}

// TestUnsentMessageIsAFault: errors of the function raise an alarm. Other
// messages are sent in the same run, and the next run sends the rest.
func TestUnsentMessageIsAFault(t *testing.T) {
	s := newScene(t)
	ann, bob := s.write("ann", 3, time.Hour), s.write("bob", 2, time.Hour)
	s.fakeBus.refuse = func(m events.Message) error {
		if m.ID == ann[1] {
			return errors.New("too large")
		}
		return nil
	}
	err := s.reconcile(t.Context())
	if !errors.Is(err, errWaiting) || !strings.Contains(err.Error(), "too large") || !strings.Contains(s.out.String(), `"Unpublished":2`) {
		t.Errorf("got %v, %s", err, s.out.String())
	}
	if s.pending() != 2 {
		t.Errorf("%d are left, want 2", s.pending())
	}
	s.fakeBus.refuse = nil
	if err := s.reconcile(t.Context()); err != nil || s.pending() != 0 {
		t.Errorf("the next run: %d are left, %v", s.pending(), err)
	}
	var fromAnn []string
	for _, id := range s.fakeBus.arrived {
		if strings.HasPrefix(id, "user/ann/") {
			fromAnn = append(fromAnn, id)
		}
	}
	if !slices.Equal(fromAnn, ann) || len(s.fakeBus.arrived) != len(ann)+len(bob) {
		t.Errorf("got %v sent, want %v in order and bob's", s.fakeBus.arrived, ann)
	}
}

func TestUnavailableBusIsAFaultAndLosesNothing(t *testing.T) {
	s := newScene(t)
	s.write("ann", 3, time.Hour)
	s.fakeBus.down = errors.New("no answer")
	if err := s.reconcile(t.Context()); !errors.Is(err, s.fakeBus.down) || s.pending() != 3 {
		t.Errorf("got %v, %d left", err, s.pending())
	}
}

// damaged is an outbox with an unreadable message.
type damaged struct{ events.Outbox }

var errDamaged = errors.New("item cannot be read")

func (d damaged) Pending(ctx context.Context, older time.Time, limit int) ([]events.Message, error) {
	ms, err := d.Outbox.Pending(ctx, older, limit)
	return ms, errors.Join(err, errDamaged)
}

func TestUnreadableMessageDelaysNoOtherStream(t *testing.T) {
	s := newScene(t)
	late := s.write("ann", 3, time.Hour)
	s.outbox = damaged{s.store}
	if err := s.reconcile(t.Context()); !errors.Is(err, errDamaged) {
		t.Errorf("got %v, want the fault", err)
	}
	if !slices.Equal(s.fakeBus.arrived, late) || s.pending() != 0 {
		t.Errorf("got %v sent and %d left, want %v", s.fakeBus.arrived, s.pending(), late)
	}
	if !strings.Contains(s.out.String(), `"Published":3`) || !strings.Contains(s.out.String(), `"level":"ERROR"`) {
		t.Errorf("got the log line %s", s.out.String())
	}
}

// stale is an outbox with a lagging index: it returns the same messages again
// after they were sent.
type stale struct {
	events.Outbox
	messages []events.Message
}

func (s *stale) Pending(ctx context.Context, older time.Time, limit int) ([]events.Message, error) {
	if s.messages == nil {
		var err error
		if s.messages, err = s.Outbox.Pending(ctx, older, limit); err != nil {
			return nil, err
		}
	}
	return slices.Clone(s.messages), nil
}

func TestMessagesOfALaggingOutboxAreSentOnce(t *testing.T) {
	s := newScene(t)
	for i := range 20 {
		s.write(fmt.Sprint("user", i), 50, time.Hour)
	}
	s.outbox = &stale{Outbox: s.store}
	if err := s.reconcile(t.Context()); err != nil || len(s.fakeBus.arrived) != pageSize {
		t.Errorf("got %d sent, %v, want %d", len(s.fakeBus.arrived), err, pageSize)
	}
}

func TestTimeIsReservedToUpdateTheOutbox(t *testing.T) {
	s := newScene(t)
	s.write("ann", 1, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := s.reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	if allowed := s.fakeBus.deadline.Sub(began); allowed > time.Minute-margin+time.Second {
		t.Errorf("the bus may use %v of a minute", allowed)
	}
}
