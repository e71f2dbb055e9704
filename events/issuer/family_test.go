package issuer_test

import (
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
)

// TestRevokeWithChildrenObeysIfMatch in all its steps: the first commit changes the
// sequence of the token. A family of 50 needs two steps.
func TestRevokeWithChildrenObeysIfMatch(t *testing.T) {
	s := newScene(t)
	s.limit(50)
	s.changeRate(0)
	first, _ := s.create(person("ann"), "", token.Wish{})
	with := guard.Principal{Owner: "ann", TokenID: first.ID}
	end := func(ifMatch ...uint64) string {
		return refusalCode(t, s.RevokeWithChildren(t.Context(), person("ann"), first.ID, ifMatch...))
	}
	for range 49 {
		s.create(with, "", token.Wish{})
	}
	if got := end(first.Seq + 1); got != token.CodeVersionConflict {
		t.Fatalf("with another sequence: got %q", got)
	}
	if got := end(first.Seq); got != "" {
		t.Fatalf("with its sequence: got %q", got)
	}
	page, err := s.List(t.Context(), person("ann"), issuer.ListQuery{Owners: []string{"ann"}})
	if err != nil || len(page.Tokens) != 0 {
		t.Errorf("got %d live tokens, %v, want none", len(page.Tokens), err)
	}
}

// TestIfMatchOfAnEndedTokenIsItsLastSequence: a client reads it with the entry.
func TestIfMatchOfAnEndedTokenIsItsLastSequence(t *testing.T) {
	s := newScene(t)
	first, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
	_, child := s.create(guard.Principal{Owner: "ann", TokenID: first.ID}, "", token.Wish{})
	s.wait(time.Hour)
	for _, c := range []struct {
		seq  uint64
		want string
	}{{first.Seq + 1, token.CodeVersionConflict}, {first.Seq, ""}} {
		if got := refusalCode(t, s.RevokeWithChildren(t.Context(), person("ann"), first.ID, c.seq)); got != c.want {
			t.Errorf("with the sequence %d: got %q, want %q", c.seq, got, c.want)
		}
	}
	if got := s.denialOf(child); got != guard.CodeRevoked {
		t.Errorf("the child: got %q, want %s", got, guard.CodeRevoked)
	}
}
