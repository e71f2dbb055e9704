package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"apitoken/events"
)

// longHistoriesAreComplete makes more records than any page has, and more than
// the 1 MB after which a DynamoDB query stops.
func longHistoriesAreComplete(t testing.TB, s events.Store) {
	const commits, facts = 34, 90
	x := newScene(t, s)
	var want []events.Record
	var last events.Commit
	base := events.Head{}
	for range commits {
		var fs []events.Fact
		for range facts {
			fs = append(fs, events.TokenCreated{TokenID: newID(), Owner: x.owner, Description: strings.Repeat("d", 300)})
		}
		last = x.newCommitOf(base, fs, []byte("{}"), events.Effect{})
		x.commit(last)
		base = last.Head()
		want = append(want, last.Records()...)
	}
	bytes := 0
	for _, r := range want {
		bytes += len(r.Public) + len(r.Private)
	}
	if len(want) < 3000 || bytes < 1<<20 {
		t.Fatalf("the history has only %d records and %d bytes, so this check shows nothing", len(want), bytes)
	}
	for _, page := range []int{10_000, len(want), len(want) - 1, 999} {
		got := x.history(page)
		equal(x, fmt.Sprintf("the number of records by pages of %d", page), len(got), len(want))
		equal(x, fmt.Sprintf("the history by pages of %d", page), got, want)
	}
	for _, after := range []uint64{1, 1500, uint64(len(want)) - 1, uint64(len(want)), uint64(len(want)) + 1} {
		rs, err := x.History(x.ctx, x.stream(), after, 2)
		if err != nil {
			t.Fatalf("History after %d: %v", after, err)
		}
		from := min(int(after), len(want))
		equal(x, fmt.Sprintf("two records after %d", after), rs, want[from:min(from+2, len(want))])
	}
	if ok, err := events.Landed(x.ctx, x, x.stream(), 0, last.Command()); err != nil || !ok {
		t.Errorf("Landed over a long history: got %v, %v, want true", ok, err)
	}
	sendAll(x, want)
}

// sendAll removes a check's messages from the outbox, because other checks may
// share the store.
func sendAll(x *scene, rs []events.Record) {
	x.Helper()
	var ids []string
	for _, r := range rs {
		ids = append(ids, r.ID())
	}
	if err := x.Sent(x.ctx, ids...); err != nil {
		x.Fatalf("Sent of %d messages: %v", len(ids), err)
	}
	eventually(x, "the outbox", 0, func() int { return len(x.pending()) })
}

func unansweredIsRecognised(t testing.TB, s events.Store) {
	x := newScene(t, NewFaulty(s, Once(OpCommit, Unanswered)))
	c := x.newCommit(events.Head{}, events.Effect{Minted: []events.View{x.view()}})
	expectFault(x, c)
	expectLanded(x, c, true)
	expectStored(x, c)
	expectConflict(x, c, "the same commit again")
}

func unappliedIsRecognised(t testing.TB, s events.Store) {
	x := newScene(t, NewFaulty(s, Once(OpCommit, Unapplied)))
	c := x.newCommit(events.Head{}, events.Effect{Minted: []events.View{x.view()}})
	expectFault(x, c)
	expectLanded(x, c, false)
	x.commit(c)
	expectLanded(x, c, true)
}

func lateIsRecognised(t testing.TB, s events.Store) {
	faulty := NewFaulty(s, Once(OpCommit, Late))
	x := newScene(t, faulty)
	c := x.newCommit(events.Head{}, events.Effect{Minted: []events.View{x.view()}})
	expectFault(x, c)
	expectLanded(x, c, false)
	equal(x, "the answers to the late writes", faulty.Land(x.ctx), []error{nil})
	expectLanded(x, c, true)
	expectStored(x, c)
}

func lateDoesNotOvertake(t testing.TB, s events.Store) {
	faulty := NewFaulty(s, Once(OpCommit, Late))
	x := newScene(t, faulty)
	v := x.view()
	late := x.newCommit(events.Head{}, events.Effect{Minted: []events.View{v}})
	expectFault(x, late)
	next := x.write(events.Effect{})
	if errs := faulty.Land(x.ctx); len(errs) != 1 || !errors.Is(errs[0], events.ErrConflict) {
		t.Errorf("a late commit on a stream with a newer version: got %v, want %v", errs, events.ErrConflict)
	}
	expectLanded(x, late, false)
	expectStored(x, next)
	expectNoToken(x, v.ID)
}

func expectFault(x *scene, c events.Commit) {
	x.Helper()
	if err := x.Commit(x.ctx, c); !errors.Is(err, ErrFault) {
		x.Fatalf("Commit: got %v, want %v", err, ErrFault)
	}
}

func expectLanded(x *scene, c events.Commit, want bool) {
	x.Helper()
	got, err := events.Landed(x.ctx, x, c.Stream(), c.Base(), c.Command())
	if err != nil || got != want {
		x.Errorf("Landed: got %v, %v, want %v", got, err, want)
	}
}
