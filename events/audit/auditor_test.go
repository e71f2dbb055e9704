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

// scene is an auditor with copies in memory and a clock.
type scene struct {
	*memory
	audit.Auditor
	now time.Time
}

func newScene() *scene {
	s := &scene{memory: newMemory(), now: noon}
	s.Auditor = audit.Auditor{Copies: s.memory, Now: func() time.Time { return s.now }}
	return s
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Context() context.Context
}

func (s *scene) take(t tester, m events.Message) []audit.Finding {
	t.Helper()
	found, err := s.Take(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (s *scene) overdue(t tester) []audit.Finding {
	t.Helper()
	found, err := s.Overdue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAnUnchangedHistoryIsKeptInEveryOrderOfArrival has repeated events, and all
// of them arrive within GracePeriod.
func TestAnUnchangedHistoryIsKeptInEveryOrderOfArrival(t *testing.T) {
	whole := history(t, 8)
	rapid.Check(t, func(t *rapid.T) {
		s := newScene()
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 0, 3, 7, 7}).Draw(t, "order") {
			s.now = s.now.Add(time.Minute)
			if found := s.take(t, whole[i]); len(found) > 0 {
				t.Fatalf("found %v", found)
			}
			if found := s.overdue(t); len(found) > 0 {
				t.Fatalf("overdue within GracePeriod: %v", found)
			}
		}
		s.now = s.now.Add(time.Hour)
		if found := s.overdue(t); len(found) > 0 || len(s.waits) > 0 {
			t.Fatalf("in the end: found %v, still awaited %v", found, s.waits)
		}
		if len(s.copies) != len(whole) || len(s.evidence) > 0 {
			t.Fatalf("%d copies and %d pieces of evidence", len(s.copies), len(s.evidence))
		}
	})
}

func TestAnEventThatDoesNotMatchItsHashIsForged(t *testing.T) {
	for name, change := range map[string]func(*events.Message){
		"actor":    func(m *events.Message) { m.Actor = "bob" },
		"data":     func(m *events.Message) { m.Data = []byte(`{"v":1}`) },
		"hash":     func(m *events.Message) { m.Hash[0] ^= 1 },
		"sequence": func(m *events.Message) { m.Seq++ },
	} {
		m := history(t, 1)[0]
		change(&m)
		s := newScene()
		expect(t, name, s.take(t, m), "forged user/ann/1")
		if len(s.copies) > 0 || len(s.evidence) != 1 {
			t.Errorf("%s: %d copies, %d pieces of evidence, want none and one", name, len(s.copies), len(s.evidence))
		}
	}
}

func TestOneIDWithTwoContentsDiffers(t *testing.T) {
	s := newScene()
	m, other := history(t, 1)[0], history(t, 1)[0]
	expect(t, "the first", s.take(t, m))
	expect(t, "the other", s.take(t, other), "differs user/ann/1")
	expect(t, "the first again", s.take(t, m))
	if s.copies[m.ID].Hash != m.Hash || len(s.evidence) != 1 || s.evidence[0].Hash != other.Hash {
		t.Errorf("kept %v, evidence %v", s.copies, s.evidence)
	}
}

// TestAnEventFromAnotherSourceIsTheSameEvent: a table that moved to a new stack
// publishes its events with a new source. The copy keeps the source that came
// first.
func TestAnEventFromAnotherSourceIsTheSameEvent(t *testing.T) {
	notice := events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: noon, Data: []byte(`{"v":1}`)}
	for _, m := range []events.Message{history(t, 1)[0], notice} {
		s := newScene()
		again := m
		m.Deployment, again.Deployment = "old", "new"
		expect(t, "the first", s.take(t, m))
		expect(t, "from another source", s.take(t, again))
		if s.copies[m.ID].Deployment != "old" || len(s.evidence) > 0 {
			t.Errorf("kept %v, evidence %v", s.copies, s.evidence)
		}
	}
}

func TestANoticeIsComparedByItsContent(t *testing.T) {
	s := newScene()
	m := events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: noon, Subject: "JhxND7ci", Data: []byte(`{"v":1}`)}
	expect(t, "a notice", s.take(t, m))
	expect(t, "the notice again", s.take(t, m))
	for name, change := range map[string]func(*events.Message){
		"data": func(m *events.Message) { m.Data = []byte(`{"v":1,"days":1}`) }, "time": func(m *events.Message) { m.Time = noon.Add(time.Microsecond) },
		"type": func(m *events.Message) { m.Type = "TokenReused" }, "subject": func(m *events.Message) { m.Subject = "00000000" },
	} {
		other := m
		change(&other)
		expect(t, "other "+name, s.take(t, other), "differs "+m.ID)
	}
}

// TestNeighboursOfTwoHistoriesAreFoundInEitherOrder mixes two histories.
func TestNeighboursOfTwoHistoriesAreFoundInEitherOrder(t *testing.T) {
	one, other := history(t, 3), history(t, 3)
	s := newScene()
	expect(t, "the first", s.take(t, one[0]))
	expect(t, "another history's event after it", s.take(t, other[1]), "broken user/ann/2")
	s = newScene()
	expect(t, "the last", s.take(t, one[2]))
	expect(t, "another history's event before it", s.take(t, other[1]), "broken user/ann/3")
	expect(t, "the event before that one", s.take(t, other[0]))
	s.now = noon.Add(time.Hour)
	expect(t, "an event that was found is not awaited", s.overdue(t))
}

func TestAFirstEventWithAPredecessorIsBroken(t *testing.T) {
	_, head := next(t, events.Head{})
	head.Version = 0 // so the next event has sequence 1 again
	m, _ := next(t, head)
	expect(t, "a first", newScene().take(t, m), "broken user/ann/1")
}

func TestAGapIsFoundAfterTheGracePeriodAndUntilItCloses(t *testing.T) {
	whole := history(t, 5)
	s := newScene()
	expect(t, "after a gap", s.take(t, whole[2]))
	s.now = noon.Add(time.Second)
	expect(t, "the same again", s.take(t, whole[2]))
	expect(t, "not after a gap", s.take(t, whole[3]))
	s.now = noon.Add(audit.GracePeriod)
	expect(t, "after 15 minutes", s.overdue(t))
	s.now = noon.Add(audit.GracePeriod + time.Minute)
	expect(t, "later", s.overdue(t), "gap user/ann/3")
	expect(t, "a second time", s.overdue(t), "gap user/ann/3")
	expect(t, "half of the missing events", s.take(t, whole[1]))
	s.now = s.now.Add(audit.GracePeriod + time.Minute)
	expect(t, "one place earlier", s.overdue(t), "gap user/ann/2")
	expect(t, "the rest", s.take(t, whole[0]))
	expect(t, "when the gap has closed", s.overdue(t))
	if len(s.waits) > 0 {
		t.Errorf("%v are still awaited", s.waits)
	}
}

func TestAnEventThatCouldNotBeKeptIsNotJudged(t *testing.T) {
	m, forged := history(t, 1)[0], history(t, 1)[0]
	forged.Actor = "bob"
	s := newScene()
	s.fails = errors.New("no table")
	for _, m := range []events.Message{m, forged} {
		if found, err := s.Take(t.Context(), m); !errors.Is(err, s.fails) || found != nil {
			t.Errorf("got %v, %v, want the fault alone", found, err)
		}
	}
	if found, err := s.Overdue(t.Context()); !errors.Is(err, s.fails) || found != nil {
		t.Errorf("got %v, %v, want the fault alone", found, err)
	}
}

// TestACopyWithAnotherMACIsEvidence: the hash does not cover the MAC, and each
// sender on the bus may send an event with a wrong MAC first.
func TestACopyWithAnotherMACIsEvidence(t *testing.T) {
	s := newScene()
	genuine := history(t, 1)[0]
	planted := genuine
	planted.MAC.MAC = make([]byte, 32)
	if found := s.take(t, planted); len(found) > 0 {
		t.Errorf("the first one: found %v", found)
	}
	if found := s.take(t, genuine); len(found) != 1 || found[0].Kind != audit.Differs {
		t.Errorf("the genuine one after it: found %v, want one %s", found, audit.Differs)
	}
}
