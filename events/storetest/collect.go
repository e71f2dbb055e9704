package storetest

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"apitoken/events"
)

// collectorOf returns the collector of a store. The tests of a store whose engine
// removes items itself give the store one that removes what the engine would.
func collectorOf(t testing.TB, s events.Store) events.Collector {
	t.Helper()
	c, ok := s.(events.Collector)
	if !ok {
		t.Fatalf("%T does not implement events.Collector", s)
	}
	return c
}

// writeAt commits at an age before now, with a retention.
func (x *scene) writeAt(age, retention time.Duration, e events.Effect) events.Commit {
	x.Helper()
	facts := []events.Fact{events.TokenRevoked{TokenID: newID(), Owner: x.owner}}
	m := events.Meta{Command: rand.Text(), Actor: x.owner, At: x.now.Add(-age), Retention: retention}
	c, err := events.NewCommit(Keys, x.stream(), x.head(), m, facts, 3, []byte("state of "+x.owner), e)
	if err != nil {
		x.Fatalf("building a commit: %v", err)
	}
	x.commit(c)
	return c
}

// collect sends the stream's messages, and collects at the time now.
func (x *scene) collect() {
	x.Helper()
	sendAll(x, x.history(100))
	if _, err := collectorOf(x, x.Store).Collect(x.ctx, x.now); err != nil {
		x.Fatalf("Collect: %v", err)
	}
}

// ended is the view as a revocation leaves it, kept for a time from now on.
func (x *scene) ended(v events.View, kept time.Duration) events.View {
	v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, x.now.Add(-2*time.Hour), x.now.Add(kept)
	return v
}

// onlyTheBeginningIsCollected has a log whose first two records are past their
// retention, and a log in which all are. Its head stays, and it is continued.
func onlyTheBeginningIsCollected(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y := x.other()
	for range 2 {
		x.writeAt(3*time.Hour, time.Hour, events.Effect{})
		y.writeAt(3*time.Hour, time.Hour, events.Effect{})
	}
	x.writeAt(2*time.Hour, 3*time.Hour, events.Effect{})
	x.writeAt(time.Hour, 0, events.Effect{})
	all, mine, others := x.history(10), x.head(), y.head()
	sendAll(y, y.history(10))
	x.collect()
	equal(x, "the records that are not past their retention", x.history(10), all[2:])
	equal(x, "the head of a log that lost its beginning", x.head(), mine)
	equal(y, "the records of a log that is past its retention", y.history(10), nil)
	equal(y, "the head of a log that lost all its records", y.head(), others)
	next := y.write(events.Effect{}).Records()[0]
	equal(y, "the next record", []any{next.Seq, next.Prev}, []any{others.Version + 1, others.Hash})
	x.write(events.Effect{})
	rest := x.history(10)
	if err := events.Verify(rest[0].Prev, rest); err != nil {
		t.Errorf("a log that lost its beginning: %v", err)
	}
}

// onlyGoneViewsAreCollected has tokens that live, ended, ended and are kept for
// ever, and are past their retention.
func onlyGoneViewsAreCollected(t testing.TB, s events.Store) {
	x := newScene(t, s)
	live, kept, ever, gone := x.plain(x.now.Add(-3*time.Hour)), x.plain(x.now.Add(-3*time.Hour)), x.plain(x.now.Add(-3*time.Hour)), x.plain(x.now.Add(-3*time.Hour))
	expired := x.plain(x.now.Add(-3 * time.Hour))
	expired.ExpiresAt = x.now.Add(-time.Hour) // no record says that it ended
	x.mint(live, kept, ever, gone, expired)
	kept, gone = x.ended(kept, time.Hour), x.ended(gone, -time.Minute)
	ever = x.ended(ever, 0)
	ever.KeepUntil = time.Time{}
	x.write(events.Effect{Changed: []events.View{kept, ever, gone}})
	stay := []events.View{live, kept, ever, expired}
	before := map[string]events.View{}
	for _, v := range stay {
		before[v.ID], _ = x.token(v.ID)
	}
	x.collect()
	if _, _, err := x.Token(x.ctx, gone.ID); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("the view of an ended token past its retention: got %v, want %v", err, events.ErrNotFound)
	}
	for _, v := range stay {
		got, _ := x.token(v.ID)
		equal(x, "a view that is not past its retention", got, before[v.ID])
	}
	eventually(x, "the list", len(stay), func() int {
		return len(x.list(events.Query{Owners: []string{x.owner}, States: events.AllStates(), Now: x.now, Limit: 100}, x.owner))
	})
	again := x.plain(x.now)
	again.ID = gone.ID
	x.mint(again) // the id is free
}

// onlyOldRepliesAreCollected has replies one minute younger and one minute older
// than events.ReplyValid.
func onlyOldRepliesAreCollected(t testing.TB, s events.Store) {
	x := newScene(t, s)
	valid := events.Reply{Key: "valid " + x.owner, Sealed: []byte("1"), At: x.now.Add(time.Minute - events.ReplyValid)}
	old := events.Reply{Key: "old " + x.owner, Sealed: []byte("2"), At: x.now.Add(-time.Minute - events.ReplyValid)}
	x.write(events.Effect{Reply: &valid})
	x.write(events.Effect{Reply: &old})
	x.collect()
	if got, err := x.Reply(x.ctx, valid.Key); err != nil || !same(got, valid) {
		t.Errorf("a valid reply: got %v, %v", got, err)
	}
	if got, err := x.Reply(x.ctx, old.Key); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("a reply that is no longer valid: got %v, %v, want %v", got, err, events.ErrNotFound)
	}
	x.write(events.Effect{Reply: &events.Reply{Key: old.Key, Sealed: []byte("3"), At: x.now}, Expired: &old}) // read before the collection
}

// onlyOldNoticesAreCollected puts each notice again: only one that was collected
// can be put a second time.
func onlyOldNoticesAreCollected(t testing.TB, s events.Store) {
	x := newScene(t, s)
	day := 24 * time.Hour
	notice := func(name string, age, keep time.Duration) events.Message {
		m := events.Message{ID: "TokenExpiring/" + x.owner + "/" + name, Type: "TokenExpiring", V: 1, Time: x.now.Add(-age), Data: []byte("{}")}
		if keep != 0 {
			m.KeepUntil = x.now.Add(keep)
		}
		return m
	}
	all := []events.Message{
		notice("young", 29*day, 0), notice("young, its own end is past", 29*day, -day),
		notice("old, its own end is not past", 31*day, day), notice("old", 31*day, 0), notice("old, its own end is past too", 31*day, -time.Minute),
	}
	var ids []string
	put := func() {
		for _, m := range all {
			if err := x.Notify(x.ctx, m); err != nil {
				t.Fatalf("Notify: %v", err)
			}
		}
	}
	put()
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	eventually(x, "the outbox", len(all), func() int { return len(x.pending(ids...)) })
	x.sent(ids...)
	x.collect()
	put()
	eventually(x, "the notices that can be put again", 2, func() int { return len(x.pending(ids...)) })
	equal(x, "the number of old notices that can be put again", len(x.pending(ids[3:]...)), 2)
	x.sent(ids...)
}
