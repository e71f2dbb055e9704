package issuer_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestACallerThatEndedMeanwhileChangesNothingOfOthers: the guard has checked the token or
// the session, and another call ended it before the body of the request was read. Every
// call is done as long as the caller is active.
func TestACallerThatEndedMeanwhileChangesNothingOfOthers(t *testing.T) {
	calls := map[string]func(*scene, context.Context, guard.Principal, string) error{
		"change the settings": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.ChangeSettings(ctx, by, settings.Change{TokenLimit: new(7)}))
		},
		"give permissions": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.SetPermissions(ctx, by, "eve", []string{settings.ActionView}))
		},
		"map a group": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.SetGroup(ctx, by, "work", "staff", []string{settings.ActionView}))
		},
		"set a limit": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.SetLimit(ctx, by, "bob", new(9)))
		},
		"set the own limit": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.SetLimit(ctx, by, by.Owner, new(9)))
		},
		"suspend": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.Suspend(ctx, by, "bob", ""))
		},
		"reinstate": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.Reinstate(ctx, by, "carl", ""))
		},
		"offboard": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			return errorOf(s.Offboard(ctx, by, "bob", ""))
		},
		"create": func(s *scene, ctx context.Context, by guard.Principal, _ string) error {
			_, _, err := s.Create(ctx, by, "bob", token.Wish{})
			return err
		},
		"rotate": func(s *scene, ctx context.Context, by guard.Principal, bobs string) error {
			_, _, err := s.Rotate(ctx, by, bobs, nil, nil)
			return err
		},
		"update": func(s *scene, ctx context.Context, by guard.Principal, bobs string) error {
			return errorOf(s.Update(ctx, by, bobs, token.Update{Wish: token.Wish{Name: "x"}, Given: token.Members{Name: true}}))
		},
	}
	ends := map[string]func(s *scene, by guard.Principal) error{
		"": func(*scene, guard.Principal) error { return nil },
		"revoked": func(s *scene, by guard.Principal) error {
			return s.Revoke(s.Context(), person(by.Owner), by.TokenID)
		},
		"its token is revoked": func(s *scene, by guard.Principal) error {
			return s.Revoke(s.Context(), person(by.Owner), by.From)
		},
		"its token is rotated, and the sessions not yet closed": func(s *scene, by guard.Principal) error {
			s.loseSecondWrite(func() error {
				_, _, err := s.Rotate(s.Context(), person(by.Owner), by.From, nil, nil)
				return err
			})
			return nil
		},
		"its token is revoked, and the sessions not yet closed": func(s *scene, by guard.Principal) error {
			s.loseSecondWrite(func() error { return s.Revoke(s.Context(), person(by.Owner), by.From) })
			return nil
		},
		"disabled": func(s *scene, by guard.Principal) error {
			return errorOf(s.Update(s.Context(), person(by.Owner), by.TokenID, token.Update{Enabled: new(false)}))
		},
		"rotated": func(s *scene, by guard.Principal) error {
			_, _, err := s.Rotate(s.Context(), person(by.Owner), by.TokenID, nil, nil)
			return err
		},
		"suspended": func(s *scene, by guard.Principal) error {
			return errorOf(s.Suspend(s.Context(), person("root"), by.Owner, ""))
		},
		"expired": func(s *scene, by guard.Principal) error { s.wait(by.ExpiresAt.Sub(s.now())); return nil },
	}
	callers := map[string]struct {
		open func(*scene) guard.Principal
		ends []string
	}{
		"a token": {func(s *scene) guard.Principal {
			_, shown := s.create(person("boss"), "", token.Wish{ExpiresIn: time.Hour})
			return s.caller(shown)
		}, []string{"", "revoked", "disabled", "rotated", "suspended", "expired"}},
		"a session of a person": {func(s *scene) guard.Principal {
			_, by, _ := s.open(asAnn(func(in *issuer.SignIn) { in.Owner = "boss" }))
			return by
		}, []string{"", "revoked", "suspended", "expired"}},
		"a session from a token": {func(s *scene) guard.Principal {
			_, shown := s.create(person("boss"), "", token.Wish{})
			_, by, _ := s.openWith(shown)
			return by
		}, []string{"", "revoked", "suspended", "expired", "its token is revoked", "its token is rotated, and the sessions not yet closed", "its token is revoked, and the sessions not yet closed"}},
	}
	for what, c := range callers {
		for _, end := range c.ends {
			for verb, call := range calls {
				t.Run(what+", "+end+", "+verb, func(t *testing.T) {
					t.Parallel()
					s := newScene(t)
					s.grant("root", settings.Actions()...)
					s.grant("boss", settings.Actions()...)
					bobs, _ := s.create(person("bob"), "", token.Wish{})
					if err := errorOf(s.Suspend(t.Context(), person("root"), "carl", "")); err != nil {
						t.Fatal(err)
					}
					by := c.open(s)
					if err := ends[end](s, by); err != nil {
						t.Fatal(err)
					}
					owners := []string{"bob", "boss", "carl", "eve"}
					before := append(s.snapshot(owners...), s.settingsLog())
					want := ""
					if end != "" {
						want = token.CodeDeniedByCredential
					}
					if got := refusalCode(t, call(s, t.Context(), by, bobs.ID)); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					after := append(s.snapshot(owners...), s.settingsLog())
					if changed := !reflect.DeepEqual(before, after); changed != (end == "") {
						t.Errorf("the store changed: %t", changed)
					}
				})
			}
		}
	}
}

// loseSecondWrite gives a command of which only the first write reaches the store.
func (s *scene) loseSecondWrite(command func() error) {
	s.Helper()
	commits := 0
	s.useFaulty(func(op storetest.Op) storetest.Fault {
		if op == storetest.OpCommit {
			commits++
		}
		if commits > 1 {
			return storetest.Unapplied
		}
		return storetest.None
	})
	wantFault(s, "a command with a lost write", command())
	s.useStore(s.store)
}

// settingsLog are the records of the settings.
func (s *scene) settingsLog() []events.Record {
	s.Helper()
	rs, err := s.store.History(s.Context(), events.SettingsStream, 0, 1000)
	if err != nil {
		s.Fatal(err)
	}
	return rs
}
