package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// errorOf drops the answer of a call.
func errorOf[T any](_ T, err error) error { return err }

// TestTwoEditorsWhoSuspendEachOther at once: at least one fails, and one stays an
// editor who is not suspended. Each of them starts with no other editor.
func TestTwoEditorsWhoSuspendEachOther(t *testing.T) {
	raced := 0
	for range 30 {
		s := newScene(t)
		s.grant("one", settings.ActionEdit)
		s.grant("two", settings.ActionEdit)
		errs := atOnce(
			func() error { return errorOf(s.Suspend(t.Context(), person("one"), "two", "")) },
			func() error { return errorOf(s.Suspend(t.Context(), person("two"), "one", "")) },
		)
		codes := []string{refusalCode(t, errs[0]), refusalCode(t, errs[1])}
		if s.state("one").Suspended && s.state("two").Suspended {
			t.Fatalf("got %q, and both are suspended", codes)
		}
		for n, user := range []string{"two", "one"} {
			if want := s.state(user).Suspended; want != (codes[n] == "") {
				t.Fatalf("got %q, but %s is suspended: %v", codes, user, want)
			}
			if codes[n] != "" && codes[n] != token.CodeLastEditHolder {
				t.Fatalf("got %q, want only %s", codes, token.CodeLastEditHolder)
			}
		}
		if records(s, "one")+records(s, "two") > 1 {
			raced++
		}
	}
	t.Logf("in %d rounds both were suspended for a moment", raced)
}

// TestTwoEditorsWhoOffboardEachOther: two suspends one after the first step of one,
// and looks for an editor only after the last step of one. One of them keeps edit and
// a live token.
func TestTwoEditorsWhoOffboardEachOther(t *testing.T) {
	s := newScene(t)
	tokens := map[string]string{}
	for _, user := range []string{"one", "two"} {
		s.grant(user, settings.Actions()...)
		made, _ := s.create(person(user), "", token.Wish{})
		tokens[user] = made.ID
	}
	ready, suspend, suspended, finish := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	byTwo, byOne := &steppedStore{Store: s.store}, &steppedStore{Store: s.store}
	byTwo.around = func(step int, commit func() error) error {
		if step > 1 {
			return commit()
		}
		close(ready)
		<-suspend
		err := commit()
		close(suspended)
		<-finish
		return err
	}
	byOne.around = func(step int, commit func() error) error {
		if step == 3 { // the first end of a token; the steps before suspend the tokens and the sessions
			close(suspend)
			<-suspended
		}
		return commit()
	}
	s.useStore(byTwo)
	two := s.Issuer
	errs := make(chan error, 1)
	go func() { errs <- errorOf(two.Offboard(t.Context(), person("two"), "one", "")) }()
	<-ready
	s.useStore(byOne)
	first := errorOf(s.Offboard(t.Context(), person("one"), "two", ""))
	close(finish)
	second := <-errs
	able := 0
	for user, id := range tokens {
		if v, found := s.state(user).Find(id); found && !v.Suspended {
			able++
		}
	}
	if able != 1 || first != nil || refusalCode(t, second) != token.CodeLastEditHolder {
		t.Errorf("got %v and %v, and %d editors have a token that works; want one, and only the later call refused", first, second, able)
	}
}

// steppedStore calls around with the number of each commit, from 1.
type steppedStore struct {
	events.Store
	step   int
	around func(step int, commit func() error) error
}

func (s *steppedStore) Commit(ctx context.Context, c events.Commit) error {
	s.step++
	return s.around(s.step, func() error { return s.Store.Commit(ctx, c) })
}

func records(s *scene, user string) int { return len(s.checkedLog(user)) }

// TestAnEditorWhoLeavesWhileTheOtherIsSuspended: one gives up edit and suspends the
// other with another token at the same time. One editor is left.
func TestAnEditorWhoLeavesWhileTheOtherIsSuspended(t *testing.T) {
	for range 30 {
		s := newScene(t)
		s.grant("one", settings.ActionEdit)
		s.grant("two", settings.ActionEdit)
		errs := atOnce(
			func() error { return errorOf(s.Suspend(t.Context(), person("one"), "two", "")) },
			func() error { return errorOf(s.SetPermissions(t.Context(), person("one"), "one", nil)) },
		)
		set, err := s.Settings(t.Context(), person("one"))
		holds := err == nil && set.Holds("one", settings.ActionEdit)
		if !holds && s.state("two").Suspended {
			t.Fatalf("got %v, and no editor is left", errs)
		}
	}
}

// TestTheLastEditorKeepsEdit: another holder of edit who is suspended does not count.
func TestTheLastEditorKeepsEdit(t *testing.T) {
	s := newScene(t)
	s.grant("one", settings.Actions()...)
	s.grant("two", settings.ActionEdit)
	if _, err := s.Suspend(t.Context(), person("one"), "two", ""); err != nil {
		t.Fatal(err)
	}
	for _, actions := range [][]string{nil, {settings.ActionView}} {
		if got := refusalCode(t, errorOf(s.SetPermissions(t.Context(), person("one"), "one", actions))); got != token.CodeLastEditHolder {
			t.Errorf("giving up edit for %v: got %q, want %s", actions, got, token.CodeLastEditHolder)
		}
	}
	if _, err := s.Reinstate(t.Context(), person("one"), "two", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetPermissions(t.Context(), person("one"), "one", nil); err != nil {
		t.Errorf("with another editor: %v", err)
	}
}

// TestADamagedEditorStopsNoSuspension of another one. If no other editor is left, the
// damage is the fault: the service cannot know whether the user is suspended.
func TestADamagedEditorStopsNoSuspension(t *testing.T) {
	store := bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
	s := newScene(t)
	s.store = store
	s.useStore(store)
	for _, user := range []string{"bad", "one", "two"} {
		s.grant(user, settings.Actions()...)
		s.create(person(user), "", token.Wish{})
	}
	head := store.Item(t, store.HeadKey(events.UserStream("bad")))
	head["8"] = []byte("another seal")
	store.PutItem(t, store.HeadKey(events.UserStream("bad")), head)
	if _, err := s.Suspend(t.Context(), person("one"), "two", "a thief"); err != nil || !s.state("two").Suspended {
		t.Errorf("got %v, and the user is suspended: %v", err, s.state("two").Suspended)
	}
	if _, err := s.SetPermissions(t.Context(), person("one"), "one", nil); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("the last editor beside a damaged one: got %v, want a fault", err)
	}
	if set, err := s.Settings(t.Context(), person("one")); err != nil || !set.Holds("one", settings.ActionEdit) {
		t.Errorf("got %+v, %v, want that one holds edit", set.Holders, err)
	}
}

// TestOffboardCountsWhatItEnded in this call, and not what an earlier one ended.
func TestOffboardCountsWhatItEnded(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	if _, err := s.SetLimit(t.Context(), person("admin"), "ann", new(50)); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		s.create(person("ann"), "", token.Wish{})
	}
	for _, want := range []int{50, 0} {
		got, err := s.Offboard(t.Context(), person("admin"), "ann", "left")
		if err != nil || got.Ended != want || got.Live != 0 || !got.Suspended || got.TokenLimit != 50 || *got.OwnLimit != 50 {
			t.Errorf("got %+v, %v, want %d ended", got, err, want)
		}
	}
}

func atOnce(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var all sync.WaitGroup
	for n, call := range calls {
		all.Go(func() { <-start; errs[n] = call() })
	}
	close(start)
	all.Wait()
	return errs
}

// TestAccountsAndPermissionsOfAnotherUserTakeViewOrEdit and none for the caller.
func TestAccountsAndPermissionsOfAnotherUserTakeViewOrEdit(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	s.grant("editor", settings.ActionEdit)
	s.grant("maker", settings.ActionCreate, settings.ActionDelete)
	s.create(person("ann"), "", token.Wish{})
	for caller, want := range map[string]string{"ann": "", "viewer": "", "editor": "", "maker": token.CodePermissionDenied, "eve": token.CodePermissionDenied} {
		account, err := s.Account(t.Context(), person(caller), "ann")
		if got := refusalCode(t, err); got != want || want == "" && (account.Live != 1 || account.TokenLimit != 5 || account.OwnLimit != nil) {
			t.Errorf("the account of ann for %s: got %+v, %q, want %q", caller, account, got, want)
		}
		actions, err := s.Permissions(t.Context(), person(caller), "ann")
		if got := refusalCode(t, err); got != want || len(actions) > 0 {
			t.Errorf("the permissions of ann for %s: got %v, %q, want %q", caller, actions, got, want)
		}
	}
	if got, err := s.Permissions(t.Context(), person("ann"), "maker"); refusalCode(t, err) == "" {
		t.Errorf("got %v", fmt.Sprint(got))
	}
}
