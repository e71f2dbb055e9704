package issuer_test

import (
	"context"
	"errors"
	"testing"
	"testing/cryptotest"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestUnknownOutcomeIsSettledBeforeTheAnswer: one command, one token, whatever
// became of the first write.
func TestUnknownOutcomeIsSettledBeforeTheAnswer(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			f := s.faulty(storetest.Once(storetest.OpCommit, fault))
			_, shown := s.create(person("ann"), "", token.Wish{})
			for _, err := range f.Land(t.Context()) {
				if !errors.Is(err, events.ErrConflict) && !errors.Is(err, events.ErrIDTaken) {
					t.Errorf("the late write got %v, want it to be too late", err)
				}
			}
			if got := s.check(shown); got != "" {
				t.Errorf("the token gets %s, want it to pass", got)
			}
			if rs := s.log("ann"); len(rs) != 1 {
				t.Errorf("the log has %d records, want 1", len(rs))
			}
		})
	}
}

// TestOvertakenWriteIsDecidedAgain: the write was lost and somebody else moved
// the stream on, so it can never land and the command begins anew.
func TestOvertakenWriteIsDecidedAgain(t *testing.T) {
	s := newScene(t)
	quiet := issuer.New(issuer.Config{Store: s.store, Keys: storetest.Keys, Now: s.now})
	lost := storetest.Once(storetest.OpCommit, storetest.Unapplied)
	s.faulty(func(op storetest.Op) storetest.Fault {
		f := lost(op)
		if f != storetest.None {
			if _, _, err := quiet.Create(t.Context(), person("ann"), "", token.Wish{Name: "faster"}); err != nil {
				t.Error(err)
			}
		}
		return f
	})
	made, shown := s.create(person("ann"), "", token.Wish{})
	if rs := s.log("ann"); len(rs) != 2 || made.First != 2 || s.check(shown) != "" {
		t.Errorf("the log has %d records, the token is number %d and gets %q; want 2, 2 and to pass", len(rs), made.First, s.check(shown))
	}
}

// TestSettlingSurvivesTroubleOfItsOwn: the answer is lost, and so is the first
// look at whether the command landed.
func TestSettlingSurvivesTroubleOfItsOwn(t *testing.T) {
	s := newScene(t)
	commit, history := storetest.Once(storetest.OpCommit, storetest.Unanswered), storetest.Once(storetest.OpHistory, storetest.Unapplied)
	s.faulty(func(op storetest.Op) storetest.Fault { return max(commit(op), history(op)) })
	if _, shown := s.create(person("ann"), "", token.Wish{}); s.check(shown) != "" || len(s.log("ann")) != 1 {
		t.Errorf("the token gets %q and the log has %d records, want it to pass and 1", s.check(shown), len(s.log("ann")))
	}
}

// TestDeadlineBeforeTheOutcomeIsAFault: nobody is told yes or no on a guess.
func TestDeadlineBeforeTheOutcomeIsAFault(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			ctx, cancel := context.WithCancel(t.Context())
			s.faulty(func(op storetest.Op) storetest.Fault {
				if op != storetest.OpCommit {
					return storetest.None
				}
				cancel()
				return fault
			})
			_, text, err := s.Create(ctx, person("ann"), "", token.Wish{})
			trouble(t, "create", err)
			if !errors.Is(err, issuer.ErrBusy) || !errors.Is(err, context.Canceled) || text.Reveal() != "" {
				t.Errorf("got %v and a secret of %d bytes, want an error that wraps ErrBusy and the context's, and no secret", err, len(text.Reveal()))
			}
		})
	}
}

func TestStreamThatAlwaysMovesOnIsBusy(t *testing.T) {
	s := newScene(t)
	s.use(conflicting{s.store, events.ErrConflict})
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	trouble(t, "create", err)
	if !errors.Is(err, issuer.ErrBusy) {
		t.Errorf("got %v, want it to wrap ErrBusy", err)
	}
}

// conflicting refuses every commit.
type conflicting struct {
	events.Store
	err error
}

func (c conflicting) Commit(context.Context, events.Commit) error { return c.err }

// TestTakenTokenIDMintsAnother: with the same chance as before, the first id
// that is drawn is one that is in use.
func TestTakenTokenIDMintsAnother(t *testing.T) {
	s := newScene(t)
	cryptotest.SetGlobalRandom(t, 7)
	first, shown := s.create(person("ann"), "", token.Wish{})
	cryptotest.SetGlobalRandom(t, 7)
	taken := false
	s.use(watched{s.store, func(err error) { taken = taken || errors.Is(err, events.ErrIDTaken) }})
	second, other := s.create(person("bob"), "", token.Wish{})
	if !taken || first.ID == second.ID {
		t.Fatalf("the same id was drawn: %v; got %s after %s", taken, second.ID, first.ID)
	}
	if s.check(shown) != "" || s.check(other) != "" {
		t.Errorf("the tokens get %q and %q, want both to pass", s.check(shown), s.check(other))
	}
	s.log("bob")
}

func TestTokenIDsThatAreAlwaysTakenAreAFault(t *testing.T) {
	s := newScene(t)
	s.use(conflicting{s.store, events.ErrIDTaken})
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	trouble(t, "create", err)
}

// watched tells what commits were answered.
type watched struct {
	events.Store
	told func(error)
}

func (s watched) Commit(ctx context.Context, c events.Commit) error {
	err := s.Store.Commit(ctx, c)
	s.told(err)
	return err
}
