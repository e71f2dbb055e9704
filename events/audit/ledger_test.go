package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/audit"
)

// desk is a ledger with its shelf and a clock.
type desk struct {
	*shelf
	audit.Ledger
	now time.Time
}

func newDesk() *desk {
	d := &desk{shelf: newShelf(), now: noon}
	d.Ledger = audit.Ledger{Copies: d.shelf, Now: func() time.Time { return d.now }}
	return d
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Context() context.Context
}

func (d *desk) take(t tester, m events.Message) []audit.Finding {
	t.Helper()
	found, err := d.Take(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (d *desk) overdue(t tester) []audit.Finding {
	t.Helper()
	found, err := d.Overdue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAnHonestHistoryIsKeptWholeInWhateverOrderItArrives: with repeats, over
// the time that Patience allows.
func TestAnHonestHistoryIsKeptWholeInWhateverOrderItArrives(t *testing.T) {
	whole := history(t, 8)
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk()
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 0, 3, 7, 7}).Draw(t, "order") {
			d.now = d.now.Add(time.Minute)
			if found := d.take(t, whole[i]); len(found) > 0 {
				t.Fatalf("found %v", found)
			}
			if found := d.overdue(t); len(found) > 0 {
				t.Fatalf("overdue within Patience: %v", found)
			}
		}
		d.now = d.now.Add(time.Hour)
		if found := d.overdue(t); len(found) > 0 || len(d.waits) > 0 {
			t.Fatalf("at last %v were found and %v awaited", found, d.waits)
		}
		if len(d.copies) != len(whole) || len(d.evidence) > 0 {
			t.Fatalf("%d copies and %d pieces of evidence", len(d.copies), len(d.evidence))
		}
	})
}

func TestWhatItsHashDoesNotCoverIsForged(t *testing.T) {
	for name, change := range map[string]func(*events.Message){
		"actor": func(m *events.Message) { m.Actor = "bob" },
		"data":  func(m *events.Message) { m.Data = []byte(`{"v":1}`) },
		"hash":  func(m *events.Message) { m.Hash[0] ^= 1 },
		"place": func(m *events.Message) { m.Seq++ },
	} {
		m := history(t, 1)[0]
		change(&m)
		d := newDesk()
		expect(t, name, d.take(t, m), "forged user/ann/1")
		if len(d.copies) > 0 || len(d.evidence) != 1 {
			t.Errorf("%s: %d copies, %d pieces of evidence, want none and one", name, len(d.copies), len(d.evidence))
		}
	}
}

func TestOneIDWithTwoContentsDiffers(t *testing.T) {
	d := newDesk()
	m, other := history(t, 1)[0], history(t, 1)[0]
	expect(t, "the first", d.take(t, m))
	expect(t, "the other", d.take(t, other), "differs user/ann/1")
	expect(t, "the first again", d.take(t, m))
	if d.copies[m.ID].Hash != m.Hash || len(d.evidence) != 1 || d.evidence[0].Hash != other.Hash {
		t.Errorf("kept %v, evidence %v", d.copies, d.evidence)
	}
}

func TestANoticeIsComparedByWhatItSays(t *testing.T) {
	d := newDesk()
	m := events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: noon, Subject: "JhxND7ci", Data: []byte(`{"v":1}`)}
	expect(t, "a notice", d.take(t, m))
	expect(t, "it again", d.take(t, m))
	for name, change := range map[string]func(*events.Message){
		"data": func(m *events.Message) { m.Data = []byte(`{"v":1,"days":1}`) }, "time": func(m *events.Message) { m.Time = noon.Add(1) },
		"type": func(m *events.Message) { m.Type = "TokenReused" }, "subject": func(m *events.Message) { m.Subject = "00000000" },
	} {
		other := m
		change(&other)
		expect(t, "other "+name, d.take(t, other), "differs "+m.ID)
	}
}

// TestNeighboursThatDoNotFollowAreFoundInEitherOrder mixes two histories.
func TestNeighboursThatDoNotFollowAreFoundInEitherOrder(t *testing.T) {
	one, other := history(t, 3), history(t, 3)
	d := newDesk()
	expect(t, "the first", d.take(t, one[0]))
	expect(t, "a stranger behind it", d.take(t, other[1]), "broken user/ann/2")
	d = newDesk()
	expect(t, "the last", d.take(t, one[2]))
	expect(t, "a stranger before it", d.take(t, other[1]), "broken user/ann/3")
	expect(t, "one that fits that", d.take(t, other[0]))
	d.now = noon.Add(time.Hour)
	expect(t, "what was found is not awaited", d.overdue(t))
}

func TestAFirstEventWithAPredecessorIsBroken(t *testing.T) {
	b := new(book).add(t, 1, 0, 0)
	b.head.Version = 0 // what follows it calls itself the first
	expect(t, "a first", newDesk().take(t, b.add(t, 1, 0, 0).messages()[1]), "broken user/ann/1")
}

func TestAGapIsFoundAfterPatienceAndUntilItCloses(t *testing.T) {
	whole := history(t, 5)
	d := newDesk()
	expect(t, "behind a gap", d.take(t, whole[2]))
	d.now = noon.Add(time.Second)
	expect(t, "and again", d.take(t, whole[2]))
	expect(t, "behind no gap", d.take(t, whole[3]))
	d.now = noon.Add(audit.Patience)
	expect(t, "after 15 minutes", d.overdue(t))
	d.now = noon.Add(audit.Patience + time.Minute)
	expect(t, "later", d.overdue(t), "gap user/ann/3")
	expect(t, "as long as it is there", d.overdue(t), "gap user/ann/3")
	expect(t, "half of what is missing", d.take(t, whole[1]))
	d.now = d.now.Add(audit.Patience + time.Minute)
	expect(t, "one place earlier", d.overdue(t), "gap user/ann/2")
	expect(t, "the rest", d.take(t, whole[0]))
	expect(t, "when it has closed", d.overdue(t))
	if len(d.waits) > 0 {
		t.Errorf("%v are still awaited", d.waits)
	}
}

func TestWhatCouldNotBeKeptIsNotJudged(t *testing.T) {
	m, forged := history(t, 1)[0], history(t, 1)[0]
	forged.Actor = "bob"
	d := newDesk()
	d.fails = errors.New("no table")
	for _, m := range []events.Message{m, forged} {
		if found, err := d.Take(t.Context(), m); !errors.Is(err, d.fails) || found != nil {
			t.Errorf("got %v, %v, want the fault alone", found, err)
		}
	}
	if found, err := d.Overdue(t.Context()); !errors.Is(err, d.fails) || found != nil {
		t.Errorf("got %v, %v, want the fault alone", found, err)
	}
}
