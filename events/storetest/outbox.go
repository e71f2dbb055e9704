package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"apitoken/events"
)

// messages returns the messages of the commits' records.
func messages(cs ...events.Commit) (ms []events.Message) {
	for _, c := range cs {
		for _, r := range c.Records() {
			ms = append(ms, r.Message())
		}
	}
	return ms
}

func (x *scene) sent(ids ...string) {
	x.Helper()
	if err := x.Sent(x.ctx, ids...); err != nil {
		x.Fatalf("Sent %q: %v", ids, err)
	}
}

func outboxHasUnsent(t testing.TB, s events.Store) {
	x := newScene(t, s)
	ms := messages(
		x.write(events.Effect{Minted: []events.View{x.view(), x.view()}}),
		x.write(events.Effect{Minted: []events.View{x.view()}}),
	)
	eventually(x, "the outbox", ms, func() []events.Message { return x.pending() })
	x.sent(ms[1].ID)
	rest := []events.Message{ms[0], ms[2]}
	eventually(x, "the outbox without the second", rest, func() []events.Message { return x.pending() })
	x.sent(ms[1].ID, ms[0].ID, x.owner)
	eventually(x, "the outbox without the first two", ms[2:], func() []events.Message { return x.pending() })
	x.sent(ms[2].ID)
	x.sent()
	eventually(x, "the outbox at the end", nil, func() []events.Message { return x.pending() })
	equal(x, "the number of records, which stay", len(x.history(10)), 3)
}

// outboxKeepsOrder has more than ten records with the same time, so that it
// notices an outbox that sorts sequences as text.
func outboxKeepsOrder(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y := x.other()
	var mine, others []events.Message
	for range 6 {
		mine = append(mine, messages(x.write(events.Effect{Minted: []events.View{x.view(), x.view()}}))...)
		others = append(others, messages(y.write(events.Effect{}))...)
	}
	eventually(x, "one stream's messages", mine, func() []events.Message { return x.pending() })
	eventually(y, "the other stream's messages", others, func() []events.Message { return y.pending() })
	few, err := x.Pending(x.ctx, x.now.Add(time.Hour), 3)
	if err != nil || len(few) > 3 {
		t.Fatalf("Pending of at most 3: got %d, %v", len(few), err)
	}
	next := 0
	for _, m := range few {
		if m.Stream == x.stream() {
			equal(x, "the oldest messages of a stream", m, mine[next])
			next++
		}
	}
	for _, sc := range []*scene{x, y} {
		sendAll(sc, sc.history(100))
	}
}

func outboxReturnsOlder(t testing.TB, s events.Store) {
	x := newScene(t, s)
	x.now = x.now.Add(-time.Hour)
	first := messages(x.write(events.Effect{}))
	x.now = x.now.Add(time.Minute)
	second := messages(x.write(events.Effect{}))
	notice := events.Message{ID: "TokenExpiring/" + x.owner + "/1", Type: "TokenExpiring", V: 1, Time: x.now, Data: []byte("{}")}
	if err := x.Notify(x.ctx, notice); err != nil {
		t.Fatalf("Notify: %v", err)
	}
	older := func(than time.Time) func() (ids []string) {
		return func() (ids []string) {
			all, err := x.Pending(x.ctx, than, 1_000_000)
			if err != nil {
				t.Fatalf("Pending: %v", err)
			}
			for _, m := range all {
				if m.Stream == x.stream() || m.ID == notice.ID {
					ids = append(ids, m.ID)
				}
			}
			return ids
		}
	}
	eventually(x, "the outbox", 3, func() int { return len(x.pending(notice.ID)) })
	equal(x, "the messages older than the first", older(first[0].Time)(), nil)
	equal(x, "the messages older than the second", older(second[0].Time)(), []string{first[0].ID})
	equal(x, "the number of messages older than a moment later", len(older(x.now.Add(time.Microsecond))()), 3)
}

// unreadDelaysOnlyItsStream spoils the second of three records. The first one, and
// all messages of the other stream, also the later ones, are still returned.
func unreadDelaysOnlyItsStream(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	y := x.other()
	var mine, others []events.Message
	for range 3 {
		mine = append(mine, messages(x.write(events.Effect{}))...)
		others = append(others, messages(y.write(events.Effect{}))...)
		x.now = x.now.Add(time.Microsecond)
		y.now = x.now
	}
	eventually(x, "the stream's messages", mine, func() []events.Message { return x.pending() })
	eventually(y, "the other stream's messages", others, func() []events.Message { return y.pending() })
	defer putBack(t, a, a.RecordKey(x.stream(), 2))()
	a.Spoil(t, a.RecordKey(x.stream(), 2))
	all, err := x.Pending(x.ctx, x.now.Add(24*time.Hour), 1_000_000)
	if !errors.Is(err, events.ErrDamaged) {
		t.Errorf("Pending with a message that cannot be decoded: got %v, want %v", err, events.ErrDamaged)
	}
	equal(x, "the messages before the one that cannot be decoded", of(x.stream(), all), mine[:1])
	equal(x, "the messages of the other stream", of(y.stream(), all), others)
}

// of returns the messages of a stream.
func of(s events.Stream, all []events.Message) (ms []events.Message) {
	for _, m := range all {
		if m.Stream == s {
			ms = append(ms, m)
		}
	}
	return ms
}

func noticeOnce(t testing.TB, s events.Store) {
	x := newScene(t, s)
	notice := events.Message{
		ID: "TokenExpiring/" + x.owner + "/7", Type: "TokenExpiring", V: 1, Time: x.now, Subject: "JhxND7ci",
		Actor: "operator", Command: "c", TokenID: "L7k8ljIC", Data: []byte(`{"é":1}`),
	}
	notify := func(m events.Message) {
		t.Helper()
		if err := x.Notify(x.ctx, m); err != nil {
			t.Fatalf("Notify: %v", err)
		}
	}
	notify(notice)
	again := notice
	again.Time, again.Data = x.now.Add(time.Minute), []byte(`{"é":2}`)
	notify(again)
	eventually(x, "the notice", []events.Message{notice}, func() []events.Message { return x.pending(notice.ID) })
	x.sent(notice.ID)
	eventually(x, "the outbox after the notice was sent", nil, func() []events.Message { return x.pending(notice.ID) })
	notify(notice)
	next := notice
	next.ID += "/next"
	notify(next)
	eventually(x, "the outbox after the same notice and another one were put", []events.Message{next}, func() []events.Message {
		return x.pending(notice.ID, next.ID)
	})
	x.sent(next.ID)
}

// noticeOnceInRace puts one notice by many writers at the same time, as many
// processes do that see a replaced secret. No writer gets an error.
func noticeOnceInRace(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.plain(x.now)
	v.Rotated, v.OutgoingUntil = 7, x.now.Add(-time.Hour)
	notice, err := events.NewNotice(events.Reused(v, x.now), x.now)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if err := x.Notify(x.ctx, notice); err != nil {
				t.Errorf("Notify beside others with the same notice: %v", err)
			}
		})
	}
	wg.Wait()
	eventually(x, "the notice", []events.Message{notice}, func() []events.Message { return x.pending(notice.ID) })
	x.sent(notice.ID)
	eventually(x, "the outbox after the notice was sent", nil, func() []events.Message { return x.pending(notice.ID) })
}
