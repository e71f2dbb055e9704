package compare_test

import (
	"slices"
	"testing"
	"time"

	"apitoken/events"
)

// copied is a log and its copies, without the newest ones if some are missing.
func copied(l *fakeStore, missing int) (*fakeStore, *memory) {
	ms := l.messages()
	return l, newMemory(ms[:len(ms)-missing]...)
}

// trimmed is a log without its records from..to, and all copies.
func trimmed(l *fakeStore, from, to int) (*fakeStore, *memory) {
	_, mem := copied(l, 0)
	l.records = slices.Delete(l.records, from, to)
	return l, mem
}

// TestAnUnchangedLogHasNoFindings has logs that are whole, of several pages,
// with recent events that have no copies yet, without their beginning, and empty.
func TestAnUnchangedLogHasNoFindings(t *testing.T) {
	old := func(n, young int) *fakeStore {
		return newStore().add(t, n, 40*day, 30*day).add(t, young, 10*day, 30*day)
	}
	for name, c := range map[string]struct {
		make        func() (*fakeStore, *memory)
		log, copies int
	}{
		"never written":    {func() (*fakeStore, *memory) { return copied(newStore(), 0) }, 0, 0},
		"whole":            {func() (*fakeStore, *memory) { return copied(newStore().add(t, 5, time.Hour, 0), 0) }, 5, 5},
		"of several pages": {func() (*fakeStore, *memory) { return copied(newStore().add(t, 1203, time.Hour, 0), 0) }, 1203, 1203},
		"of just one page": {func() (*fakeStore, *memory) { return copied(newStore().add(t, 500, time.Hour, 0), 0) }, 500, 500},
		"ahead of its copies": {func() (*fakeStore, *memory) {
			return copied(newStore().add(t, 3, time.Hour, 0).add(t, 2, time.Minute, 0), 2)
		}, 5, 3},
		"trimmed":                       {func() (*fakeStore, *memory) { return trimmed(old(3, 2), 0, 3) }, 2, 5},
		"past retention and not yet":    {func() (*fakeStore, *memory) { return trimmed(old(3, 2), 0, 0) }, 2, 5},
		"trimmed in part, in any order": {func() (*fakeStore, *memory) { return trimmed(old(3, 2), 1, 2) }, 2, 5},
		"trimmed to nothing":            {func() (*fakeStore, *memory) { return trimmed(old(600, 0), 0, 600) }, 0, 600},
		"all of it past retention":      {func() (*fakeStore, *memory) { return trimmed(old(600, 0), 550, 560) }, 0, 600},
	} {
		l, mem := c.make()
		r := compared(t, l, mem)
		expect(t, name, r.Findings)
		if r.Log != c.log || r.Copies != c.copies || r.Stream != ann {
			t.Errorf("%s: got %d in the log and %d copies, want %d and %d", name, r.Log, r.Copies, c.log, c.copies)
		}
	}
}

// TestEveryChangeOfTheLogIsFound has the changes that a person with write
// access to the store can make.
func TestEveryChangeOfTheLogIsFound(t *testing.T) {
	var earlier events.Head                                                      // an older one, with a good seal
	rewritten := func(l *fakeStore) { *l = *newStore().add(t, 5, time.Hour, 0) } // with the peppers
	for name, c := range map[string]struct {
		change func(*fakeStore)
		want   string
	}{
		"a record":             {func(l *fakeStore) { l.records[1].Actor = "bob" }, "broken user/ann/2"},
		"its private part":     {func(l *fakeStore) { l.records[1].Private = []byte("{}") }, "broken user/ann/2"},
		"a record is cut out":  {func(l *fakeStore) { l.records = slices.Delete(l.records, 1, 2) }, "broken user/ann/3, rolled_back user/ann/2"},
		"a record is hidden":   {func(l *fakeStore) { l.records[1].KeepUntil = noon.Add(-day) }, "broken user/ann/3, rolled_back user/ann/2"},
		"the end is cut off":   {func(l *fakeStore) { l.records = l.records[:3] }, "broken user/ann/5, rolled_back user/ann/4, rolled_back user/ann/5"},
		"all is cut off":       {func(l *fakeStore) { l.records = nil }, "rolled_back user/ann/5"},
		"the head is gone":     {func(l *fakeStore) { l.head = events.Head{} }, "broken user/ann/1, broken user/ann/2, broken user/ann/3, broken user/ann/4, broken user/ann/5"},
		"everything is gone":   {func(l *fakeStore) { *l = *newStore() }, "rolled_back user/ann/1, rolled_back user/ann/2, rolled_back user/ann/3, rolled_back user/ann/4, rolled_back user/ann/5"},
		"a limit is planted":   {func(l *fakeStore) { l.head.State = []byte(`{"token_limit":1000}`) }, "unsealed user/ann/5"},
		"the head is set back": {func(l *fakeStore) { l.head = earlier }, "broken user/ann/4, broken user/ann/5"},
		"it is rewritten": {rewritten, "differs user/ann/1, differs user/ann/2, differs user/ann/3, differs user/ann/4, differs user/ann/5, " +
			"differs user/ann/5"},
	} {
		l := newStore().add(t, 3, time.Hour, 0)
		earlier = l.head
		_, mem := copied(l.add(t, 2, time.Hour, 0), 0)
		c.change(l)
		expect(t, name, ofEvents(compared(t, l, mem).Findings), split(c.want)...)
	}
}

// TestALogThatWasRolledBackCompletelyIsFound has records and head of an earlier time,
// as a restored backup has them. Every seal is good.
func TestALogThatWasRolledBackCompletelyIsFound(t *testing.T) {
	l := newStore().add(t, 3, time.Hour, 0)
	earlier := *l
	l.add(t, 2, time.Hour, 0)
	_, mem := copied(l, 0)
	expect(t, "rolled back", ofEvents(compared(t, &earlier, mem).Findings), "rolled_back user/ann/4", "rolled_back user/ann/5")
	earlier.add(t, 2, time.Minute, 0)
	expect(t, "and written again from there", ofEvents(compared(t, &earlier, mem).Findings), "differs user/ann/4", "differs user/ann/5", "differs user/ann/5")
}

func TestEveryChangeOfTheCopiesIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(mem *memory)
		want   string
	}{
		"one was never kept":    {func(mem *memory) { delete(mem.copies, "user/ann/2") }, "missing user/ann/2"},
		"none was ever kept":    {func(mem *memory) { clear(mem.copies) }, "missing user/ann/1, missing user/ann/2, missing user/ann/3"},
		"one is of another log": {func(mem *memory) { mem.copies["user/ann/2"] = newStore().add(t, 2, time.Hour, 0).messages()[1] }, "broken user/ann/2, broken user/ann/3, differs user/ann/2"},
	} {
		l, mem := copied(newStore().add(t, 3, time.Hour, 0), 0)
		c.change(mem)
		expect(t, name, ofEvents(compared(t, l, mem).Findings), split(c.want)...)
	}
	l, mem := trimmed(newStore().add(t, 3, 40*day, 30*day).add(t, 1, day, 30*day), 0, 3)
	delete(mem.copies, "user/ann/2")
	expect(t, "one that is no longer in the log", ofEvents(compared(t, l, mem).Findings), "gap user/ann/3")
}

// TestAStreamThatGrowsMeanwhileHasNoFindings writes after Compare has read the
// head, so the log and the copies have events that are newer than that head.
func TestAStreamThatGrowsMeanwhileHasNoFindings(t *testing.T) {
	l, mem := copied(newStore().add(t, 2, time.Hour, 0), 0)
	l.onHead = func() {
		l.onHead = nil
		for _, m := range l.add(t, 2, 0, 0).messages() {
			mem.copies[m.ID] = m
		}
	}
	if r := compared(t, l, mem); len(r.Findings) > 0 || r.Log != 2 || r.Copies != 2 {
		t.Errorf("got %+v", r)
	}
}

// TestARewrittenLogIsFoundByItsHeadAlone has no copies yet. A head that matches
// the new records cannot be sealed without the peppers.
func TestARewrittenLogIsFoundByItsHeadAlone(t *testing.T) {
	l := newStore().add(t, 3, time.Minute, 0)
	l.records = newStore().add(t, 3, time.Minute, 0).records
	expect(t, "rewritten", ofEvents(compared(t, l, newMemory()).Findings), "broken user/ann/3")
}
