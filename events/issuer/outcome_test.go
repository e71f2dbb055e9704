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

// TestOutcomeIsKnownBeforeTheAnswer: one command makes one token, for each outcome
// of its first write.
func TestOutcomeIsKnownBeforeTheAnswer(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			f := s.useFaulty(storetest.Once(storetest.OpCommit, fault))
			_, shown := s.create(person("ann"), "", token.Wish{})
			for _, err := range f.Land(t.Context()) {
				if !errors.Is(err, events.ErrConflict) && !errors.Is(err, events.ErrIDTaken) {
					t.Errorf("the late write got %v, want it to be too late", err)
				}
			}
			if got := s.denialOf(shown); got != "" {
				t.Errorf("the token gets %s, want it to pass", got)
			}
			if rs := s.checkedLog("ann"); len(rs) != 1 {
				t.Errorf("the log has %d records, want 1", len(rs))
			}
		})
	}
}

// TestLostWriteIsDecidedAgainAfterANewerVersion: the write was lost, and another
// command wrote a newer version. So the lost write can never be applied, and the
// command is decided again.
func TestLostWriteIsDecidedAgainAfterANewerVersion(t *testing.T) {
	s := newScene(t)
	quiet := issuer.New(issuer.Config{Store: s.store, Keys: storetest.Keys, Now: s.now})
	lost := storetest.Once(storetest.OpCommit, storetest.Unapplied)
	s.useFaulty(func(op storetest.Op) storetest.Fault {
		f := lost(op)
		if f != storetest.None {
			if _, _, err := quiet.Create(t.Context(), person("ann"), "", token.Wish{Name: "faster"}); err != nil {
				t.Error(err)
			}
		}
		return f
	})
	made, shown := s.create(person("ann"), "", token.Wish{})
	if rs := s.checkedLog("ann"); len(rs) != 2 || made.First != 2 || s.denialOf(shown) != "" {
		t.Errorf("the log has %d records, the token is number %d and gets %q; want 2, 2 and to pass", len(rs), made.First, s.denialOf(shown))
	}
}

// TestOutcomeIsFoundAfterTwoFaults: the answer of the write is lost, and the first
// search for the command in the log fails.
func TestOutcomeIsFoundAfterTwoFaults(t *testing.T) {
	s := newScene(t)
	commit, history := storetest.Once(storetest.OpCommit, storetest.Unanswered), storetest.Once(storetest.OpHistory, storetest.Unapplied)
	s.useFaulty(func(op storetest.Op) storetest.Fault { return max(commit(op), history(op)) })
	if _, shown := s.create(person("ann"), "", token.Wish{}); s.denialOf(shown) != "" || len(s.checkedLog("ann")) != 1 {
		t.Errorf("the token gets %q and the log has %d records, want it to pass and 1", s.denialOf(shown), len(s.checkedLog("ann")))
	}
}

// TestUnknownOutcomeAtTheDeadlineIsAFault: no answer is a guess.
func TestUnknownOutcomeAtTheDeadlineIsAFault(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			ctx, cancel := context.WithCancel(t.Context())
			s.useFaulty(func(op storetest.Op) storetest.Fault {
				if op != storetest.OpCommit {
					return storetest.None
				}
				cancel()
				return fault
			})
			_, text, err := s.Create(ctx, person("ann"), "", token.Wish{})
			wantFault(t, "create", err)
			if !errors.Is(err, issuer.ErrBusy) || !errors.Is(err, context.Canceled) || text.Reveal() != "" {
				t.Errorf("got %v and a secret of %d bytes, want an error that wraps ErrBusy and the context's, and no secret", err, len(text.Reveal()))
			}
		})
	}
}

func TestConflictInEachTryIsBusy(t *testing.T) {
	s := newScene(t)
	s.useStore(rejectingStore{s.store, events.ErrConflict})
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	wantFault(t, "create", err)
	if !errors.Is(err, issuer.ErrBusy) {
		t.Errorf("got %v, want it to wrap ErrBusy", err)
	}
}

// rejectingStore rejects every commit with err.
type rejectingStore struct {
	events.Store
	err error
}

func (c rejectingStore) Commit(context.Context, events.Commit) error { return c.err }

// TestTakenTokenIDMintsAnother: the random source starts with the same value as
// before, so the first minted id is in use.
func TestTakenTokenIDMintsAnother(t *testing.T) {
	s := newScene(t)
	cryptotest.SetGlobalRandom(t, 7)
	first, shown := s.create(person("ann"), "", token.Wish{})
	cryptotest.SetGlobalRandom(t, 7)
	taken := false
	s.useStore(watchedStore{s.store, func(err error) { taken = taken || errors.Is(err, events.ErrIDTaken) }})
	second, other := s.create(person("bob"), "", token.Wish{})
	if !taken || first.ID == second.ID {
		t.Fatalf("the same id was minted: %v; got %s after %s", taken, second.ID, first.ID)
	}
	if s.denialOf(shown) != "" || s.denialOf(other) != "" {
		t.Errorf("the tokens get %q and %q, want both to pass", s.denialOf(shown), s.denialOf(other))
	}
	s.checkedLog("bob")
}

func TestTakenTokenIDInEachTryIsAFault(t *testing.T) {
	s := newScene(t)
	s.useStore(rejectingStore{s.store, events.ErrIDTaken})
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	wantFault(t, "create", err)
}

// watchedStore calls onCommit with the result of each commit.
type watchedStore struct {
	events.Store
	onCommit func(error)
}

func (s watchedStore) Commit(ctx context.Context, c events.Commit) error {
	err := s.Store.Commit(ctx, c)
	s.onCommit(err)
	return err
}
