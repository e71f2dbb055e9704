package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/sweep"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// TestRunsAtTheSameTimeDoNoHarm: each warning and each expiry is there once.
func TestRunsAtTheSameTimeDoNoHarm(t *testing.T) {
	s := newScene(t)
	var soon, past []issuer.Token
	for _, owner := range []string{"ann", "bob", "cy", "di"} {
		for range 5 {
			soon = append(soon, s.create(owner+"2", 107*day))
			past = append(past, s.create(owner, 100*day))
		}
	}
	for _, made := range slices.Concat(soon, past) {
		s.took(made.ID)
	}
	s.at(101 * day)
	var runs sync.WaitGroup
	for range 4 {
		runs.Go(func() {
			if _, err := s.sweep.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	for _, made := range soon {
		s.expect("a token that expires soon", made, "7")
	}
	for _, made := range past {
		s.expect("an expired token", made, "expired")
	}
}

// TestADamagedTokenStopsNoOther: each run reports the token and handles the others.
func TestADamagedTokenStopsNoOther(t *testing.T) {
	s := newScene(t)
	attacked := bolttest.OpenAttacked(t, t.TempDir()+"/apitoken.db", bolt.Options{NoSync: true})
	s.store = attacked
	s.use(attacked)
	bad, good := s.create("ann", 100*day), s.create("bob", 100*day+time.Hour)
	badHead, goodHead := s.create("cy", 50*day), s.create("di", 50*day+time.Hour)
	for _, made := range []issuer.Token{bad, good, badHead, goodHead} {
		s.took(made.ID)
	}
	members := attacked.Item(t, attacked.ViewKey(bad.ID))
	members["3"] = "another name"
	attacked.PutItem(t, attacked.ViewKey(bad.ID), members)
	head := attacked.Item(t, attacked.HeadKey(events.UserStream("cy")))
	head["8"] = []byte("another seal")
	attacked.PutItem(t, attacked.HeadKey(events.UserStream("cy")), head)
	s.use(attacked)
	s.at(71 * day)
	for range 2 {
		s.log.Reset()
		r, err := s.sweep.Run(t.Context())
		if !errors.Is(err, sweep.ErrFaults) || !errors.Is(err, events.ErrDamaged) || r.Faults != 2 {
			t.Errorf("got %+v, %v, want two faults", r, err)
		}
		for _, id := range []string{bad.ID, badHead.ID} {
			if !strings.Contains(s.log.String(), id) {
				t.Errorf("the log does not name token %s: %s", id, &s.log)
			}
		}
	}
	s.expect("the damaged token", bad)
	s.expect("the token after it", good, "30")
	s.expect("the token with a damaged head", badHead)
	s.expect("the expired token after it", goodHead, "expired")
}

// TestFaultsDoNotFillTheLog: a store that takes no notice fails for each token.
func TestFaultsDoNotFillTheLog(t *testing.T) {
	s := newScene(t)
	for n := range 120 {
		s.create(fmt.Sprint("user", n), 100*day)
	}
	s.at(95 * day)
	s.use(storetest.NewFaulty(s.store, func(op storetest.Op) storetest.Fault {
		if op == storetest.OpNotify {
			return storetest.Unapplied
		}
		return storetest.None
	}))
	r, err := s.sweep.Run(t.Context())
	if !errors.Is(err, sweep.ErrFaults) || r.Faults != 120 {
		t.Errorf("got %+v, %v, want 120 faults", r, err)
	}
	if lines := strings.Count(s.log.String(), "\n"); lines != 100 {
		t.Errorf("the run wrote %d lines for 120 faults, want 100", lines)
	}
}

// TestAFaultOfTheStoreIsCaughtUp fails each method once, in both ways.
func TestAFaultOfTheStoreIsCaughtUp(t *testing.T) {
	for _, op := range []storetest.Op{storetest.OpHead, storetest.OpToken, storetest.OpExpiring, storetest.OpNotify, storetest.OpNoteWarning} {
		for _, fault := range []storetest.Fault{storetest.Unapplied, storetest.Unanswered} {
			s := newScene(t)
			soon, past := s.create("ann", 107*day), s.create("bob", 100*day)
			s.took(soon.ID)
			s.took(past.ID)
			s.at(101 * day)
			s.use(storetest.NewFaulty(s.store, storetest.Once(op, fault)))
			if _, err := s.sweep.Run(t.Context()); !errors.Is(err, storetest.ErrFault) {
				t.Errorf("%s with fault %d: got %v", op, fault, err)
			}
			s.run()
			s.expect(string(op)+" failed, warning", soon, "7")
			s.expect(string(op)+" failed, expiry", past, "expired")
		}
	}
}

// TestAnEndedContextStopsARun, which the next run completes.
func TestAnEndedContextStopsARun(t *testing.T) {
	s := newScene(t)
	var made []issuer.Token
	for _, owner := range []string{"ann", "bob", "cy"} {
		made = append(made, s.create(owner, 107*day))
		s.took(made[len(made)-1].ID)
	}
	s.at(101 * day)
	ctx, cancel := context.WithCancel(t.Context())
	s.use(stopping{s.store, cancel})
	r, err := s.sweep.Run(ctx)
	if !errors.Is(err, context.Canceled) || errors.Is(err, sweep.ErrFaults) || r.Warned == len(made) || s.log.Len() > 0 {
		t.Errorf("got %+v, %v, %s; want only the error of the context", r, err, &s.log)
	}
	s.use(s.store)
	s.run()
	for _, m := range made {
		s.expect("after the next run", m, "7")
	}
}

// stopping ends the context with the first notice.
type stopping struct {
	events.Store
	stop func()
}

func (s stopping) Notify(ctx context.Context, m events.Message) error {
	defer s.stop()
	return s.Store.Notify(ctx, m)
}

// TestHandledTokensAreNotReadAgain: a run over tokens that were warned about reads
// the index only.
func TestHandledTokensAreNotReadAgain(t *testing.T) {
	s := newScene(t)
	made := s.create("ann", 30*day) // its warning is at the creation, and is not sent
	s.create("ann", 20*day)
	s.at(time.Hour)
	s.run()
	reads := 0
	s.use(counting{s.store, &reads})
	s.run()
	if reads != 0 {
		t.Errorf("the second run read %d views, want none", reads)
	}
	s.update(made, token.Update{Wish: token.Wish{Name: "other"}, Given: token.Members{Name: true}})
	reads = 0
	s.run()
	if reads != 1 {
		t.Errorf("after a change of one token a run read %d views, want one", reads)
	}
}

type counting struct {
	events.Store
	reads *int
}

func (c counting) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	*c.reads++
	return c.Store.Token(ctx, id)
}

// TestAnIndexThatLagsDecidesNothing: it still has the entries of a token that was
// revoked, of one with a later expiry, and of one that never was.
func TestAnIndexThatLagsDecidesNothing(t *testing.T) {
	s := newScene(t)
	revoked, moved, same := s.create("ann", 100*day), s.create("bob", 100*day), s.create("cy", 100*day)
	lags := lagging{s.store, []events.Expiring{{TokenID: "JhxND7ci", Owner: "eve", ExpiresAt: same.ExpiresAt}}}
	for _, made := range []issuer.Token{revoked, moved, same} {
		lags.entries = append(lags.entries, events.Expiring{TokenID: made.ID, Owner: made.Owner, ExpiresAt: made.ExpiresAt})
	}
	if err := s.Revoke(t.Context(), person("ann"), revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.expireAt(moved, 1000*day)
	for _, made := range []issuer.Token{revoked, moved, same} {
		s.took(made.ID)
	}
	s.use(lags)
	s.at(95 * day)
	if r := s.run(); r.Warned != 1 || r.Expired != 0 {
		t.Errorf("before the expiry: got %+v, want one warning", r)
	}
	s.at(100 * day)
	if r := s.run(); r.Expired != 1 {
		t.Errorf("at the expiry: got %+v, want one expiry", r)
	}
	s.expect("a revoked token", revoked)
	s.expect("a token with a later expiry", moved)
	s.expect("a token that did not change", same, "7", "expired")
}

// lagging is a store whose index by expiry always has the same entries.
type lagging struct {
	events.Store
	entries []events.Expiring
}

func (l lagging) Expiring(_ context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
	for _, e := range l.entries {
		if kind == "" && !e.ExpiresAt.Before(from) && e.ExpiresAt.Before(to) {
			if err := f([]events.Expiring{e}); err != nil {
				return err
			}
		}
	}
	return nil
}
