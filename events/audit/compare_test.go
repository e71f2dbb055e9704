package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
)

const day = 24 * time.Hour

func compare(t *testing.T, b *book, s *shelf) audit.Report {
	t.Helper()
	r, err := audit.Compare(t.Context(), b, s, keys, ann, noon)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copied is a log and its copies, of which the newest may be lacking.
func copied(b *book, lacking int) (*book, *shelf) {
	ms := b.messages()
	return b, newShelf(ms[:len(ms)-lacking]...)
}

// trimmed is a log that has lost records from..to, and all its copies.
func trimmed(b *book, from, to int) (*book, *shelf) {
	_, s := copied(b, 0)
	b.records = slices.Delete(b.records, from, to)
	return b, s
}

// TestALogThatIsAsItWasCompares: whole, in pages, ahead by what is young,
// without its beginning, and never written.
func TestALogThatIsAsItWasCompares(t *testing.T) {
	old := func(n, young int) *book {
		return new(book).add(t, n, 40*day, 30*day).add(t, young, 10*day, 30*day)
	}
	for name, c := range map[string]struct {
		make        func() (*book, *shelf)
		log, copies int
	}{
		"never written":                 {func() (*book, *shelf) { return copied(new(book), 0) }, 0, 0},
		"whole":                         {func() (*book, *shelf) { return copied(new(book).add(t, 5, time.Hour, 0), 0) }, 5, 5},
		"of several pages":              {func() (*book, *shelf) { return copied(new(book).add(t, 1203, time.Hour, 0), 0) }, 1203, 1203},
		"of just one page":              {func() (*book, *shelf) { return copied(new(book).add(t, 500, time.Hour, 0), 0) }, 500, 500},
		"ahead of its copies":           {func() (*book, *shelf) { return copied(new(book).add(t, 3, time.Hour, 0).add(t, 2, time.Minute, 0), 2) }, 5, 3},
		"trimmed":                       {func() (*book, *shelf) { return trimmed(old(3, 2), 0, 3) }, 2, 5},
		"past retention and not yet":    {func() (*book, *shelf) { return trimmed(old(3, 2), 0, 0) }, 2, 5},
		"trimmed in part, in any order": {func() (*book, *shelf) { return trimmed(old(3, 2), 1, 2) }, 2, 5},
		"trimmed to nothing":            {func() (*book, *shelf) { return trimmed(old(600, 0), 0, 600) }, 0, 600},
		"all of it past retention":      {func() (*book, *shelf) { return trimmed(old(600, 0), 550, 560) }, 0, 600},
	} {
		b, s := c.make()
		r := compare(t, b, s)
		expect(t, name, r.Findings)
		if r.Log != c.log || r.Copies != c.copies || r.Stream != ann {
			t.Errorf("%s: got %d in the log and %d copies, want %d and %d", name, r.Log, r.Copies, c.log, c.copies)
		}
	}
}

// TestWhateverIsChangedInTheLogIsFound: by somebody who may write the store.
func TestWhateverIsChangedInTheLogIsFound(t *testing.T) {
	var earlier events.Head                                                // as it once stood, with a good seal
	rewritten := func(b *book) { *b = *new(book).add(t, 5, time.Hour, 0) } // by somebody with the peppers
	for name, c := range map[string]struct {
		change func(*book)
		want   string
	}{
		"a record":             {func(b *book) { b.records[1].Actor = "bob" }, "broken user/ann/2"},
		"its private part":     {func(b *book) { b.records[1].Private = []byte("{}") }, "broken user/ann/2"},
		"a record is cut out":  {func(b *book) { b.records = slices.Delete(b.records, 1, 2) }, "broken user/ann/3, rolled_back user/ann/2"},
		"a record is hidden":   {func(b *book) { b.records[1].KeepUntil = noon.Add(-day) }, "broken user/ann/3, rolled_back user/ann/2"},
		"the end is cut off":   {func(b *book) { b.records = b.records[:3] }, "broken user/ann/5, rolled_back user/ann/4, rolled_back user/ann/5"},
		"all is cut off":       {func(b *book) { b.records = nil }, "rolled_back user/ann/5"},
		"the head is gone":     {func(b *book) { b.head = events.Head{} }, "broken user/ann/1, broken user/ann/2, broken user/ann/3, broken user/ann/4, broken user/ann/5"},
		"everything is gone":   {func(b *book) { *b = book{} }, "rolled_back user/ann/1, rolled_back user/ann/2, rolled_back user/ann/3, rolled_back user/ann/4, rolled_back user/ann/5"},
		"a limit is planted":   {func(b *book) { b.head.State = []byte(`{"token_limit":1000}`) }, "unsealed user/ann/5"},
		"the head is set back": {func(b *book) { b.head = earlier }, "broken user/ann/4, broken user/ann/5"},
		"it is rewritten": {rewritten, "differs user/ann/1, differs user/ann/2, differs user/ann/3, differs user/ann/4, differs user/ann/5, " +
			"differs user/ann/5"},
	} {
		b := new(book).add(t, 3, time.Hour, 0)
		earlier = b.head
		_, s := copied(b.add(t, 2, time.Hour, 0), 0)
		c.change(b)
		expect(t, name, compare(t, b, s).Findings, split(c.want)...)
	}
}

func split(text string) []string { return strings.Split(text, ", ") }

// TestALogThatWasRolledBackWholeIsFound: records and head are those of an
// earlier time, as a restored backup has them, and every seal is good.
func TestALogThatWasRolledBackWholeIsFound(t *testing.T) {
	b := new(book).add(t, 3, time.Hour, 0)
	earlier := *b
	b.add(t, 2, time.Hour, 0)
	_, s := copied(b, 0)
	expect(t, "rolled back", compare(t, &earlier, s).Findings, "rolled_back user/ann/4", "rolled_back user/ann/5")
	earlier.add(t, 2, time.Minute, 0)
	expect(t, "and gone on from there", compare(t, &earlier, s).Findings, "differs user/ann/4", "differs user/ann/5", "differs user/ann/5")
}

func TestWhateverIsChangedAmongTheCopiesIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *shelf)
		want   string
	}{
		"one was never kept":  {func(s *shelf) { delete(s.copies, "user/ann/2") }, "missing user/ann/2"},
		"none was ever kept":  {func(s *shelf) { clear(s.copies) }, "missing user/ann/1, missing user/ann/2, missing user/ann/3"},
		"one is of elsewhere": {func(s *shelf) { s.copies["user/ann/2"] = history(t, 2)[1] }, "broken user/ann/2, broken user/ann/3, differs user/ann/2"},
	} {
		b, s := copied(new(book).add(t, 3, time.Hour, 0), 0)
		c.change(s)
		expect(t, name, compare(t, b, s).Findings, split(c.want)...)
	}
	b, s := trimmed(new(book).add(t, 3, 40*day, 30*day).add(t, 1, day, 30*day), 0, 3)
	delete(s.copies, "user/ann/2")
	expect(t, "one that the log has no more", compare(t, b, s).Findings, "gap user/ann/3")
}

// TestAStreamThatIsWrittenToMeanwhileCompares: the head is read first, and what
// lies behind it is there because the stream moved on.
func TestAStreamThatIsWrittenToMeanwhileCompares(t *testing.T) {
	b, s := copied(new(book).add(t, 2, time.Hour, 0), 0)
	b.meets = func() {
		b.meets = nil
		for _, m := range b.add(t, 2, 0, 0).messages() {
			s.copies[m.ID] = m
		}
	}
	if r := compare(t, b, s); len(r.Findings) > 0 || r.Log != 2 || r.Copies != 2 {
		t.Errorf("got %+v", r)
	}
}

// TestARewrittenLogIsFoundByItsHeadAlone: before there are copies, by somebody
// without the peppers.
func TestARewrittenLogIsFoundByItsHeadAlone(t *testing.T) {
	b := new(book).add(t, 3, time.Minute, 0)
	b.records = new(book).add(t, 3, time.Minute, 0).records
	expect(t, "rewritten", compare(t, b, newShelf()).Findings, "broken user/ann/3")
}
