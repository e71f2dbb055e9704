package storetest

import (
	"errors"
	"reflect"
	"testing"

	"apitoken/events"
)

// Attacker changes the items of a store without the store, as a writer of the
// table or the file does who has no pepper. A store of Run implements it. Keys
// and members are those of the store; only the store's own Attacker reads them.
type Attacker interface {
	HeadKey(events.Stream) string
	RecordKey(events.Stream, uint64) string
	ViewKey(tokenID string) string
	ReplyKey(name string) string

	// Item returns the members of an item, nil if it is missing. PutItem writes
	// an item; without members it removes the item.
	Item(t testing.TB, key string) map[string]any
	PutItem(t testing.TB, key string, members map[string]any)

	// Spoil changes the item of a record so that the store cannot decode it.
	Spoil(t testing.TB, key string)

	// SpoilUse changes the stored use of a token so that the store cannot decode it.
	SpoilUse(t testing.TB, tokenID string)

	// SetHeadVersion changes the version in a stored head.
	SetHeadVersion(t testing.TB, s events.Stream, version uint64)
}

// AttackerOf returns the attacker of a store, and fails the test if the store has
// none.
func AttackerOf(t testing.TB, s events.Store) Attacker {
	t.Helper()
	a, ok := s.(Attacker)
	if !ok {
		t.Fatalf("%T does not implement Attacker", s)
	}
	return a
}

// putBack puts an item back as it is now, because other checks may share the
// store.
func putBack(t testing.TB, a Attacker, key string) (again func()) {
	t.Helper()
	members := a.Item(t, key)
	return func() { a.PutItem(t, key, members) }
}

func headOfVersionZeroIsAFault(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	x.write(events.Effect{})
	defer putBack(t, a, a.HeadKey(x.stream()))()
	a.SetHeadVersion(t, x.stream(), 0)
	planted := a.Item(t, a.HeadKey(x.stream()))
	expectDamagedHead(x, "a stored head of version 0")
	expectNothingWritten(x, a, planted)
}

// missingHeadIsAFault removes the head of a stream with records. Another stream
// with a longer name must not be taken for it.
func missingHeadIsAFault(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	y := *x
	y.owner += "/1"
	y.write(events.Effect{})
	equal(x, "the head of a stream without records", x.head(), events.Head{})
	x.write(events.Effect{})
	x.write(events.Effect{})
	defer putBack(t, a, a.HeadKey(x.stream()))()
	defer putBack(t, a, a.RecordKey(x.stream(), 1))()
	a.PutItem(t, a.HeadKey(x.stream()), nil)
	expectDamagedHead(x, "a missing head of a stream with two records")
	expectNothingWritten(x, a, nil)
	a.PutItem(t, a.RecordKey(x.stream(), 1), nil)
	expectDamagedHead(x, "a missing head of a stream that lost its first record")
	equal(&y, "the head of the other stream", y.head().Version, 1)
}

func expectDamagedHead(x *scene, what string) {
	x.Helper()
	if h, err := x.Head(x.ctx, x.stream()); !errors.Is(err, events.ErrDamaged) {
		x.Errorf("%s: got %v, %v, want %v", what, show(h), err, events.ErrDamaged)
	}
}

// expectNothingWritten commits as if the stream was never written. The store must
// refuse this commit, and leave the record and the head as they are.
func expectNothingWritten(x *scene, a Attacker, head map[string]any) {
	x.Helper()
	record := a.Item(x, a.RecordKey(x.stream(), 1))
	v := x.plain(x.now)
	if err := x.Commit(x.ctx, x.newCommit(events.Head{}, events.Effect{Minted: []events.View{v}})); err == nil {
		x.Errorf("a first commit to a stream with a record: got no error")
	}
	expectItem(x, a, "record 1", a.RecordKey(x.stream(), 1), record)
	expectItem(x, a, "the head", a.HeadKey(x.stream()), head)
	expectNoToken(x, v.ID)
}

func expectItem(x *scene, a Attacker, what, key string, want map[string]any) {
	x.Helper()
	if got := a.Item(x, key); !reflect.DeepEqual(got, want) {
		x.Errorf("%s was overwritten: got %v, want %v", what, got, want)
	}
}

// noRecordIsOverwritten plants a record at each number that a commit of two
// records uses.
func noRecordIsOverwritten(t testing.TB, s events.Store) {
	for _, planted := range []uint64{2, 3} {
		x, a := newScene(t, s), AttackerOf(t, s)
		first := x.write(events.Effect{})
		record := a.Item(t, a.RecordKey(x.stream(), 1))
		defer putBack(t, a, a.RecordKey(x.stream(), planted))()
		a.PutItem(t, a.RecordKey(x.stream(), planted), record)
		minted := []events.View{x.plain(x.now), x.plain(x.now)}
		expectConflict(x, x.newCommit(first.Head(), events.Effect{Minted: minted}), "a commit over a planted record")
		expectItem(x, a, "the planted record", a.RecordKey(x.stream(), planted), record)
		equal(x, "the head", x.head(), first.Head())
		expectNoToken(x, minted[0].ID)
	}
}

// listsHaveSealedViews: each view of a list can be checked, whether the list has
// the verifiers or their digests.
func listsHaveSealedViews(t testing.TB, s events.Store) {
	x := newScene(t, s)
	minted := []events.View{x.view(), x.view(), x.plain(x.now)}
	x.mint(minted...)
	q := events.Query{Owners: []string{x.owner}, Now: x.now, Limit: 10}
	eventually(x, "the number of listed views", len(minted), func() int {
		p, err := x.Tokens(x.ctx, q)
		if err != nil {
			t.Fatalf("Tokens: %v", err)
		}
		for _, v := range p.Views {
			if err := v.Check(Keys); err != nil {
				t.Errorf("a listed view: %v", err)
			}
			v.Owner = "eve"
			if v.Check(Keys) == nil {
				t.Errorf("a listed view of %s passes with another owner", v.ID)
			}
		}
		return len(p.Views)
	})
}
