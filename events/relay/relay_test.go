package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/relay"
	"apitoken/events/storetest"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"

	"pgregory.net/rapid"
)

var errBus = errors.New("the bus is down")

// bus accepts all messages, unless down or refuse returns an error. It records
// the time of each call and each message that it accepted.
type bus struct {
	mu      sync.Mutex
	refuse  func(events.Message) error
	down    func() error
	calls   []time.Time
	taken   []events.Message
	onTaken func()
}

func (b *bus) Put(ctx context.Context, ms []events.Message) (failed map[string]error, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, time.Now())
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.down != nil {
		if err := b.down(); err != nil {
			return nil, err
		}
	}
	for _, m := range ms {
		if b.refuse != nil {
			if err := b.refuse(m); err != nil {
				if failed == nil {
					failed = map[string]error{}
				}
				failed[m.ID] = err
				continue
			}
		}
		b.taken = append(b.taken, m)
	}
	if b.onTaken != nil {
		b.onTaken()
	}
	return failed, nil
}

func (b *bus) ids() (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.taken {
		ids = append(ids, m.ID)
	}
	return ids
}

func (b *bus) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func message(owner string, seq int) events.Message {
	return events.Message{ID: fmt.Sprintf("user/%s/%d", owner, seq), Stream: events.UserStream(owner), Seq: uint64(seq)}
}

func TestSendKeepsEachStreamsOrderAfterARefusal(t *testing.T) {
	notices := []events.Message{{ID: "notice/1"}, {ID: "notice/2"}}
	ms := []events.Message{
		message("ann", 1), notices[0], message("ann", 2), message("bob", 1), message("ann", 3), notices[1], message("bob", 2),
	}
	b := &bus{refuse: func(m events.Message) error {
		if m.ID == "user/ann/2" || m.ID == "notice/1" {
			return errBus
		}
		return nil
	}}
	sent, failed, err := relay.Send(t.Context(), b, ms)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"user/ann/1", "user/bob/1", "notice/2", "user/bob/2"}
	if !slices.Equal(sent, want) || !slices.Equal(b.ids(), want) {
		t.Errorf("sent %v and taken %v, want %v", sent, b.ids(), want)
	}
	if len(failed) != 2 || !errors.Is(failed["user/ann/2"], errBus) || !errors.Is(failed["notice/1"], errBus) {
		t.Errorf("failed: got %v, want user/ann/2 and notice/1", failed)
	}
}

func TestSendReportsTheMessagesSentBeforeTheBusFailed(t *testing.T) {
	calls := 0
	b := &bus{down: func() error {
		if calls++; calls == 2 {
			return errBus
		}
		return nil
	}}
	sent, failed, err := relay.Send(t.Context(), b, []events.Message{message("ann", 1), message("ann", 2), message("bob", 1)})
	if !errors.Is(err, errBus) || len(failed) != 0 {
		t.Errorf("got failed %v and %v, want %v alone", failed, err, errBus)
	}
	if want := []string{"user/ann/1", "user/bob/1"}; !slices.Equal(sent, want) {
		t.Errorf("sent: got %v, want %v", sent, want)
	}
}

// store returns an embedded store with n records in the stream of each owner.
func store(t testing.TB, n int, owners ...string) *bolt.Store {
	t.Helper()
	s := bolttest.Open(t)
	for range n {
		for _, owner := range owners {
			add(t, s, owner)
		}
	}
	return s
}

func add(t testing.TB, s events.Store, owner string) {
	t.Helper()
	st := events.UserStream(owner)
	h, err := s.Head(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	m := events.Meta{Command: fmt.Sprint(owner, h.Version), Actor: owner, At: time.Now()}
	c, err := events.NewCommit(storetest.Keys, st, h, m, []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: owner}}, 1, nil, events.Effect{})
	if err == nil {
		err = s.Commit(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func left(t testing.TB, s events.Outbox) int {
	t.Helper()
	ms, err := s.Pending(t.Context(), time.Now().AddDate(10, 0, 0), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return len(ms)
}

func TestAStuckStreamDoesNotStopTheOthers(t *testing.T) {
	s := store(t, 20, "ann")
	for range 15 {
		add(t, s, "bob")
	}
	b := &bus{refuse: func(m events.Message) error {
		if m.ID == "user/ann/1" {
			return errBus
		}
		return nil
	}}
	r := relay.New(relay.Config{Outbox: s, Bus: b, Batch: 10})
	for range 6 {
		if _, err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(b.ids()); got != 15 {
		t.Errorf("%d messages of the other stream arrived, want 15: %v", got, b.ids())
	}
	b.refuse = nil
	if _, err := r.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := left(t, s); got != 0 {
		t.Errorf("%d messages are left after the bus recovered, want none", got)
	}
}

func TestAMessageIsSentAgainIfTheOutboxDidNotRecordIt(t *testing.T) {
	s := store(t, 2, "ann")
	b := &bus{}
	faulty := storetest.NewFaulty(s, storetest.Once(storetest.OpSent, storetest.Unapplied))
	r := relay.New(relay.Config{Outbox: faulty, Bus: b})
	if o, err := r.Once(t.Context()); !errors.Is(err, storetest.ErrFault) || o.Sent != 2 {
		t.Errorf("Once: got %v, %v, want two sent and the outbox's error", o, err)
	}
	if _, err := r.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"user/ann/1", "user/ann/2", "user/ann/1", "user/ann/2"}
	if got := b.ids(); !slices.Equal(got, want) || left(t, s) != 0 {
		t.Errorf("taken %v with %d left, want %v with none", got, left(t, s), want)
	}
}

// TestOrderHoldsAndNothingIsLostUnderRandomFailures has a bus that is down or
// refuses messages, and an outbox that may fail to remove sent messages.
func TestOrderHoldsAndNothingIsLostUnderRandomFailures(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []events.Message
		seq := map[string]int{}
		for range rapid.IntRange(1, 40).Draw(rt, "messages") {
			owner := rapid.SampledFrom([]string{"ann", "bob", "cyd"}).Draw(rt, "owner")
			seq[owner]++
			all = append(all, message(owner, seq[owner]))
		}
		o := &outbox{}
		o.put(all...)
		often := rapid.IntRange(0, 8).Draw(rt, "how often the bus fails, in tenths")
		fails := func() error {
			if rapid.IntRange(0, 9).Draw(rt, "die") < often {
				return errBus
			}
			return nil
		}
		b := &bus{down: fails, refuse: func(events.Message) error { return fails() }}
		unreliable := &failingOutbox{outbox: o, fails: fails}
		r := relay.New(relay.Config{Outbox: unreliable, Bus: b, Batch: rapid.IntRange(1, 10).Draw(rt, "batch")})
		for range 60 {
			r.Once(t.Context()) // its errors are the injected ones
		}
		b.down, b.refuse, unreliable.fails = nil, nil, func() error { return nil }
		for o.len() > 0 {
			if _, err := r.Once(t.Context()); err != nil {
				rt.Fatalf("Once on a bus that recovered: %v", err)
			}
		}
		expectInOrder(rt, b.taken, seq)
	})
}

// failingOutbox fails to remove sent messages when fails returns an error.
type failingOutbox struct {
	*outbox
	fails func() error
}

func (f *failingOutbox) Sent(ctx context.Context, ids ...string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.outbox.Sent(ctx, ids...)
}

// expectInOrder expects each stream's messages in order, without a gap, up to the
// last one. Repeats of earlier messages are allowed.
func expectInOrder(t *rapid.T, taken []events.Message, last map[string]int) {
	reached := map[events.Stream]uint64{}
	for _, m := range taken {
		if m.Seq > reached[m.Stream]+1 {
			t.Fatalf("%s arrived before its predecessor: %v", m.ID, taken)
		}
		reached[m.Stream] = max(reached[m.Stream], m.Seq)
	}
	for owner, n := range last {
		if got := reached[events.UserStream(owner)]; got != uint64(n) {
			t.Fatalf("stream of %s: %d messages arrived, want %d", owner, got, n)
		}
	}
}
