package storetest

import (
	"context"
	"errors"
	"testing"

	"apitoken/events"
)

// repairsOf returns the port for repairs of a store.
func repairsOf(t testing.TB, s events.Store) events.Repairs {
	t.Helper()
	r, ok := s.(events.Repairs)
	if !ok {
		t.Fatalf("%T does not implement events.Repairs", s)
	}
	return r
}

// putBackHead commits the effects and puts the head of the first commit back.
func (x *scene) putBackHead(a Attacker, effects ...events.Effect) (first events.Head, newest map[string]any) {
	x.Helper()
	first = x.write(effects[0]).Head()
	older := a.Item(x, a.HeadKey(x.stream()))
	for _, e := range effects[1:] {
		x.write(e)
	}
	newest = a.Item(x, a.HeadKey(x.stream()))
	a.PutItem(x, a.HeadKey(x.stream()), older)
	equal(x, "the head that was put back", x.head(), first)
	return first, newest
}

func (x *scene) newer(r events.Repairs, after uint64, limit int) []events.Newer {
	x.Helper()
	ns, err := r.Newer(x.ctx, x.stream(), after, limit)
	if err != nil {
		x.Fatalf("Newer of %s after %d: %v", x.stream(), after, err)
	}
	return ns
}

func newerRecordsAreRemoved(t testing.TB, s events.Store) {
	x, a, r := newScene(t, s), AttackerOf(t, s), repairsOf(t, s)
	_, newest := x.putBackHead(a, events.Effect{}, events.Effect{}, events.Effect{}, events.Effect{})
	all := x.history(10)
	ns := x.newer(r, 1, 3)
	if len(ns) != 3 || len(x.newer(r, 1, 2)) != 2 || len(x.newer(r, 3, 2)) != 1 || len(x.newer(r, 4, 1)) != 0 {
		t.Fatalf("Newer: got %d records after record 1, want 3", len(ns))
	}
	for i, n := range ns {
		equal(x, "a newer record", n.Record, all[i+1])
		if n.Seq != all[i+1].Seq || n.Damaged != nil {
			t.Errorf("Newer: got %d, %v, want %d", n.Seq, n.Damaged, all[i+1].Seq)
		}
	}
	refused := func(what string, ctx context.Context, base uint64, n events.Newer, want error) {
		t.Helper()
		if err := r.Remove(ctx, x.stream(), base, n); !errors.Is(err, want) {
			t.Errorf("Remove %s: got %v, want %v", what, err, want)
		}
		equal(x, "the number of records after Remove "+what, len(x.history(10)), 4)
	}
	refused("at another version", x.ctx, 2, ns[1], events.ErrConflict)
	a.PutItem(t, a.HeadKey(x.stream()), newest)
	refused("after the head has moved", x.ctx, 1, ns[1], events.ErrConflict)
	older := a.Item(t, a.RecordKey(x.stream(), 3))
	restore := putBack(t, a, a.RecordKey(x.stream(), 2))
	a.PutItem(t, a.RecordKey(x.stream(), 2), older)
	if err := r.Remove(x.ctx, x.stream(), 4, ns[0]); !errors.Is(err, events.ErrConflict) || a.Item(t, a.RecordKey(x.stream(), 2)) == nil {
		t.Errorf("Remove of a record that has changed: got %v, want %v and the record still there", err, events.ErrConflict)
	}
	restore()
	cancelled, cancel := context.WithCancel(x.ctx)
	cancel()
	refused("with a cancelled context", cancelled, 4, ns[1], context.Canceled)
	if err := r.Remove(x.ctx, x.stream(), 4, ns[1]); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	equal(x, "the records after Remove", x.history(10), []events.Record{all[0], all[1], all[3]})
	eventually(x, "the messages after Remove", 3, func() int { return len(x.pending()) })
	if err := r.Remove(x.ctx, x.stream(), 4, ns[1]); !errors.Is(err, events.ErrConflict) {
		t.Errorf("Remove of a record that is gone: got %v, want %v", err, events.ErrConflict)
	}
}

// undecodableRecordsAreReturned plants an item without members. A store may decode
// such an item; then its hash is wrong.
func undecodableRecordsAreReturned(t testing.TB, s events.Store) {
	x, a, r := newScene(t, s), AttackerOf(t, s), repairsOf(t, s)
	x.write(events.Effect{})
	a.PutItem(t, a.RecordKey(x.stream(), 7), map[string]any{})
	ns := x.newer(r, 1, 10)
	if len(ns) != 1 || ns[0].Seq != 7 || ns[0].Damaged == nil && ns[0].Record.Message().CheckMAC(Keys) == nil {
		t.Fatalf("Newer with an empty item at 7: got %+v", ns)
	}
	if err := r.Remove(x.ctx, x.stream(), 1, ns[0]); err != nil {
		t.Fatalf("Remove of an empty item: %v", err)
	}
	equal(x, "the number of newer records after Remove", len(x.newer(r, 1, 10)), 0)
}

func headAdvances(t testing.TB, s events.Store) {
	x, a, r := newScene(t, s), AttackerOf(t, s), repairsOf(t, s)
	v, use := x.view(), events.Use{At: x.now, Address: "192.0.2.7"}
	first, newest := x.putBackHead(a, events.Effect{Minted: []events.View{v}}, events.Effect{}, events.Effect{})
	if err := x.Touch(x.ctx, v.ID, use); err != nil {
		t.Fatalf("Touch: %v", err)
	}
	rs := x.history(10)
	ended := v
	ended.Seq, ended.Ended, ended.EndedAt = 3, events.EndedRevoked, x.now
	other := x.plain(x.now)
	adv, err := events.NewAdvance(Keys, x.stream(), first, rs[1:], 3, []byte("folded"), []events.View{ended, other})
	if err != nil {
		t.Fatalf("NewAdvance: %v", err)
	}
	older := a.Item(t, a.HeadKey(x.stream()))
	a.PutItem(t, a.HeadKey(x.stream()), newest)
	if err := r.Advance(x.ctx, adv); !errors.Is(err, events.ErrConflict) {
		t.Errorf("Advance after the head has moved: got %v, want %v", err, events.ErrConflict)
	}
	got, _ := x.token(v.ID)
	equal(x, "the view after a refused Advance", got, v)
	expectItem(x, a, "the head", a.HeadKey(x.stream()), newest)
	expectNoToken(x, other.ID)
	a.PutItem(t, a.HeadKey(x.stream()), older)
	if err := r.Advance(x.ctx, adv); err != nil {
		t.Fatalf("Advance: %v", err)
	}
	equal(x, "the head after Advance", x.head(), adv.Head())
	got, stored := x.token(v.ID)
	equal(x, "the view after Advance", got, ended)
	equal(x, "the use after Advance", stored, use)
	got, _ = x.token(other.ID)
	equal(x, "the other view after Advance", got, other)
	equal(x, "the records after Advance", x.history(10), rs)
	eventually(x, "the number of messages after Advance", 3, func() int { return len(x.pending()) })
	q := events.Query{Owners: []string{x.owner}, Now: x.now, Limit: 10}
	eventually(x, "the number of listed tokens after Advance", 2, func() int { return len(x.list(q, x.owner)) })
	x.write(events.Effect{})
	if err := r.Advance(x.ctx, adv); !errors.Is(err, events.ErrConflict) {
		t.Errorf("a second Advance: got %v, want %v", err, events.ErrConflict)
	}
}
