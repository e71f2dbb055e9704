package issuer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// lost are the ways in which a write fails.
var lost = map[string]storetest.Fault{
	"unapplied": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late,
}

// changing are the commands that change tokens, users and settings. Each writes the
// stream, and leads to facts of these types.
func (s *scene) changing(ctx context.Context, id string) []changing {
	admin := person("admin")
	return []changing{
		{"Update", events.UserStream("ann"), []string{"TokenUpdated", "TokenDisabled"}, func() error {
			_, err := s.Update(ctx, admin, id, token.Update{Wish: token.Wish{Name: "new"}, Given: token.Members{Name: true}, Enabled: new(false)})
			return err
		}},
		{"Rotate", events.UserStream("ann"), []string{"TokenRotated"}, func() error { _, _, err := s.Rotate(ctx, admin, id, nil, nil); return err }},
		{"RevokeWithChildren", events.UserStream("ann"), []string{"TokenRevoked"}, func() error { return s.RevokeWithChildren(ctx, admin, id) }},
		{"RevokeShown", events.UserStream("ann"), []string{"TokenRevoked"}, func() error { return errorOf(s.RevokeShown(ctx, s.text, here)) }},
		{"Suspend", events.UserStream("ann"), []string{"UserSuspended"}, func() error { return errorOf(s.Suspend(ctx, admin, "ann", "lost")) }},
		{"Offboard", events.UserStream("ann"), []string{"UserSuspended", "TokenRevoked"}, func() error { return errorOf(s.Offboard(ctx, admin, "ann", "left")) }},
		{"SetLimit", events.UserStream("ann"), []string{"OwnerLimitChanged"}, func() error { return errorOf(s.SetLimit(ctx, admin, "ann", new(7))) }},
		{"ChangeSettings", events.SettingsStream, []string{"SettingsChanged"}, func() error {
			_, err := s.ChangeSettings(ctx, admin, settings.Change{TokenLimit: new(9)})
			return err
		}},
		{"SetPermissions", events.SettingsStream, []string{"PermissionsChanged"}, func() error {
			_, err := s.SetPermissions(ctx, admin, "ann", []string{settings.ActionView})
			return err
		}},
	}
}

type changing struct {
	name   string
	stream events.Stream
	facts  []string
	run    func() error
}

// changedScene returns a scene with an administrator and a token of ann.
func changedScene(t *testing.T) (*scene, string) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	made, shown := s.create(person("ann"), "", token.Wish{})
	s.text = shown.Text().Reveal()
	return s, made.ID
}

func (s *scene) types(stream events.Stream, after int) (types []string) {
	s.Helper()
	rs, err := s.store.History(s.Context(), stream, uint64(after), 1000)
	if err != nil {
		s.Fatal(err)
	}
	for _, r := range rs {
		types = append(types, r.Type)
	}
	return types
}

// TestEveryCommandTakesEffectOnce: for each outcome of the first write, the command
// succeeds and writes its facts once. A late write is too late.
func TestEveryCommandTakesEffectOnce(t *testing.T) {
	none, _ := changedScene(t)
	for n, c := range none.changing(t.Context(), "") {
		for name, fault := range lost {
			s, id := changedScene(t)
			before := len(s.types(c.stream, 0))
			f := s.useFaulty(storetest.Once(storetest.OpCommit, fault))
			if err := s.changing(t.Context(), id)[n].run(); err != nil {
				t.Errorf("%s, %s: got %v", c.name, name, err)
			}
			for _, err := range f.Land(t.Context()) {
				if !errors.Is(err, events.ErrConflict) {
					t.Errorf("%s, %s: the late write got %v, want ErrConflict", c.name, name, err)
				}
			}
			if got := s.types(c.stream, before); !reflect.DeepEqual(got, c.facts) {
				t.Errorf("%s, %s: the log has %q, want %q", c.name, name, got, c.facts)
			}
			s.checkedLog("ann")
		}
	}
}

// TestAnUnknownOutcomeOfACommandIsAFaultAndTheRepeatIsSafe: the call ends before its
// outcome is known. The repeat has the effect of one command, except that a second
// rotation makes a second secret.
func TestAnUnknownOutcomeOfACommandIsAFaultAndTheRepeatIsSafe(t *testing.T) {
	none, _ := changedScene(t)
	for n, c := range none.changing(t.Context(), "") {
		for name, fault := range lost {
			s, id := changedScene(t)
			before := len(s.types(c.stream, 0))
			ctx, cancel := context.WithCancel(t.Context())
			fired := false
			f := s.useFaulty(func(op storetest.Op) storetest.Fault {
				if fired {
					cancel()
					return storetest.Unapplied
				}
				if fired = op == storetest.OpCommit; fired {
					return fault
				}
				return storetest.None
			})
			wantFault(t, c.name+", "+name, s.changing(ctx, id)[n].run())
			cancel()
			f.Land(t.Context())
			s.useStore(s.store)
			s.wait(time.Second)
			if err := s.changing(t.Context(), id)[n].run(); err != nil && refusalCode(t, err) != token.CodeNotFoundRevoked {
				t.Errorf("%s, %s, repeated: got %v", c.name, name, err)
			}
			want := c.facts
			if c.name == "Rotate" && fault != storetest.Unapplied {
				want = append(want[:1:1], want...)
			}
			if got := s.types(c.stream, before); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s, repeated: the log has %q, want %q", c.name, name, got, want)
			}
			s.checkedLog("ann")
		}
	}
}
