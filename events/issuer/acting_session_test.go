package issuer_test

import (
	"errors"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
)

// TestASessionThatEndedMeanwhileManagesNoTokens: the guard has checked the session before
// it ended, and the command comes after.
func TestASessionThatEndedMeanwhileManagesNoTokens(t *testing.T) {
	calls := map[string]func(*scene, guard.Principal, string) error{
		"create": func(s *scene, by guard.Principal, _ string) error {
			_, _, err := s.Create(t.Context(), by, "", token.Wish{})
			return err
		},
		"create with a key": func(s *scene, by guard.Principal, _ string) error {
			_, err := s.CreateOnce(t.Context(), by, issuer.RequestKey{Route: "create", Value: "k"}, "", token.Wish{})
			return err
		},
		"rotate": func(s *scene, by guard.Principal, id string) error {
			_, _, err := s.Rotate(t.Context(), by, id, nil, nil)
			return err
		},
		"update": func(s *scene, by guard.Principal, id string) error {
			_, err := s.Update(t.Context(), by, id, token.Update{Enabled: new(false)})
			return err
		},
	}
	ends := map[string]func(*scene, guard.Principal, string, secret.Token){
		"it is closed": func(s *scene, session guard.Principal, _ string, _ secret.Token) {
			if err := s.Revoke(t.Context(), person(session.Owner), session.TokenID); err != nil {
				t.Fatal(err)
			}
		},
		"its token is rotated": func(s *scene, _ guard.Principal, id string, shown secret.Token) {
			if _, _, err := s.Rotate(t.Context(), s.caller(shown), id, nil, nil); err != nil {
				t.Fatal(err)
			}
		},
	}
	for call, do := range calls {
		for end, ends := range ends {
			t.Run(call+", "+end, func(t *testing.T) {
				s := newScene(t)
				made, shown := s.create(person("ann"), "ann", token.Wish{})
				_, session, _ := s.openWith(shown)
				ends(s, session, made.ID, shown)
				before := len(s.checkedLog("ann"))
				err := do(s, session, made.ID)
				if r, refused := errors.AsType[*events.Refusal](err); !refused || r.Code != token.CodeDeniedByCredential {
					t.Errorf("got %v, want a refusal with %s", err, token.CodeDeniedByCredential)
				}
				if after := len(s.checkedLog("ann")); after != before {
					t.Errorf("the call wrote %d records", after-before)
				}
			})
		}
	}
}

// TestASessionRotatesNoTokenThatGotANewSecret: a rotation has written the new secret, and
// not yet the end of the sessions. A session of the old secret must not replace it. The
// session that rotates its token goes on.
func TestASessionRotatesNoTokenThatGotANewSecret(t *testing.T) {
	s := newScene(t)
	made, shown := s.create(person("ann"), "ann", token.Wish{})
	_, stolen, text := s.openWith(shown)
	s.loseSecondWrite(func() error {
		_, _, err := s.Rotate(t.Context(), s.caller(shown), made.ID, nil, nil)
		return err
	})
	if s.denialOf(text) != "" {
		t.Fatal("the session ended with the first write")
	}
	_, _, err := s.Rotate(t.Context(), stolen, made.ID, nil, nil)
	if r, refused := errors.AsType[*events.Refusal](err); !refused || r.Code != token.CodeDeniedByCredential {
		t.Errorf("got %v, want a refusal with %s", err, token.CodeDeniedByCredential)
	}
	next, other := s.create(person("ann"), "ann", token.Wish{})
	s.wait(time.Second)
	_, session, _ := s.openWith(other)
	s.wait(time.Second)
	for range 2 {
		if _, _, err := s.Rotate(t.Context(), session, next.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoClockDecidesWhichSecretOpenedASession: the machine that opens a session is an hour
// fast or slow against the one that rotates its token.
func TestNoClockDecidesWhichSecretOpenedASession(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		s := newScene(t)
		made, shown := s.create(person("ann"), "", token.Wish{})
		other, _ := s.create(person("ann"), "", token.Wish{})
		by := s.caller(shown)
		s.wait(skew)
		_, stolen, stolenText := s.openWith(shown)
		s.wait(-skew)
		s.loseSecondWrite(func() error { return errorOf(s.RotateOnce(t.Context(), by, byIDKey, made.ID, nil, nil)) })
		if got := refusalCode(t, errorOf(s.Update(t.Context(), stolen, other.ID, token.Update{Enabled: new(false)}))); got != token.CodeDeniedByCredential {
			t.Errorf("%v: a session of the old secret got %q", skew, got)
		}
		again, err := s.RotateOnce(t.Context(), s.caller(shown), byIDKey, made.ID, nil, nil)
		if err != nil || !again.Replayed {
			t.Fatalf("%v: got %+v, %v, want the lost answer", skew, again, err)
		}
		if got := s.denialOf(stolenText); got != guard.CodeRevoked {
			t.Errorf("%v: after the answer the session of the old secret gets %q", skew, got)
		}
		s.wait(skew)
		_, session, text := s.openWith(s.parse(again.Text))
		s.wait(-skew)
		if err := errorOf(s.Update(t.Context(), session, other.ID, token.Update{Enabled: new(false)})); err != nil {
			t.Errorf("%v: a session of the new secret got %v", skew, err)
		}
		if _, err := s.RotateOnce(t.Context(), s.caller(shown), byIDKey, made.ID, nil, nil); err != nil || s.denialOf(text) != "" {
			t.Errorf("%v: after a repeat of the rotation, %v, the session of the new secret gets %q", skew, err, s.denialOf(text))
		}
	}
}
