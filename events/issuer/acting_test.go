package issuer_test

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// TestACallThatBeganBeforeTheActingTokenLostItsPowerChangesNothing: the guard has
// accepted the secret, and then another call ended, disabled or rotated the token.
// Without this rule a revocation with children leaves a child, and a thief takes a
// rotated token back.
func TestACallThatBeganBeforeTheActingTokenLostItsPowerChangesNothing(t *testing.T) {
	for name, lose := range map[string]func(s *scene, id string) error{
		"revoked with children": func(s *scene, id string) error { return s.RevokeWithChildren(s.Context(), person("admin"), id) },
		"revoked":               func(s *scene, id string) error { return s.Revoke(s.Context(), person("ann"), id) },
		"disabled": func(s *scene, id string) error {
			s.update(person("ann"), id, token.Update{Enabled: new(false)})
			return nil
		},
		"rotated by another token": func(s *scene, id string) error { s.rotate(person("ann"), id, nil); return nil },
		"rotated without a grace":  func(s *scene, id string) error { s.rotate(person("ann"), id, new(time.Duration)); return nil },
		"expired":                  func(s *scene, _ string) error { s.wait(24 * time.Hour); return nil },
	} {
		s := newScene(t)
		s.grant("admin", settings.Actions()...)
		other, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: 12 * time.Hour})
		mine, text := s.create(person("ann"), "", token.Wish{ExpiresIn: 24 * time.Hour})
		by := s.principal(text)
		if by.Kind != guard.KindToken {
			t.Fatalf("the guard returned %+v", by)
		}
		if err := lose(s, mine.ID); err != nil {
			t.Fatal(err)
		}
		before := s.snapshot("ann")
		for verb, call := range map[string]func() error{
			"create":         func() error { _, _, err := s.Create(t.Context(), by, "", token.Wish{ExpiresIn: time.Hour}); return err },
			"rotate itself":  func() error { _, _, err := s.Rotate(t.Context(), by, mine.ID, nil, nil); return err },
			"rotate another": func() error { _, _, err := s.Rotate(t.Context(), by, other.ID, nil, nil); return err },
			"update": func() error {
				_, err := s.Update(t.Context(), by, mine.ID, token.Update{Wish: token.Wish{Name: "x"}, Given: token.Members{Name: true}})
				return err
			},
		} {
			if refusalCode(t, call()) == "" {
				t.Errorf("%s, %s: was done", name, verb)
			}
		}
		if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the refused calls changed the store", name)
		}
	}
}

// TestAnOutgoingSecretEndsNowAlsoAfterTheClockWasFast: the time of the stream is in
// the future then, and the guard's clock is right.
func TestAnOutgoingSecretEndsNowAlsoAfterTheClockWasFast(t *testing.T) {
	for name, end := range map[string]func(s *scene, id string){
		"a rotation without a grace": func(s *scene, id string) { s.rotate(person("ann"), id, new(time.Duration)) },
		"an update": func(s *scene, id string) {
			s.rotate(person("ann"), id, nil)
			s.update(person("ann"), id, token.Update{EndOutgoing: true})
		},
		"an update of a short grace": func(s *scene, id string) {
			s.rotate(person("ann"), id, new(time.Hour))
			s.update(person("ann"), id, token.Update{EndOutgoing: true})
		},
		"the end of a grace": func(s *scene, id string) {
			s.rotate(person("ann"), id, new(time.Hour))
			s.wait(time.Hour)
		},
	} {
		s := newScene(t)
		made, old := s.create(person("ann"), "", token.Wish{})
		s.wait(48 * time.Hour)
		s.create(person("ann"), "", token.Wish{}) // the clock is fast
		s.wait(-48 * time.Hour)
		end(s, made.ID)
		if got := s.denialOf(old); got != guard.CodeReplaced {
			t.Errorf("%s: the secret before gets %q, want %s", name, got, guard.CodeReplaced)
		}
		s.checkedLog("ann")
	}
}
