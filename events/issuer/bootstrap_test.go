package issuer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

func (s *scene) bootstrap(replace bool) (issuer.Token, secret.Token) {
	s.Helper()
	made, text, err := s.Bootstrap(s.Context(), "admin", replace)
	if err != nil {
		s.Fatal(err)
	}
	return made, s.parse(text)
}

func TestBootstrapMakesAnAdministrator(t *testing.T) {
	s := newScene(t)
	made, shown := s.bootstrap(false)
	if made.Owner != "admin" || made.Creator != "API_OPERATOR_DOMAIN:operator" || s.denialOf(shown) != "" {
		t.Errorf("got owner %s, creator %s, and the token gets %q", made.Owner, made.Creator, s.denialOf(shown))
	}
	admin, err := s.Guard().Check(t.Context(), shown, here)
	if err != nil {
		t.Fatal(err)
	}
	if self, err := s.WhoAmI(t.Context(), admin); err != nil || len(self.Permissions) != len(settings.Actions()) {
		t.Errorf("got %+v %v, want every permission", self, err)
	}
	theirs, _ := s.create(admin, "ann", token.Wish{})
	if err := s.Revoke(t.Context(), admin, theirs.ID); err != nil {
		t.Error(err)
	}
	for _, stream := range []events.Stream{events.SettingsStream, events.UserStream("admin")} {
		rs, err := s.store.History(t.Context(), stream, 0, 10)
		if err != nil || len(rs) != 1 || rs[0].Actor != "API_OPERATOR_DOMAIN:operator" || rs[0].TokenID != "" {
			t.Errorf("stream %s: got %+v %v, want one record by the operator without a token", stream, rs, err)
		}
	}
}

// TestRevokeAgainEndsATokenThatItsHeadDoesNotHave: only the view was put back.
func TestRevokeAgainEndsATokenThatItsHeadDoesNotHave(t *testing.T) {
	s := newScene(t)
	store := bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
	s.store = store
	s.useStore(store)
	ann := person("ann")
	made, shown := s.create(ann, "", token.Wish{})
	kept, keptToken := s.create(ann, "", token.Wish{})
	live := store.Item(t, store.ViewKey(made.ID))
	if err := s.Revoke(t.Context(), ann, made.ID); err != nil {
		t.Fatal(err)
	}
	store.PutItem(t, store.ViewKey(made.ID), live)
	ids, err := s.RevokeAgain(t.Context(), "ann", map[string]bool{made.ID: true, "unknown1": true})
	if err != nil || !slices.Equal(ids, []string{made.ID}) {
		t.Errorf("got %v, %v, want the token that was put back", ids, err)
	}
	if s.denialOf(shown) != guard.CodeRevoked || s.denialOf(keptToken) != "" {
		t.Errorf("the tokens get %q and %q, want only the first revoked", s.denialOf(shown), s.denialOf(keptToken))
	}
	if ids, err = s.RevokeAgain(t.Context(), "bob", map[string]bool{kept.ID: true}); err != nil || len(ids) > 0 || s.denialOf(keptToken) != "" {
		t.Errorf("for another owner: got %v, %v, want none", ids, err)
	}
}

// TestBootstrapEndsTokensThatWerePutBack: replace must leave the administrator no
// other token, also if the head does not have it. A damaged view does not stop it.
func TestBootstrapEndsTokensThatWerePutBack(t *testing.T) {
	s := newScene(t)
	store := bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
	s.store = store
	s.useStore(store)
	_, kept := s.create(person("ann"), "", token.Wish{})
	var back []secret.Token
	for n := range 7 { // more than the token limit
		made, shown := s.bootstrap(false)
		live := store.Item(t, store.ViewKey(made.ID))
		if err := s.Revoke(t.Context(), person("admin"), made.ID); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			live["3"] = "another name"
		}
		store.PutItem(t, store.ViewKey(made.ID), live)
		if n > 0 {
			back = append(back, shown)
		}
	}
	if s.denialOf(back[0]) != "" {
		t.Fatal("a view that was put back does not pass, so this test shows nothing")
	}
	_, shown := s.bootstrap(true)
	for _, old := range back {
		if got := s.denialOf(old); got != guard.CodeRevoked {
			t.Errorf("a token that was put back gets %q, want %s", got, guard.CodeRevoked)
		}
	}
	if s.denialOf(shown) != "" || s.denialOf(kept) != "" {
		t.Errorf("the new token gets %q and ann's %q, want both to pass", s.denialOf(shown), s.denialOf(kept))
	}
	s.checkedLog("admin")
}

// TestBootstrapMayRunAgain: it adds a token, or it replaces all tokens.
func TestBootstrapMayRunAgain(t *testing.T) {
	s := newScene(t)
	_, first := s.bootstrap(false)
	_, second := s.bootstrap(false)
	if s.denialOf(first) != "" || s.denialOf(second) != "" {
		t.Errorf("the tokens get %q and %q, want both to pass", s.denialOf(first), s.denialOf(second))
	}
	_, third := s.bootstrap(true)
	for _, old := range []secret.Token{first, second} {
		if got := s.denialOf(old); got != guard.CodeRevoked {
			t.Errorf("a replaced token gets %q, want %s", got, guard.CodeRevoked)
		}
	}
	if got := s.denialOf(third); got != "" {
		t.Errorf("the new token gets %s, want it to pass", got)
	}
	if rs, _ := s.store.History(t.Context(), events.SettingsStream, 0, 10); len(rs) != 1 {
		t.Errorf("the settings have %d records, want the one grant", len(rs))
	}
	s.checkedLog("admin")
}

// TestBootstrapFindsAPlaceAtEveryLimit: an administrator may have lost the last
// allowed token, and an attacker may have lowered the limit.
func TestBootstrapFindsAPlaceAtEveryLimit(t *testing.T) {
	s := newScene(t)
	s.limit(0)
	for range token.MaxTokenLimit + 1 {
		s.bootstrap(false)
	}
	if _, _, err := s.Bootstrap(t.Context(), "admin", false); refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("got %v, want %s", err, token.CodeLimitReached)
	}
	if _, shown := s.bootstrap(true); s.denialOf(shown) != "" || s.state("admin").Live(s.now()) != 1 {
		t.Errorf("the token gets %q beside %d, want it to pass alone", s.denialOf(shown), s.state("admin").Live(s.now())-1)
	}
}

// TestNoSettingStopsBootstrap: a holder of edit may have set a maximum lifetime of a
// second, and may have given permissions to as many users as may have some. Then only
// the operator can help, and the new token must live until its owner can use it.
func TestNoSettingStopsBootstrap(t *testing.T) {
	s := newScene(t)
	for n := range settings.MaxHolders {
		s.grant(fmt.Sprint("user", n), settings.ActionEdit)
	}
	second := time.Second
	s.changeSettings(settings.Change{Expiration: &second})
	_, shown := s.bootstrap(false)
	s.wait(time.Hour - time.Second)
	if code := s.denialOf(shown); code != "" {
		t.Fatalf("the token gets %q before its hour has passed", code)
	}
	var never time.Duration
	if _, err := s.ChangeSettings(t.Context(), person("admin"), settings.Change{Expiration: &never}); err != nil {
		t.Errorf("changing the setting: got %v", err)
	}
}

// TestBootstrapIgnoresTheChangeRate: an attacker with a token of an administrator
// can use up the rate, and must not stop the operator. The operator's tokens do not
// count for the user's rate.
func TestBootstrapIgnoresTheChangeRate(t *testing.T) {
	s := newScene(t)
	s.changeRate(3)
	s.bootstrap(false)
	for range 3 {
		s.createAndRevoke("admin")
	}
	if _, _, err := s.Create(t.Context(), person("admin"), "", token.Wish{}); refusalCode(t, err) != token.CodeRateExceeded {
		t.Errorf("got %v, want %s", err, token.CodeRateExceeded)
	}
	for range 4 {
		if _, shown := s.bootstrap(true); s.denialOf(shown) != "" {
			t.Errorf("the operator's token gets %s, want it to pass", s.denialOf(shown))
		}
	}
	if _, err := s.RevokeAgain(t.Context(), "admin", map[string]bool{}); err != nil {
		t.Error(err)
	}
	s.checkedLog("admin")
}

// TestReplaceEndsWhatAThiefDoes: a thief makes tokens with each token of the
// administrator all the time. After a bootstrap with replace none of them passes.
func TestReplaceEndsWhatAThiefDoes(t *testing.T) {
	for range 5 {
		s := newScene(t)
		s.changeRate(0)
		s.limit(50)
		_, stolen := s.bootstrap(false)
		stop := s.startThieves(stolen)
		_, shown := s.bootstrap(true)
		for _, theirs := range stop() {
			if got := s.denialOf(theirs); got != guard.CodeRevoked {
				t.Errorf("token %s of the thief: got %q, want %s", theirs.ID, got, guard.CodeRevoked)
			}
		}
		if got := s.denialOf(shown); got != "" || s.state("admin").Live(s.now()) != 1 {
			t.Errorf("the new token gets %q beside %d, want it to pass alone", got, s.state("admin").Live(s.now())-1)
		}
		s.checkedLog("admin")
	}
}

func TestConcurrentBootstrapsAllSucceed(t *testing.T) {
	s := newScene(t)
	var group sync.WaitGroup
	shown := make([]secret.Token, 4)
	for i := range shown {
		group.Go(func() { _, shown[i] = s.bootstrap(false) })
	}
	group.Wait()
	for _, made := range shown {
		if got := s.denialOf(made); got != "" {
			t.Errorf("token %s gets %s, want it to pass", made.ID, got)
		}
	}
	if rs, _ := s.store.History(t.Context(), events.SettingsStream, 0, 10); len(rs) != 1 {
		t.Errorf("the settings have %d records, want one grant", len(rs))
	}
	s.checkedLog("admin")
}

// TestBootstrapCompletesAfterAnInterruption: it fails at each of its writes and
// then runs again.
func TestBootstrapCompletesAfterAnInterruption(t *testing.T) {
	for succeed := range 5 { // suspend, revoke, grant, reinstate, create
		s := newScene(t)
		_, old := s.create(person("admin"), "", token.Wish{})
		commits := 0
		ctx, cancel := context.WithCancel(t.Context())
		s.useFaulty(func(op storetest.Op) storetest.Fault {
			if op != storetest.OpCommit {
				return storetest.None
			}
			if commits++; commits <= succeed {
				return storetest.None
			}
			cancel()
			return storetest.Unapplied
		})
		_, _, err := s.Bootstrap(ctx, "admin", true)
		wantFault(t, "bootstrap", err)
		if commits != succeed+1 {
			t.Errorf("it failed at write %d, want %d", commits, succeed+1)
		}
		s.useStore(s.store)
		_, shown := s.bootstrap(true)
		if s.denialOf(shown) != "" || s.denialOf(old) != guard.CodeRevoked {
			t.Errorf("after %d writes: the new token gets %q, the old one %q", succeed, s.denialOf(shown), s.denialOf(old))
		}
		s.checkedLog("admin")
	}
}

func TestBootstrapRefusesAnInvalidOwner(t *testing.T) {
	s := newScene(t)
	_, _, err := s.Bootstrap(t.Context(), "WORLD:x", true)
	if got := refusalCode(t, err); got != token.CodeInvalidField {
		t.Errorf("got %q, want %s", got, token.CodeInvalidField)
	}
	if h, err := s.store.Head(t.Context(), events.SettingsStream); err != nil || h.Version != 0 {
		t.Errorf("the settings have version %d %v, want nothing written", h.Version, err)
	}
}

// TestRevokeAgainRevokesOnlyTheNamedTokens, at every limit and in every run.
func TestRevokeAgainRevokesOnlyTheNamedTokens(t *testing.T) {
	s := newScene(t)
	back, shown := s.create(person("ann"), "", token.Wish{})
	_, kept := s.create(person("ann"), "", token.Wish{})
	theirs, other := s.create(person("bob"), "", token.Wish{})
	s.limit(0)
	named := map[string]bool{back.ID: true, theirs.ID: true, "JhxND7ci": true}
	for _, want := range [][]string{{back.ID}, nil} {
		if got, err := s.RevokeAgain(t.Context(), "ann", named); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v %v, want %v", got, err, want)
		}
	}
	if s.denialOf(shown) != guard.CodeRevoked || s.denialOf(kept) != "" || s.denialOf(other) != "" {
		t.Errorf("the tokens get %q, %q and %q, want only the first revoked", s.denialOf(shown), s.denialOf(kept), s.denialOf(other))
	}
	if rs := s.checkedLog("ann"); rs[len(rs)-1].Actor != "API_OPERATOR_DOMAIN:operator" {
		t.Errorf("got %+v, want a record by the operator", rs[len(rs)-1])
	}
}
