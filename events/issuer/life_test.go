package issuer_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// rotate rotates a token and returns it with its new text.
func (s *scene) rotate(by guard.Principal, id string, grace *time.Duration) secret.Token {
	s.Helper()
	_, text, err := s.Rotate(s.Context(), by, id, nil, grace)
	if err != nil {
		s.Fatalf("rotating token %s: %v", id, err)
	}
	return s.parse(text)
}

func (s *scene) update(by guard.Principal, id string, u token.Update) {
	s.Helper()
	if _, err := s.Update(s.Context(), by, id, u); err != nil {
		s.Fatalf("updating token %s: %v", id, err)
	}
}

func TestDisablingWorksOnTheNextCallAndIsReversible(t *testing.T) {
	s := newScene(t)
	made, shown := s.create(person("ann"), "", token.Wish{})
	s.update(person("ann"), made.ID, token.Update{Enabled: new(false)})
	if got := s.denialOf(shown); got != guard.CodeDisabled {
		t.Errorf("disabled: got %q, want %s", got, guard.CodeDisabled)
	}
	s.update(person("ann"), made.ID, token.Update{Enabled: new(true)})
	if got := s.denialOf(shown); got != "" {
		t.Errorf("enabled: got %q, want that it passes", got)
	}
	before := len(s.checkedLog("ann"))
	s.update(person("ann"), made.ID, token.Update{})
	if n := len(s.checkedLog("ann")); n != before {
		t.Errorf("an empty update wrote %d records", n-before)
	}
}

// TestUpdatedScopesHoldAtTheGuard: the guard reads the updated view.
func TestUpdatedScopesHoldAtTheGuard(t *testing.T) {
	s := newScene(t)
	made, shown := s.create(person("ann"), "", token.Wish{})
	s.update(person("ann"), made.ID, token.Update{Wish: token.Wish{Scopes: []string{"GET /v1/*"}, ExpiresIn: time.Hour}, Given: token.Members{Scopes: true, Expiry: true}})
	p, err := s.Guard().Check(t.Context(), shown, here)
	if err != nil || len(p.Scopes) != 1 || !p.ExpiresAt.Equal(start.Add(time.Hour)) {
		t.Errorf("got %+v, %v, want the new scopes and the new expiry", p, err)
	}
}

// TestARotationGivesANewSecretAndEndsTheOldOneLater: the outgoing secret passes
// during its grace and manages nothing. Later its use is a denial that names it.
func TestARotationGivesANewSecretAndEndsTheOldOneLater(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	made, old := s.create(person("ann"), "", token.Wish{})
	fresh := s.rotate(person("ann"), made.ID, new(time.Hour))
	if fresh.ID != made.ID || fresh.Secret.Reveal() == old.Secret.Reveal() || fresh.Prefix != "acme" {
		t.Errorf("the rotated token has the id %s and the prefix %q, want the same id and prefix, and a new secret", fresh.ID, fresh.Prefix)
	}
	p, err := s.Guard().Check(t.Context(), old, here)
	if err != nil || p.Credential != guard.CredentialOutgoing || !p.ExpiresAt.Equal(start.Add(time.Hour)) {
		t.Fatalf("the outgoing secret: got %+v, %v, want that it passes for an hour", p, err)
	}
	if p, err := s.Guard().Check(t.Context(), fresh, here); err != nil || p.Credential != guard.CredentialCurrent || !p.ExpiresAt.IsZero() {
		t.Errorf("the new secret: got %+v, %v", p, err)
	}
	_, _, create := s.Create(t.Context(), p, "", token.Wish{})
	_, _, rotate := s.Rotate(t.Context(), p, made.ID, nil, nil)
	_, update := s.Update(t.Context(), p, made.ID, token.Update{})
	for name, err := range map[string]error{"create": create, "rotate": rotate, "update": update, "revoke": s.Revoke(t.Context(), p, made.ID)} {
		if got := refusalCode(t, err); got != token.CodeDeniedByCredential {
			t.Errorf("%s with the outgoing secret: got %q, want %s", name, got, token.CodeDeniedByCredential)
		}
	}
	s.wait(time.Hour)
	if i, err := s.Guard().Inspect(t.Context(), old, here); err != nil || i.Denial == nil || i.Denial.Code != guard.CodeReplaced || i.View.ID != made.ID || !i.Outgoing {
		t.Errorf("after its grace: got %+v, %v, want %s with the token", i, err, guard.CodeReplaced)
	}
	s.rotate(person("ann"), made.ID, nil)
	if got := s.denialOf(old); got != guard.CodeInvalid {
		t.Errorf("after a second rotation: got %q, want %s", got, guard.CodeInvalid)
	}
	if got := s.denialOf(fresh); got != "" {
		t.Errorf("the new outgoing secret: got %q", got)
	}
	s.update(person("ann"), made.ID, token.Update{EndOutgoing: true})
	if got := s.denialOf(fresh); got != guard.CodeReplaced {
		t.Errorf("the outgoing secret after its end: got %q, want %s", got, guard.CodeReplaced)
	}
	s.checkedLog("ann")
}

// TestChangesOfEndedTokens have the answers of every other call.
func TestChangesOfEndedTokens(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	expired, _ := s.create(ann, "", token.Wish{ExpiresIn: time.Minute})
	revoked, _ := s.create(ann, "", token.Wish{})
	if err := s.Revoke(t.Context(), ann, revoked.ID, revoked.Seq); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Minute)
	for id, want := range map[string]string{expired.ID: token.CodeEnded, revoked.ID: token.CodeNotFoundRevoked, "00000000": token.CodeNotFound} {
		_, update := s.Update(t.Context(), ann, id, token.Update{})
		_, _, rotate := s.Rotate(t.Context(), ann, id, nil, nil)
		if got := [2]string{refusalCode(t, update), refusalCode(t, rotate)}; got != [2]string{want, want} {
			t.Errorf("update and rotate: got %q, want %s", got, want)
		}
	}
}

func TestAStaleEntryIsAConflict(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	made, _ := s.create(ann, "", token.Wish{})
	s.update(ann, made.ID, token.Update{Enabled: new(false)})
	stale := []uint64{made.Seq}
	_, update := s.Update(t.Context(), ann, made.ID, token.Update{IfMatch: stale})
	_, _, rotate := s.Rotate(t.Context(), ann, made.ID, stale, nil)
	for name, err := range map[string]error{
		"update": update, "rotate": rotate,
		"revoke": s.Revoke(t.Context(), ann, made.ID, stale...), "with children": s.RevokeWithChildren(t.Context(), ann, made.ID, stale...),
	} {
		if got := refusalCode(t, err); got != token.CodeVersionConflict {
			t.Errorf("%s: got %q, want %s", name, got, token.CodeVersionConflict)
		}
	}
}

// startThieves makes tokens with the stolen one, and with every token that it gets. The
// returned function stops it, and returns all of these tokens.
func (s *scene) startThieves(stolen secret.Token) (stop func() []secret.Token) {
	var mu sync.Mutex
	known := []secret.Token{stolen}
	pick := func() secret.Token {
		mu.Lock()
		defer mu.Unlock()
		return known[max(0, len(known)-1-rand.IntN(4))]
	}
	var thieves sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		thieves.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				p, err := s.Guard().Check(s.Context(), pick(), here)
				if err != nil {
					continue
				}
				if _, text, err := s.Create(s.Context(), p, "", token.Wish{}); err == nil {
					mu.Lock()
					known = append(known, s.parse(text))
					mu.Unlock()
				}
			}
		})
	}
	return func() []secret.Token {
		close(done)
		thieves.Wait()
		return known
	}
}

// TestSuspensionEndsWhatAThiefDoes: a thief makes tokens with every token that it
// has. After the suspension none of them passes, and none is made.
func TestSuspensionEndsWhatAThiefDoes(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	s.changeRate(0)
	s.limit(50)
	_, stolen := s.create(person("judy"), "", token.Wish{})
	stop := s.startThieves(stolen)
	if _, err := s.Suspend(t.Context(), person("admin"), "judy", "stolen laptop"); err != nil {
		t.Fatal(err)
	}
	version := s.state("judy").Version
	known := stop()
	for _, shown := range known {
		if got := s.denialOf(shown); got != guard.CodeSuspended {
			t.Errorf("token %s of the thief: got %q, want %s", shown.ID, got, guard.CodeSuspended)
		}
	}
	if now := s.state("judy").Version; now != version {
		t.Errorf("after the suspension %d records were written", now-version)
	}
	if _, err := s.Suspend(t.Context(), person("admin"), "judy", ""); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := s.Reinstate(t.Context(), person("admin"), "judy", "found"); err != nil {
		t.Fatal(err)
	}
	if got := s.denialOf(stolen); got != "" {
		t.Errorf("reinstated: got %q, want that it passes", got)
	}
	for range 2 {
		if _, err := s.Offboard(t.Context(), person("admin"), "judy", "left"); err != nil {
			t.Fatal(err)
		}
	}
	for _, shown := range known {
		if got := s.denialOf(shown); got != guard.CodeRevoked {
			t.Errorf("offboarded: got %q, want %s", got, guard.CodeRevoked)
		}
	}
	s.checkedLog("judy")
}

// TestTheLastEditorIsNotSuspended: another holder of edit who is suspended does
// not count.
func TestTheLastEditorIsNotSuspended(t *testing.T) {
	s := newScene(t)
	s.grant("one", settings.Actions()...)
	s.grant("two", settings.ActionEdit)
	if _, err := s.Suspend(t.Context(), person("two"), "one", ""); err != nil {
		t.Fatal(err)
	}
	if got := refusalCode(t, errorOf(s.Suspend(t.Context(), person("one"), "two", ""))); got != token.CodeLastEditHolder {
		t.Errorf("suspend: got %q, want %s", got, token.CodeLastEditHolder)
	}
	if got := refusalCode(t, errorOf(s.Offboard(t.Context(), person("one"), "two", ""))); got != token.CodeLastEditHolder {
		t.Errorf("offboard: got %q, want %s", got, token.CodeLastEditHolder)
	}
	if s.state("two").Suspended {
		t.Error("a refused call suspended the user")
	}
}

// TestTwoEditorsWhoRemoveEachOther at once: one fails, and one still holds edit.
func TestTwoEditorsWhoRemoveEachOther(t *testing.T) {
	s := newScene(t)
	for round := range 20 {
		one, two := fmt.Sprint("one", round), fmt.Sprint("two", round)
		s.grant(one, settings.ActionEdit)
		s.grant(two, settings.ActionEdit)
		var errs [2]error
		var both sync.WaitGroup
		both.Go(func() { _, errs[0] = s.SetPermissions(t.Context(), person(one), two, nil) })
		both.Go(func() { _, errs[1] = s.SetPermissions(t.Context(), person(two), one, nil) })
		both.Wait()
		codes := []string{refusalCode(t, errs[0]), refusalCode(t, errs[1])}
		if (codes[0] == "") == (codes[1] == "") || codes[0]+codes[1] != token.CodePermissionDenied {
			t.Fatalf("got %q, want one success and one %s", codes, token.CodePermissionDenied)
		}
	}
}

func TestRevokeWithChildrenEndsTheTokensOfAThief(t *testing.T) {
	s := newScene(t)
	first, shown := s.create(person("ann"), "", token.Wish{})
	other, otherShown := s.create(person("ann"), "", token.Wish{})
	all := []secret.Token{shown}
	for _, with := range []secret.Token{shown, shown} {
		p, err := s.Guard().Check(t.Context(), with, here)
		if err != nil {
			t.Fatal(err)
		}
		_, child := s.create(p, "", token.Wish{})
		all = append(all, child)
	}
	if err := s.Revoke(t.Context(), person("ann"), first.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := refusalCode(t, s.RevokeWithChildren(t.Context(), person("ann"), first.ID)); got != "" && got != token.CodeNotFoundRevoked {
			t.Errorf("got %q", got)
		}
	}
	for _, child := range all {
		if got := s.denialOf(child); got != guard.CodeRevoked {
			t.Errorf("a token of the family: got %q, want %s", got, guard.CodeRevoked)
		}
	}
	if got := s.denialOf(otherShown); got != "" || !other.LiveAt(s.now()) {
		t.Errorf("a token of another family: got %q, want that it passes", got)
	}
}

// TestSettingsLimitsAndTheSweep go through the issuer.
func TestSettingsLimitsAndTheSweep(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	admin := person("admin")
	set, err := s.ChangeSettings(t.Context(), admin, settings.Change{TokenLimit: new(1), RotationGrace: new(time.Minute)})
	if err != nil || set.TokenLimit != 1 || set.RotationGrace != time.Minute {
		t.Fatalf("got %+v, %v", set, err)
	}
	made, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
	if _, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{}); refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("above the new limit: got %v", err)
	}
	if _, err := s.SetLimit(t.Context(), admin, "ann", new(2)); err != nil {
		t.Fatal(err)
	}
	s.create(person("ann"), "", token.Wish{})
	if rotated, _, err := s.Rotate(t.Context(), person("ann"), made.ID, nil, nil); err != nil || !rotated.OutgoingUntil.Equal(start.Add(time.Minute)) {
		t.Errorf("the grace of the settings: got %v, %v", rotated.OutgoingUntil, err)
	}
	s.wait(time.Hour)
	for i, want := range []int{1, 0} {
		if n, err := s.Expire(t.Context(), "ann"); err != nil || n != want {
			t.Errorf("sweep %d: got %d, %v, want %d", i+1, n, err, want)
		}
	}
	stored, _, err := s.store.Token(t.Context(), made.ID)
	if err != nil || stored.Ended != events.EndedExpired || len(s.state("ann").Tokens) != 1 {
		t.Errorf("after the sweep: got %+v, %v", stored, err)
	}
	if _, err := s.Settings(t.Context(), admin); err != nil {
		t.Error(err)
	}
}

func TestBootstrapOfASuspendedUser(t *testing.T) {
	s := newScene(t)
	s.grant("mallory", settings.ActionEdit)
	s.grant("admin", settings.ActionEdit)
	_, old := s.create(person("admin"), "", token.Wish{})
	if _, err := s.Suspend(t.Context(), person("mallory"), "admin", ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Bootstrap(t.Context(), "admin", false); refusalCode(t, err) != token.CodeUserSuspended {
		t.Errorf("without replace: got %v, want %s", err, token.CodeUserSuspended)
	}
	_, text, err := s.Bootstrap(t.Context(), "admin", true)
	if err != nil {
		t.Fatal(err)
	}
	if s.denialOf(s.parse(text)) != "" || s.denialOf(old) != guard.CodeRevoked {
		t.Errorf("with replace: got %q for the new and %q for the old token", s.denialOf(s.parse(text)), s.denialOf(old))
	}
}
