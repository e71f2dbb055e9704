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
			w := newWorld(t)
			f := w.faulty(storetest.Once(storetest.OpCommit, fault))
			_, shown := w.create(person("ann"), "", token.Wish{})
			for _, err := range f.Land(t.Context()) {
				if !errors.Is(err, events.ErrConflict) && !errors.Is(err, events.ErrIDTaken) {
					t.Errorf("the late write got %v, want it to be too late", err)
				}
			}
			if got := w.check(shown); got != "" {
				t.Errorf("the token gets %s, want it to pass", got)
			}
			if rs := w.log("ann"); len(rs) != 1 {
				t.Errorf("the log has %d records, want 1", len(rs))
			}
		})
	}
}

// TestOvertakenWriteIsDecidedAgain: the write was lost and somebody else moved
// the stream on, so it can never land and the command begins anew.
func TestOvertakenWriteIsDecidedAgain(t *testing.T) {
	w := newWorld(t)
	quiet := issuer.New(issuer.Config{Store: w.store, Keys: storetest.Keys, Now: w.now})
	lost := storetest.Once(storetest.OpCommit, storetest.Unapplied)
	w.faulty(func(op storetest.Op) storetest.Fault {
		f := lost(op)
		if f != storetest.None {
			if _, _, err := quiet.Create(t.Context(), person("ann"), "", token.Wish{Name: "faster"}); err != nil {
				t.Error(err)
			}
		}
		return f
	})
	made, shown := w.create(person("ann"), "", token.Wish{})
	if rs := w.log("ann"); len(rs) != 2 || made.First != 2 || w.check(shown) != "" {
		t.Errorf("the log has %d records, the token is number %d and gets %q; want 2, 2 and to pass", len(rs), made.First, w.check(shown))
	}
}

// TestSettlingSurvivesTroubleOfItsOwn: the answer is lost, and so is the first
// look at whether the command landed.
func TestSettlingSurvivesTroubleOfItsOwn(t *testing.T) {
	w := newWorld(t)
	commit, history := storetest.Once(storetest.OpCommit, storetest.Unanswered), storetest.Once(storetest.OpHistory, storetest.Unapplied)
	w.faulty(func(op storetest.Op) storetest.Fault { return max(commit(op), history(op)) })
	if _, shown := w.create(person("ann"), "", token.Wish{}); w.check(shown) != "" || len(w.log("ann")) != 1 {
		t.Errorf("the token gets %q and the log has %d records, want it to pass and 1", w.check(shown), len(w.log("ann")))
	}
}

// TestDeadlineBeforeTheOutcomeIsAFault: nobody is told yes or no on a guess.
func TestDeadlineBeforeTheOutcomeIsAFault(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			w.faulty(func(op storetest.Op) storetest.Fault {
				if op != storetest.OpCommit {
					return storetest.None
				}
				cancel()
				return fault
			})
			_, text, err := w.Create(ctx, person("ann"), "", token.Wish{})
			trouble(t, "create", err)
			if !errors.Is(err, issuer.ErrBusy) || !errors.Is(err, context.Canceled) || text.Reveal() != "" {
				t.Errorf("got %v and a secret of %d bytes, want an error that wraps ErrBusy and the context's, and no secret", err, len(text.Reveal()))
			}
		})
	}
}

func TestStreamThatAlwaysMovesOnIsBusy(t *testing.T) {
	w := newWorld(t)
	w.use(conflicting{w.store, events.ErrConflict})
	_, _, err := w.Create(t.Context(), person("ann"), "", token.Wish{})
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
	w := newWorld(t)
	cryptotest.SetGlobalRandom(t, 7)
	first, shown := w.create(person("ann"), "", token.Wish{})
	cryptotest.SetGlobalRandom(t, 7)
	taken := false
	w.use(watched{w.store, func(err error) { taken = taken || errors.Is(err, events.ErrIDTaken) }})
	second, other := w.create(person("bob"), "", token.Wish{})
	if !taken || first.ID == second.ID {
		t.Fatalf("the same id was drawn: %v; got %s after %s", taken, second.ID, first.ID)
	}
	if w.check(shown) != "" || w.check(other) != "" {
		t.Errorf("the tokens get %q and %q, want both to pass", w.check(shown), w.check(other))
	}
	w.log("bob")
}

func TestTokenIDsThatAreAlwaysTakenAreAFault(t *testing.T) {
	w := newWorld(t)
	w.use(conflicting{w.store, events.ErrIDTaken})
	_, _, err := w.Create(t.Context(), person("ann"), "", token.Wish{})
	trouble(t, "create", err)
}

// watched tells what commits were answered.
type watched struct {
	events.Store
	told func(error)
}

func (w watched) Commit(ctx context.Context, c events.Commit) error {
	err := w.Store.Commit(ctx, c)
	w.told(err)
	return err
}
