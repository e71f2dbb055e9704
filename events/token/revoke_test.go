package token

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"apitoken/events"
)

// child is the creation of a token of ann with another token of ann.
func child(id, parent string) events.Fact {
	f := owned(id, time.Time{}).(events.TokenCreated)
	f.MadeWith = parent
	return f
}

func revokedIDs(facts []events.Fact) (ids []string) {
	for _, f := range facts {
		if r, ok := f.(events.TokenRevoked); ok {
			ids = append(ids, r.TokenID)
		}
	}
	return ids
}

// TestRevokeWithChildrenEndsTheFamily: A made B and C, B made D, and E is another
// token.
func TestRevokeWithChildrenEndsTheFamily(t *testing.T) {
	family := []events.Fact{owned("A", time.Time{}), child("B", "A"), child("C", "A"), child("D", "B"), owned("E", time.Time{})}
	end := func(id string) events.Fact { return events.TokenRevoked{TokenID: id, Owner: "ann"} }
	for name, c := range map[string]struct {
		after []events.Fact // later than the creations
		id    string
		alone bool
		want  []string // none: not found
	}{
		"the first":                 {nil, "A", false, []string{"A", "D", "C", "B"}},
		"the first alone":           {nil, "A", true, []string{"A"}},
		"a child":                   {nil, "B", false, []string{"B", "D"}},
		"a token without children":  {nil, "E", false, []string{"E"}},
		"the first, after a child":  {[]events.Fact{end("B")}, "A", false, []string{"A", "D", "C"}},
		"the first, after itself":   {[]events.Fact{end("A")}, "A", false, []string{"D", "C", "B"}},
		"an ended token alone":      {[]events.Fact{end("A")}, "A", true, nil},
		"an ended one without any":  {[]events.Fact{end("E")}, "E", false, nil},
		"after the whole family":    {[]events.Fact{end("A"), end("B"), end("C"), end("D")}, "A", false, nil},
		"a child of an ended token": {[]events.Fact{end("A"), end("B")}, "B", false, []string{"D"}},
		"an unknown token":          {nil, "X", false, nil},
	} {
		s := given(noon, append(slices.Clone(family), c.after...)...)
		facts, err := Decide(s, Revoke{At: noon, By: Maker{Owner: "ann"}, ID: c.id, Owner: "ann", WithChildren: !c.alone})
		if c.want == nil {
			refusal(t, err, CodeNotFound)
		}
		if got := revokedIDs(facts); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestRevokeOfAStaleEntry(t *testing.T) {
	s := given(noon, owned("AAAAAAAA", time.Time{}))
	_, err := Decide(s, Revoke{At: noon, By: Maker{Owner: "ann"}, ID: "AAAAAAAA", Owner: "ann", IfMatch: []uint64{2}})
	refusal(t, err, CodeVersionConflict)
}

// TestAStaleEntryEndsNoChildren: the children of a token that has ended do not end
// under a condition, because the state does not have the sequence of that token.
func TestAStaleEntryEndsNoChildren(t *testing.T) {
	s := given(noon, owned("AAAAAAAA", time.Time{}), child("BBBBBBBB", "AAAAAAAA"), events.TokenRevoked{TokenID: "AAAAAAAA", Owner: "ann", Cause: events.CauseUser})
	c := Revoke{At: noon, By: Maker{Owner: "ann"}, ID: "AAAAAAAA", Owner: "ann", IfMatch: []uint64{1}, WithChildren: true}
	_, err := Decide(s, c)
	refusal(t, err, CodeVersionConflict)
	c.IfMatch = nil
	if facts, err := Decide(s, c); err != nil || len(facts) != 1 {
		t.Errorf("without a condition: got %v, %v, want the end of the child", facts, err)
	}
	_, err = Decide(given(noon, owned("AAAAAAAA", noon.Add(-1))), Revoke{At: noon, By: c.By, ID: "AAAAAAAA", Owner: "ann", IfMatch: []uint64{7}, WithChildren: true})
	refusal(t, err, CodeNotFound)
}

// TestTheLargestFamiliesEndInSteps: each step ends the first token and its
// youngest descendants, and the next step finds the others.
func TestTheLargestFamiliesEndInSteps(t *testing.T) {
	for name, parentOf := range map[string]func(i int) int{
		"a chain": func(i int) int { return i - 1 }, "a fan": func(int) int { return 0 }, "a tree": func(i int) int { return (i - 1) / 2 },
	} {
		facts := []events.Fact{owned("t00", time.Time{})}
		for i := 1; i <= 50; i++ {
			facts = append(facts, child(fmt.Sprintf("t%02d", i), fmt.Sprintf("t%02d", parentOf(i))))
		}
		s := given(noon, facts...)
		for _, want := range []int{49, 2} {
			facts, err := Decide(s, Revoke{At: noon, By: Maker{Owner: "ann"}, ID: "t00", Owner: "ann", WithChildren: true})
			if err != nil || len(facts) != want {
				t.Fatalf("%s: a step has %d facts, %v, want %d", name, len(facts), err, want)
			}
			s = commitFits(t, s, facts)
			if _, live := s.Find("t00"); live || HasChildren(s, "t00", noon) != (want == 49) {
				t.Errorf("%s: the first token lives: %v, children are left: %v", name, live, HasChildren(s, "t00", noon))
			}
		}
		if len(s.Tokens) != 0 || s.Notes != nil {
			t.Errorf("%s: %d tokens and the notes %v are left", name, len(s.Tokens), s.Notes)
		}
	}
}
