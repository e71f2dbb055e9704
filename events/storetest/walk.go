package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
)

// walk walks through all streams and returns the records of these owners. between
// runs after each stretch that is not the last.
func (x *scene) walk(limit int, between func(), owners ...*scene) (rs []events.Record) {
	x.Helper()
	var after events.Place
	for {
		st := x.stretch(after, limit)
		for _, r := range st.Records {
			for _, o := range owners {
				if r.Stream == o.stream() {
					rs = append(rs, r)
				}
			}
		}
		if !st.More {
			return rs
		}
		between()
		after = st.Next
	}
}

func (x *scene) stretch(after events.Place, limit int) events.Stretch {
	x.Helper()
	st, err := x.Walk(x.ctx, after, limit)
	if err != nil {
		x.Fatalf("Walk: %v", err)
	}
	if n := len(st.Records) + len(st.Damaged); n > limit {
		x.Fatalf("Walk returned %d records, want at most %d", n, limit)
	}
	if st.More && (st.Next == "" || st.Next == after) {
		x.Fatalf("Walk: the next stretch begins at %q, where this one began", st.Next)
	}
	return st
}

// similar returns scenes with owners whose names are close to each other, each with
// some records, a token and a reply.
func (x *scene) similar() (all []*scene) {
	x.Helper()
	for n, suffix := range []string{"", "/1", "0", "é", ":x"} {
		y := *x
		y.owner += suffix
		for range n {
			y.write(events.Effect{})
		}
		y.write(events.Effect{
			Minted: []events.View{y.plain(y.now)},
			Reply:  &events.Reply{Key: "reply of " + y.owner, Sealed: []byte("sealed"), At: y.now},
		})
		all = append(all, &y)
	}
	return all
}

// ofStreams returns the records of each stream, in their order.
func ofStreams(rs []events.Record) map[events.Stream][]events.Record {
	all := map[events.Stream][]events.Record{}
	for _, r := range rs {
		all[r.Stream] = append(all[r.Stream], r)
	}
	return all
}

func walkReturnsEachRecordOnce(t testing.TB, s events.Store) {
	x := newScene(t, s)
	scenes := x.similar()
	for _, limit := range []int{1, 2, 7, 1000} {
		rs := x.walk(limit, func() {}, scenes...)
		seen := map[events.Stream]bool{}
		for i, r := range rs {
			begins := i == 0 || rs[i-1].Stream != r.Stream
			if begins && seen[r.Stream] {
				t.Fatalf("in stretches of %d, record %s comes after the records of another stream", limit, r.ID())
			}
			seen[r.Stream] = true
		}
		for _, y := range scenes {
			equal(y, fmt.Sprintf("the records of a walk in stretches of %d", limit), ofStreams(rs)[y.stream()], y.history(100))
		}
	}
}

// walkGoesOnDuringChanges writes to all streams after each stretch, makes new
// streams, and removes the beginning of a stream.
func walkGoesOnDuringChanges(t testing.TB, s events.Store) {
	x := newScene(t, s)
	trimmed := x.other()
	for range 3 {
		trimmed.writeAt(3*time.Hour, time.Hour, events.Effect{})
	}
	trimmed.writeAt(time.Hour, 0, events.Effect{})
	scenes := append(x.similar(), trimmed)
	before := map[events.Stream][]events.Record{}
	for _, y := range scenes {
		before[y.stream()] = y.history(100)
	}
	rounds := 0
	rs := ofStreams(x.walk(3, func() {
		if rounds++; rounds > 3 {
			return // otherwise the end of the walk would run away
		}
		for _, y := range scenes {
			y.write(events.Effect{})
		}
		x.other().write(events.Effect{})
		trimmed.collect()
	}, scenes...))
	for _, y := range scenes {
		got, want := rs[y.stream()], before[y.stream()]
		if y == trimmed {
			got, want = withoutGone(got, y.now), want[3:]
		}
		if len(got) < len(want) {
			t.Fatalf("stream %s: a walk returned %d records, want the %d from before it", y.stream(), len(got), len(want))
		}
		equal(y, "the records from before the walk", got[:len(want)], want)
		if err := events.Verify(got[0].Prev, got); err != nil {
			t.Errorf("stream %s, with records from during the walk: %v", y.stream(), err)
		}
	}
}

func withoutGone(rs []events.Record, now time.Time) (kept []events.Record) {
	for _, r := range rs {
		if !r.Gone(now) {
			kept = append(kept, r)
		}
	}
	return kept
}

// walkLosesNothingBesideWriters has a writer for each stream while walks run.
func walkLosesNothingBesideWriters(t testing.TB, s events.Store) {
	const walks, writes = 3, 10
	x := newScene(t, s)
	scenes := x.similar()
	before := map[events.Stream]int{}
	for _, y := range scenes {
		before[y.stream()] = len(y.history(100))
	}
	var all sync.WaitGroup
	for _, y := range scenes {
		all.Go(func() {
			for range writes {
				c, err := y.Head(y.ctx, y.stream())
				if err == nil {
					err = y.Commit(y.ctx, y.newCommit(c, events.Effect{}))
				}
				if err != nil {
					t.Errorf("writing beside a walk: %v", err)
					return
				}
			}
		})
	}
	for range walks {
		rs := ofStreams(x.walk(4, func() {}, scenes...))
		for _, y := range scenes {
			got := rs[y.stream()]
			if len(got) < before[y.stream()] {
				t.Errorf("stream %s: a walk beside writers returned %d records, want the %d from before it", y.stream(), len(got), before[y.stream()])
			}
			if err := events.Verify(events.Hash{}, got); err != nil {
				t.Errorf("stream %s, read beside writers: %v", y.stream(), err)
			}
		}
	}
	all.Wait()
}

// walkReturnsDamaged spoils the second of three records of a stream.
func walkReturnsDamaged(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	for range 3 {
		x.write(events.Effect{})
	}
	all := x.history(10)
	defer putBack(t, a, a.RecordKey(x.stream(), 2))()
	a.Spoil(t, a.RecordKey(x.stream(), 2))
	for _, limit := range []int{1, 1000} {
		equal(x, "the records beside one that cannot be decoded", x.walk(limit, func() {}, x), append(all[:1:1], all[2]))
		var damaged []uint64
		for st, after := (events.Stretch{More: true}), events.Place(""); st.More; after = st.Next {
			st = x.stretch(after, limit)
			for _, d := range st.Damaged {
				if d.Stream == x.stream() && errors.Is(d, events.ErrDamaged) {
					damaged = append(damaged, d.Seq)
				}
			}
		}
		equal(x, "the damaged records of a walk", damaged, []uint64{2})
	}
}

func otherPlacesAreRefused(t testing.TB, s events.Store) {
	x := newScene(t, s)
	x.write(events.Effect{})
	for _, place := range []events.Place{"x", "user/ann/7", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x80", "\x05ab", events.Place(strings.Repeat("a", 5000))} {
		st, err := x.Walk(x.ctx, place, 10)
		if !errors.Is(err, events.ErrPlace) || len(st.Records) > 0 {
			t.Errorf("Walk after %.20q: got %d records and %v, want %v", place, len(st.Records), err, events.ErrPlace)
		}
	}
}
