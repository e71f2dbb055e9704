package issuer_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"apitoken/events"
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
	s.changeRate(2)
	_, old := s.create(person("ann"), "", token.Wish{Name: "n", Scopes: []string{"GET /a"}})
	s.wait(time.Hour)
	first := s.rotateOnce(s.principal(old), selfKey)
	if first.Replayed || first.LastUse.At.IsZero() || first.OutgoingUntil.Sub(s.now()) != 24*time.Hour {
		t.Errorf("the first answer: got %+v, want a new one with the last use and the end of the old secret", first)
	}
	before := s.snapshot("ann")
	s.wait(time.Minute)
	s.useStore(s.store)
	for name, shown := range map[string]secret.Token{"old": old, "new": s.parse(first.Text)} {
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

// TestAnOutgoingSecretGetsNothingElse: each row is a call with an outgoing secret
// of ann's token. All are refused as without a key, and nothing is written.
func TestAnOutgoingSecretGetsNothingElse(t *testing.T) {
	s := newScene(t)
	s.limit(50)
	_, old := s.create(person("ann"), "", token.Wish{})
	other, otherShown := s.create(person("ann"), "", token.Wish{})
	by := s.principal(old)
	key := func(value string) issuer.RequestKey { return issuer.RequestKey{Route: selfKey.Route, Value: value} }
	created := s.once(by, someKey, token.Wish{})
	byID := issuer.RequestKey{Route: "POST /v1/auth/access-tokens/{id}/rotate", Value: "the key of another's rotation"}
	if _, err := s.RotateOnce(t.Context(), by, byID, other.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	s.rotateOnce(s.principal(otherShown), key("the key of the other token")) // by its outgoing secret's owner: see below
}
