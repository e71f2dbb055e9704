package issuer_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// selfKey is the request key of a self-rotation.
var selfKey = issuer.RequestKey{Route: "POST /v1/auth/access-tokens/self/rotate", Value: "the key of a self-rotation"}

// principal is the caller that shows the token, which must pass.
func (s *scene) principal(shown secret.Token) guard.Principal {
	s.Helper()
	p, err := s.Guard().Check(s.Context(), shown, here)
	if err != nil {
		s.Fatalf("token %s does not pass: %v", shown.ID, err)
	}
	return p
}

// rotateOnce rotates the token that the caller shows.
func (s *scene) rotateOnce(by guard.Principal, key issuer.RequestKey) issuer.Minted {
	s.Helper()
	made, err := s.RotateOnce(s.Context(), by, key, by.TokenID, nil, nil)
	if err != nil {
		s.Fatalf("rotating token %s: %v", by.TokenID, err)
	}
	return made
}

// TestARepeatedSelfRotationGetsTheSameSecret: with the old secret and with the new
// one, also from another issuer on the store. It writes one record, and is neither
// counted nor refused within the 5 minutes.
func TestARepeatedSelfRotationGetsTheSameSecret(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	_, old := s.create(person("ann"), "", token.Wish{Name: "n", Scopes: []string{"GET /a"}})
	s.wait(time.Hour)
	by := s.principal(old)
	s.changeRate(1) // the store writes this after the use
	first := s.rotateOnce(by, selfKey)
	if first.Replayed || first.LastUse.At.IsZero() || first.OutgoingUntil.Sub(s.now()) != 24*time.Hour {
		t.Errorf("the first answer: got %+v, want a new one with the last use and the end of the old secret", first)
	}
	before := s.snapshot("ann")
	s.wait(time.Minute)
	s.useStore(s.store)
	for name, shown := range map[string]secret.Token{"old": old, "new": s.parse(first.Text)} {
		s.wait(time.Second)
		again := s.rotateOnce(s.principal(shown), selfKey)
		if !again.Replayed {
			t.Errorf("with the %s secret: the answer is not marked as replayed", name)
		}
		sameAnswer(t, again, first)
	}
	if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
		t.Errorf("the repeats changed the store: got %+v, want %+v", after, before)
	}
	other := issuer.RequestKey{Route: selfKey.Route, Value: "the key of another self-rotation"}
	_, err := s.RotateOnce(t.Context(), s.principal(s.parse(first.Text)), other, old.ID, nil, nil)
	if got := refusalCode(t, err); got != token.CodeRotatedRecently {
		t.Errorf("a new rotation after a minute: got %q, want %s", got, token.CodeRotatedRecently)
	}
	s.wait(4 * time.Minute)
	s.changeRate(0)
	if again, err := s.RotateOnce(t.Context(), s.principal(s.parse(first.Text)), other, old.ID, nil, nil); err != nil || again.Replayed {
		t.Errorf("after 5 minutes: got %+v, %v, want a new secret", again, err)
	}
}

// rotationKey is a request key of a self-rotation.
func rotationKey(value string) issuer.RequestKey {
	return issuer.RequestKey{Route: selfKey.Route, Value: value}
}

// byIDKey is the request key of a rotation by an id.
var byIDKey = issuer.RequestKey{Route: "POST /v1/auth/access-tokens/{id}/rotate", Value: "the key of a rotation by id"}

// TestAnOutgoingSecretGetsNothingElse: all calls but the repeat of the rotation
// that replaced it are refused as without a key, and nothing is written.
func TestAnOutgoingSecretGetsNothingElse(t *testing.T) {
	s := newScene(t)
	s.limit(50)
	_, first := s.create(person("ann"), "", token.Wish{})
	other, otherShown := s.create(person("ann"), "", token.Wish{})
	earlier := rotationKey("the key of the rotation before")
	shown := s.parse(s.rotateOnce(s.principal(first), earlier).Text)
	s.wait(time.Hour)
	s.once(s.principal(shown), someKey, token.Wish{})
	if _, err := s.RotateOnce(t.Context(), s.principal(shown), byIDKey, other.ID, nil, new(time.Hour)); err != nil {
		t.Fatal(err)
	}
	third, _ := s.create(person("ann"), "", token.Wish{})
	thirds := issuer.RequestKey{Route: byIDKey.Route, Value: "the key of a rotation of the third"}
	if _, err := s.RotateOnce(t.Context(), s.principal(shown), thirds, third.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	others := rotationKey("the key of the other token")
	otherNow, text, err := s.Rotate(t.Context(), person("ann"), other.ID, nil, new(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s.rotateOnce(s.principal(s.parse(text)), others)
	answer := s.rotateOnce(s.principal(shown), selfKey)
	by := s.principal(shown)
	if by.Credential != guard.CredentialOutgoing || s.denialOf(first) != guard.CodeInvalid || s.denialOf(otherShown) != guard.CodeInvalid || otherNow.ID != other.ID {
		t.Fatalf("got %+v, want the outgoing secret", by)
	}
	rotate := func(key issuer.RequestKey, id string, grace *time.Duration) error {
		_, err := s.RotateOnce(t.Context(), by, key, id, nil, grace)
		return err
	}
	create := func(key issuer.RequestKey) error {
		_, err := s.CreateOnce(t.Context(), by, key, "", token.Wish{})
		return err
	}
	before := s.snapshot("ann")
	for name, err := range map[string]error{
		"no key":                                rotate(issuer.RequestKey{}, by.TokenID, nil),
		"a new key":                             rotate(rotationKey("a new key of a rotation"), by.TokenID, nil),
		"the key on another route":              rotate(issuer.RequestKey{Route: byIDKey.Route, Value: selfKey.Value}, by.TokenID, nil),
		"another grace":                         rotate(selfKey, by.TokenID, new(24*time.Hour)),
		"the key for another token":             rotate(selfKey, other.ID, nil),
		"the key of the rotation before":        rotate(earlier, by.TokenID, nil),
		"the key of another token's rotation":   rotate(others, by.TokenID, nil),
		"that key for that token":               rotate(others, other.ID, nil),
		"the key of a rotation of another one":  rotate(byIDKey, other.ID, new(time.Hour)),
		"a key of its own for the third token":  rotate(thirds, third.ID, nil),
		"that key for its own token":            rotate(byIDKey, by.TokenID, new(time.Hour)),
		"the key of a create":                   rotate(someKey, by.TokenID, nil),
		"a create with the key of a create":     create(someKey),
		"a create with the key of the rotation": create(issuer.RequestKey{Route: someKey.Route, Value: selfKey.Value}),
		"a create on the route of the rotation": create(selfKey),
	} {
		if got := refusalCode(t, err); got != token.CodeDeniedByCredential {
			t.Errorf("%s: got %q, want %s", name, got, token.CodeDeniedByCredential)
		}
	}
	if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
		t.Errorf("the refused calls changed the store: got %+v, want %+v", after, before)
	}
	sameAnswer(t, s.rotateOnce(by, selfKey), answer)
}

// TestAnOutgoingSecretGetsNoAnswerAfterItsEnd: the guard denies it, and the issuer
// does too if the guard passed it a moment before.
func TestAnOutgoingSecretGetsNoAnswerAfterItsEnd(t *testing.T) {
	for name, end := range map[string]func(s *scene, id string){
		"its grace is over": func(s *scene, _ string) { s.wait(24 * time.Hour) },
		"its owner ended it": func(s *scene, id string) {
			s.update(person("ann"), id, token.Update{EndOutgoing: true})
		},
		"the token was rotated again": func(s *scene, id string) { s.rotate(person("ann"), id, nil) },
		"the token is revoked": func(s *scene, id string) {
			if err := s.Revoke(s.Context(), person("ann"), id); err != nil {
				s.Fatal(err)
			}
		},
		"the token is disabled": func(s *scene, id string) { s.update(person("ann"), id, token.Update{Enabled: new(false)}) },
		"the owner is suspended": func(s *scene, _ string) {
			s.grant("admin", settings.Actions()...)
			if _, err := s.Suspend(s.Context(), person("admin"), "ann", ""); err != nil {
				s.Fatal(err)
			}
		},
	} {
		s := newScene(t)
		_, old := s.create(person("ann"), "", token.Wish{})
		s.rotateOnce(s.principal(old), selfKey)
		by := s.principal(old)
		end(s, old.ID)
		if got := s.denialOf(old); got == "" {
			t.Errorf("%s: the outgoing secret passes", name)
		}
		before := s.snapshot("ann")
		if _, err := s.RotateOnce(t.Context(), by, selfKey, old.ID, nil, nil); refusalCode(t, err) == "" {
			t.Errorf("%s: the outgoing secret got the answer", name)
		}
		if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the refused call changed the store", name)
		}
	}
}

// TestOnlyTheTokenThatRotatedGetsTheAnswer: neither another token of the owner that
// learns the key, nor the secret that a rotation by another token replaced.
func TestOnlyTheTokenThatRotatedGetsTheAnswer(t *testing.T) {
	s := newScene(t)
	_, mine := s.create(person("ann"), "", token.Wish{})
	_, others := s.create(person("ann"), "", token.Wish{})
	answer := s.rotateOnce(s.principal(mine), selfKey)
	for _, key := range []issuer.RequestKey{selfKey, {Route: byIDKey.Route, Value: selfKey.Value}} {
		made, err := s.RotateOnce(t.Context(), s.principal(others), key, others.ID, nil, nil)
		if got := refusalCode(t, err); got == "" && (made.Replayed || made.ID == answer.ID) {
			t.Errorf("another token with the key on %s: got %+v", key.Route, plain(made))
		}
	}
	_, replaced := s.create(person("ann"), "", token.Wish{})
	_, helper := s.create(person("ann"), "", token.Wish{})
	rotated, err := s.RotateOnce(t.Context(), s.principal(helper), byIDKey, replaced.ID, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.RotateOnce(t.Context(), s.principal(replaced), byIDKey, replaced.ID, nil, nil)
	if got := refusalCode(t, err); got != token.CodeDeniedByCredential {
		t.Errorf("the secret that another token replaced: got %q, want %s", got, token.CodeDeniedByCredential)
	}
	again, err := s.RotateOnce(t.Context(), s.principal(helper), byIDKey, replaced.ID, []uint64{1}, nil)
	if err != nil || !again.Replayed {
		t.Fatalf("the token that rotated, with a stale entry: got %v", err)
	}
	sameAnswer(t, again, rotated)
}

// TestARepeatOfARotationIsCheckedAsANewCall: the acting token was narrowed, or its
// owner has lost the permission, or the token of the answer has ended or changed.
func TestARepeatOfARotationIsCheckedAsANewCall(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(s *scene, by *guard.Principal, id string)
		want   string
	}{
		{"nothing changed", func(*scene, *guard.Principal, string) {}, ""},
		{"the permission create is lost", func(s *scene, _ *guard.Principal, _ string) { s.grant("maker", settings.ActionView) }, token.CodePermissionDenied},
		{"the permission view is lost", func(s *scene, _ *guard.Principal, _ string) { s.grant("maker", settings.ActionCreate) }, token.CodeNotFound},
		{"the owner got another action", func(s *scene, _ *guard.Principal, _ string) { s.grant("ann", settings.ActionDelete) }, token.CodeDeniedByOwner},
		{"the acting token is narrower", func(_ *scene, by *guard.Principal, _ string) { by.Scopes = []string{"POST /v1/*"} }, token.CodeScopeExceeds},
		{"the acting token is outgoing", func(_ *scene, by *guard.Principal, _ string) { by.Credential = guard.CredentialOutgoing }, token.CodeDeniedByCredential},
		{"the token is revoked", func(s *scene, _ *guard.Principal, id string) {
			if err := s.Revoke(s.Context(), person("ann"), id); err != nil {
				s.Fatal(err)
			}
		}, token.CodeEnded},
		{"the token is expired", func(s *scene, _ *guard.Principal, _ string) { s.wait(10 * time.Hour) }, token.CodeEnded},
		{"the token is rotated", func(s *scene, _ *guard.Principal, id string) { s.rotate(person("ann"), id, nil) }, issuer.CodeTokenRotated},
	} {
		s := newScene(t)
		s.grant("root", settings.Actions()...)
		s.grant("maker", settings.ActionCreate, settings.ActionView)
		made, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: 10 * time.Hour})
		_, shown := s.create(person("maker"), "", token.Wish{})
		by := s.caller(shown)
		if _, err := s.RotateOnce(t.Context(), by, byIDKey, made.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		c.before(s, &by, made.ID)
		before := s.snapshot("ann")
		again, err := s.RotateOnce(t.Context(), by, byIDKey, made.ID, nil, nil)
		if got := refusalCode(t, err); got != c.want || again.Replayed != (c.want == "") {
			t.Errorf("%s: got %q, replayed %t, want %q", c.name, got, again.Replayed, c.want)
		}
		if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the repeat changed the store", c.name)
		}
	}
}

// TestARepeatWithAnotherRotationIsRefused: the key belongs to one token and grace.
func TestARepeatWithAnotherRotationIsRefused(t *testing.T) {
	s := newScene(t)
	made, _ := s.create(person("ann"), "", token.Wish{})
	other, _ := s.create(person("ann"), "", token.Wish{})
	rotate := func(id string, grace *time.Duration) string {
		_, err := s.RotateOnce(t.Context(), annsToken, byIDKey, id, nil, grace)
		return refusalCode(t, err)
	}
	if got := rotate(made.ID, new(-time.Second)); got != "invalid_field" {
		t.Errorf("a wrong grace: got %q", got)
	}
	if got := rotate(made.ID, new(time.Duration)); got != "" {
		t.Errorf("a corrected request with the key of a refused one: got %q", got)
	}
	for name, got := range map[string]string{
		"another token": rotate(other.ID, new(time.Duration)), "no grace": rotate(made.ID, nil), "another grace": rotate(made.ID, new(time.Hour)),
	} {
		if got != issuer.CodeKeyReused {
			t.Errorf("%s: got %q, want %s", name, got, issuer.CodeKeyReused)
		}
	}
	changed := &changedReplies{s.store}
	s.useStore(changed)
	_, err := s.RotateOnce(t.Context(), annsToken, byIDKey, made.ID, nil, new(time.Duration))
	wantFault(t, "a changed reply", err)
}

// TestAnExpiringTokenRotatesNothingThatOutlivesIt: also not as a repeat.
func TestAnExpiringTokenRotatesNothingThatOutlivesIt(t *testing.T) {
	s := newScene(t)
	made, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
	by := annsToken
	by.ExpiresAt = start.Add(time.Hour)
	rotate := func() string {
		_, err := s.RotateOnce(t.Context(), by, byIDKey, made.ID, nil, nil)
		return refusalCode(t, err)
	}
	if got := rotate(); got != "" {
		t.Fatalf("got %q", got)
	}
	s.update(person("ann"), made.ID, token.Update{Wish: token.Wish{ExpiresIn: 2 * time.Hour}, Given: token.Members{Expiry: true}})
	if got := rotate(); got != token.CodeExpiryOutlives {
		t.Errorf("a repeat: got %q, want %s", got, token.CodeExpiryOutlives)
	}
	by.TokenID = "L7k8ljIC"
	if got := rotate(); got != token.CodeExpiryOutlives {
		t.Errorf("a new call: got %q, want %s", got, token.CodeExpiryOutlives)
	}
}

// TestFiftyRotationsWithOneKeyMakeOneSecret: all calls begin with the old secret.
func TestFiftyRotationsWithOneKeyMakeOneSecret(t *testing.T) {
	s := newScene(t)
	_, old := s.create(person("ann"), "", token.Wish{})
	var group sync.WaitGroup
	begin := make(chan struct{})
	answers, errs := make([]issuer.Minted, 50), make([]error, 50)
	for n := range answers {
		group.Go(func() {
			<-begin
			p, err := s.Guard().Check(t.Context(), old, here)
			if err != nil {
				errs[n] = err
				return
			}
			answers[n], errs[n] = s.RotateOnce(t.Context(), p, selfKey, old.ID, nil, nil)
		})
	}
	close(begin)
	group.Wait()
	texts := map[string]bool{}
	for n, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		texts[answers[n].Text.Reveal()] = true
	}
	if records := s.checkedLog("ann"); len(texts) != 1 || len(records) != 2 || records[1].Type != "TokenRotated" {
		t.Errorf("got %d secrets and %d records, want one rotation", len(texts), len(records))
	}
}
