package compare_test

import (
	"fmt"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
)

// oldest is a log that lost its first three records by its retention, and copies that
// lost the first two: the creations of a token that ended and of one that lives.
func oldest(t *testing.T) (s *fakeStore, mem *memory) {
	t.Helper()
	s = newStore()
	then, month := noon.Add(-60*day), 30*day
	s.commit(t, then, month, created("ended001"))
	s.commit(t, then, month, created("lives001"))
	s.commit(t, then, month, events.TokenRevoked{TokenID: "ended001", Owner: "ann", Cause: events.CauseUser})
	s.commit(t, noon.Add(-time.Hour), month, created("later001"))
	mem = newMemory(s.messages()[2:]...)
	s.records = s.records[3:]
	return s, mem
}

func trimmedComparison(s *fakeStore, mem *memory) compare.Comparison {
	c := comparison(s, mem)
	c.Trimmed = true
	return c
}

// viewFindings are the findings of View about the three tokens.
func viewFindings(t *testing.T, c compare.Comparison) (found []audit.Finding) {
	t.Helper()
	for _, id := range []string{"ended001", "lives001", "later001"} {
		f, err := c.View(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return found
}

func TestCopiesMayHaveLostTheirBeginning(t *testing.T) {
	s, mem := oldest(t)
	c := trimmedComparison(s, mem)
	expect(t, "the stream", report(t, c).Findings)
	expect(t, "the views", viewFindings(t, c))
	expect(t, "the views, without peppers", viewFindings(t, without(c)))
	c.Trimmed = false
	expect(t, "the stream, if no copy may be missing", report(t, c).Findings, "gap user/ann/3")
	expect(t, "the views, if no copy may be missing", viewFindings(t, c), "uncopied_view token/ended001", "uncopied_view token/lives001")
}

// TestALostBeginningHidesNothingElse: what the head does not say needs its copy, and a
// gap later than the beginning is a gap.
func TestALostBeginningHidesNothingElse(t *testing.T) {
	for what, row := range map[string]struct {
		change func(s *fakeStore, mem *memory)
		want   []string
	}{
		"a view that was put back": {func(s *fakeStore, _ *memory) {
			v := s.views["ended001"]
			v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{}
			s.views["ended001"] = v
		}, []string{"uncopied_view token/ended001"}},
		"an older view of a token that lives": {func(s *fakeStore, _ *memory) {
			v := s.views["lives001"]
			v.Seq = 1
			s.views["lives001"] = v
		}, []string{"uncopied_view token/lives001"}},
		"a head that was changed": {func(s *fakeStore, _ *memory) { s.head.Seal.MAC = []byte("another") }, []string{"uncopied_view token/ended001", "uncopied_view token/lives001"}},
		"a head that is damaged":  {func(s *fakeStore, _ *memory) { s.damagedHead = true }, []string{"uncopied_view token/ended001", "uncopied_view token/lives001"}},
		"a copy in the middle": {func(_ *fakeStore, mem *memory) {
			for seq := range uint64(3) {
				m := mem.copies["user/ann/4"]
				m.ID, m.Seq, m.Type, m.Subject = fmt.Sprint("user/ann/", seq+1), seq+1, "TokenRevoked", "other001"
				mem.copies[m.ID] = m
			}
		}, []string{"uncopied_view token/ended001", "uncopied_view token/lives001"}},
	} {
		s, mem := oldest(t)
		row.change(s, mem)
		expect(t, what, viewFindings(t, trimmedComparison(s, mem)), row.want...)
	}
	s, mem := oldest(t)
	s.commit(t, noon.Add(-50*time.Minute), 30*day, created("fifth001"))
	s.commit(t, noon.Add(-40*time.Minute), 30*day, created("sixth001"))
	for _, m := range s.messages() {
		mem.copies[m.ID] = m
	}
	delete(mem.copies, "user/ann/5")
	expect(t, "a gap", ofEvents(report(t, trimmedComparison(s, mem)).Findings), "missing user/ann/5")
	s, mem = oldest(t)
	for _, m := range newStore().add(t, 1, 60*day, 30*day).messages() {
		mem.copies[m.ID] = m
	}
	expect(t, "a gap after the first copy", ofEvents(report(t, trimmedComparison(s, mem)).Findings), "gap user/ann/3")
}
