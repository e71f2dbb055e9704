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

// line is a bus whose answers a test decides.
type line struct {
	refuse   func(events.Message) error
	down     error
	arrived  []string
	deadline time.Time
}

func (l *line) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	l.deadline, _ = ctx.Deadline()
	if l.down != nil {
		return nil, l.down
	}
	var failed map[string]error
	for _, m := range ms {
		if l.refuse != nil && l.refuse(m) != nil {
			failed = map[string]error{m.ID: l.refuse(m)}
			continue
		}
		l.arrived = append(l.arrived, m.ID)
	}
	return failed, nil
}

// scene is a reconciler between a real outbox and a line.
type scene struct {
	*testing.T
	*reconciler
	store *bolt.Store
	line  *line
	out   bytes.Buffer
	clock time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, store: bolttest.Open(t), line: &line{}, clock: time.Now().UTC()}
	s.reconciler = &reconciler{
		bus: s.line, outbox: s.store, now: func() time.Time { return s.clock },
		log: telemetry.NewLogger(telemetry.Config{Out: &s.out, Function: "reconcile"}),
	}
	return s
}

// write puts n records into the owner's stream, of the age that is given, and
// gives their ids.
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

func (s *scene) left() int {
	s.Helper()
	ms, err := s.store.Pending(s.Context(), s.clock.Add(time.Hour), 10*page)
	if err != nil {
		s.Fatal(err)
	}
	return len(ms)
}

func TestLateMessagesAreSentAndFreshOnesAreNot(t *testing.T) {
	s := newScene(t)
	late := s.write("ann", 3, time.Hour)
	s.write("bob", 2, waited-time.Second)
	if err := s.reconcile(t.Context()); err != nil {
		t.Fatalf("reconcile: %v", err)
	}
	if !slices.Equal(s.line.arrived, late) {
		t.Errorf("got %v sent, want %v", s.line.arrived, late)
	}
	if got := s.left(); got != 2 {
		t.Errorf("%d are left, want the fresh ones", got)
	}
	for _, want := range []string{`"operation":"reconcile"`, `"code":"ok"`, `"Published":3`, `"Unpublished":0`, `"Lag":3600`} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("the line lacks %s: %s", want, s.out.String())
		}
	}
}

func TestMoreThanAPageIsSentInOneRun(t *testing.T) {
	s := newScene(t)
	for i := range 12 {
		s.write(fmt.Sprint("user", i), 90, time.Hour)
	}
	if err := s.reconcile(t.Context()); err != nil || s.left() != 0 {
		t.Errorf("%d are left, %v, want none", s.left(), err)
	}
	if got := len(s.line.arrived); got != 12*90 {
		t.Errorf("%d were sent, want each once", got)
	}
}

func TestNothingLateIsNoFault(t *testing.T) {
	s := newScene(t)
	if err := s.reconcile(t.Context()); err != nil {
		t.Errorf("reconcile: %v", err)
	}
	if !strings.Contains(s.out.String(), `"Lag":0`) {
		t.Errorf("the lag is not said: %s", s.out.String())
	}
}

// TestWhatCannotBeSentIsAFault: the function's errors raise an alarm. Others
// flow meanwhile, and the next run goes on.
func TestWhatCannotBeSentIsAFault(t *testing.T) {
	s := newScene(t)
	ann, bob := s.write("ann", 3, time.Hour), s.write("bob", 2, time.Hour)
	s.line.refuse = func(m events.Message) error {
		if m.ID == ann[1] {
			return errors.New("too large")
		}
		return nil
	}
	err := s.reconcile(t.Context())
	if !errors.Is(err, errWaiting) || !strings.Contains(err.Error(), "too large") || !strings.Contains(s.out.String(), `"Unpublished":2`) {
		t.Errorf("got %v, %s", err, s.out.String())
	}
	if s.left() != 2 {
		t.Errorf("%d are left, want 2", s.left())
	}
	s.line.refuse = nil
	if err := s.reconcile(t.Context()); err != nil || s.left() != 0 {
		t.Errorf("the next run: %d are left, %v", s.left(), err)
	}
	var anns []string
	for _, id := range s.line.arrived {
		if strings.HasPrefix(id, "user/ann/") {
			anns = append(anns, id)
		}
	}
	if !slices.Equal(anns, ann) || len(s.line.arrived) != len(ann)+len(bob) {
		t.Errorf("got %v sent, want %v in order and bob's", s.line.arrived, ann)
	}
}

func TestBusThatIsDownIsAFaultAndLosesNothing(t *testing.T) {
	s := newScene(t)
	s.write("ann", 3, time.Hour)
	s.line.down = errors.New("no answer")
	if err := s.reconcile(t.Context()); !errors.Is(err, s.line.down) || s.left() != 3 {
		t.Errorf("got %v, %d left", err, s.left())
	}
}

// damaged is an outbox with something in it that cannot be read.
type damaged struct{ events.Outbox }

var errDamaged = errors.New("item cannot be read")

func (d damaged) Pending(ctx context.Context, older time.Time, limit int) ([]events.Message, error) {
	ms, err := d.Outbox.Pending(ctx, older, limit)
	return ms, errors.Join(err, errDamaged)
}

func TestWhatCannotBeReadHoldsUpNobodyElse(t *testing.T) {
	s := newScene(t)
	late := s.write("ann", 3, time.Hour)
	s.outbox = damaged{s.store}
	if err := s.reconcile(t.Context()); !errors.Is(err, errDamaged) {
		t.Errorf("got %v, want the fault", err)
	}
	if !slices.Equal(s.line.arrived, late) || s.left() != 0 {
		t.Errorf("got %v sent and %d left, want %v", s.line.arrived, s.left(), late)
	}
	if !strings.Contains(s.out.String(), `"Published":3`) || !strings.Contains(s.out.String(), `"level":"ERROR"`) {
		t.Errorf("the line is %s", s.out.String())
	}
}

// stale is an outbox whose index lags: it goes on showing what was sent.
type stale struct {
	events.Outbox
	shown []events.Message
}

func (s *stale) Pending(ctx context.Context, older time.Time, limit int) ([]events.Message, error) {
	if s.shown == nil {
		var err error
		if s.shown, err = s.Outbox.Pending(ctx, older, limit); err != nil {
			return nil, err
		}
	}
	return slices.Clone(s.shown), nil
}

func TestLaggingOutboxIsNotSentTwice(t *testing.T) {
	s := newScene(t)
	for i := range 20 {
		s.write(fmt.Sprint("user", i), 50, time.Hour)
	}
	s.outbox = &stale{Outbox: s.store}
	if err := s.reconcile(t.Context()); err != nil || len(s.line.arrived) != page {
		t.Errorf("got %d sent, %v, want %d", len(s.line.arrived), err, page)
	}
}

func TestTimeIsLeftToNoteWhatWasSent(t *testing.T) {
	s := newScene(t)
	s.write("ann", 1, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := s.reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	if left := s.line.deadline.Sub(began); left > time.Minute-margin+time.Second {
		t.Errorf("the bus may take %v of a minute", left)
	}
}
