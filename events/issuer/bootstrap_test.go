package issuer_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

func (w *world) bootstrap(replace bool) (issuer.Token, secret.Token) {
	w.Helper()
	made, text, err := w.Bootstrap(w.Context(), "admin", replace)
	if err != nil {
		w.Fatal(err)
	}
	return made, w.parse(text)
}

func TestBootstrapMakesAnAdministrator(t *testing.T) {
	w := newWorld(t)
	made, shown := w.bootstrap(false)
	if made.Owner != "admin" || made.Creator != "API_OPERATOR_DOMAIN:operator" || w.check(shown) != "" {
		t.Errorf("got owner %s, creator %s, and the token gets %q", made.Owner, made.Creator, w.check(shown))
	}
	admin, err := w.Guard().Check(t.Context(), shown, here)
	if err != nil {
		t.Fatal(err)
	}
	if self, err := w.WhoAmI(t.Context(), admin); err != nil || len(self.Permissions) != len(settings.Actions()) {
		t.Errorf("got %+v %v, want every permission", self, err)
	}
	theirs, _ := w.create(admin, "ann", token.Wish{})
	if err := w.Revoke(t.Context(), admin, theirs.ID); err != nil {
		t.Error(err)
	}
	for _, s := range []events.Stream{events.SettingsStream, events.UserStream("admin")} {
		rs, err := w.store.History(t.Context(), s, 0, 10)
		if err != nil || len(rs) != 1 || rs[0].Actor != "API_OPERATOR_DOMAIN:operator" || rs[0].TokenID != "" {
			t.Errorf("stream %s: got %+v %v, want one record by the operator without a token", s, rs, err)
		}
	}
}

// TestBootstrapRunsAgain: another token beside the first, or in place of all.
func TestBootstrapRunsAgain(t *testing.T) {
	w := newWorld(t)
	_, first := w.bootstrap(false)
	_, second := w.bootstrap(false)
	if w.check(first) != "" || w.check(second) != "" {
		t.Errorf("the tokens get %q and %q, want both to pass", w.check(first), w.check(second))
	}
	_, third := w.bootstrap(true)
	for _, old := range []secret.Token{first, second} {
		if got := w.check(old); got != guard.CodeRevoked {
			t.Errorf("a replaced token gets %q, want %s", got, guard.CodeRevoked)
		}
	}
	if got := w.check(third); got != "" {
		t.Errorf("the new token gets %s, want it to pass", got)
	}
	if rs, _ := w.store.History(t.Context(), events.SettingsStream, 0, 10); len(rs) != 1 {
		t.Errorf("the settings have %d records, want the one grant", len(rs))
	}
	w.log("admin")
}

// TestBootstrapReplacesWhereTheLimitIsReached: that is when one is lost.
func TestBootstrapReplacesWhereTheLimitIsReached(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.bootstrap(false)
	}
	if _, _, err := w.Bootstrap(t.Context(), "admin", false); refusal(t, err) != token.CodeLimitReached {
		t.Errorf("got %v, want %s", err, token.CodeLimitReached)
	}
	if _, shown := w.bootstrap(true); w.check(shown) != "" || w.state("admin").Live(w.now()) != 1 {
		t.Errorf("the token gets %q beside %d, want it to pass alone", w.check(shown), w.state("admin").Live(w.now())-1)
	}
}

func TestBootstrapsAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	shown := make([]secret.Token, 4)
	for i := range shown {
		group.Go(func() { _, shown[i] = w.bootstrap(false) })
	}
	group.Wait()
	for _, s := range shown {
		if got := w.check(s); got != "" {
			t.Errorf("token %s gets %s, want it to pass", s.ID, got)
		}
	}
	if rs, _ := w.store.History(t.Context(), events.SettingsStream, 0, 10); len(rs) != 1 {
		t.Errorf("the settings have %d records, want one grant", len(rs))
	}
	w.log("admin")
}

// TestBootstrapGoesOnWhereItWasCutShort at each of its writes.
func TestBootstrapGoesOnWhereItWasCutShort(t *testing.T) {
	for lost := range 3 {
		w := newWorld(t)
		_, old := w.create(person("admin"), "", token.Wish{})
		commits := 0
		ctx, cancel := context.WithCancel(t.Context())
		w.faulty(func(op storetest.Op) storetest.Fault {
			if op != storetest.OpCommit {
				return storetest.None
			}
			if commits++; commits <= lost {
				return storetest.None
			}
			cancel()
			return storetest.Unapplied
		})
		_, _, err := w.Bootstrap(ctx, "admin", true)
		trouble(t, "bootstrap", err)
		w.use(w.store)
		_, shown := w.bootstrap(true)
		if w.check(shown) != "" || w.check(old) != guard.CodeRevoked {
			t.Errorf("after %d writes: the new token gets %q, the old one %q", lost, w.check(shown), w.check(old))
		}
		w.log("admin")
	}
}

func TestBootstrapOfWhatIsNoUserIsRefused(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.Bootstrap(t.Context(), "WORLD:x", true)
	if got := refusal(t, err); got != token.CodeInvalidField {
		t.Errorf("got %q, want %s", got, token.CodeInvalidField)
	}
	if h, err := w.store.Head(t.Context(), events.SettingsStream); err != nil || h.Version != 0 {
		t.Errorf("the settings stand at %d %v, want nothing written", h.Version, err)
	}
}

// TestRevokeAgainEndsWhatIsNamedAndNothingElse: whatever the limit says, and as
// often as it is run.
func TestRevokeAgainEndsWhatIsNamedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	back, shown := w.create(person("ann"), "", token.Wish{})
	_, kept := w.create(person("ann"), "", token.Wish{})
	theirs, other := w.create(person("bob"), "", token.Wish{})
	w.limit(0)
	named := map[string]bool{back.ID: true, theirs.ID: true, "JhxND7ci": true}
	for _, want := range [][]string{{back.ID}, nil} {
		if got, err := w.RevokeAgain(t.Context(), "ann", named); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v %v, want %v", got, err, want)
		}
	}
	if w.check(shown) != guard.CodeRevoked || w.check(kept) != "" || w.check(other) != "" {
		t.Errorf("the tokens get %q, %q and %q, want only the first revoked", w.check(shown), w.check(kept), w.check(other))
	}
	if rs := w.log("ann"); rs[len(rs)-1].Actor != "API_OPERATOR_DOMAIN:operator" {
		t.Errorf("got %+v, want the operator's", rs[len(rs)-1])
	}
}
