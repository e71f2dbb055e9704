package issuer_test

import (
	"context"
	"slices"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// rival is a store in which another command is faster than each of the first
// commands that stop ann's tokens.
type rival struct {
	events.Store
	scene *scene
	left  int
}

func (r *rival) Commit(ctx context.Context, c events.Commit) error {
	last := c.Records()[len(c.Records())-1].Type
	stops := slices.Contains([]string{"UserSuspended", "TokenRevoked", "TokenDisabled"}, last)
	if stops && r.left > 0 {
		r.left--
		faster := issuer.New(issuer.Config{Store: r.Store, Keys: storetest.Keys, Now: r.scene.now})
		if _, err := faster.SetLimit(ctx, person("admin"), "ann", new(r.left%2)); err != nil {
			r.scene.Errorf("the faster command: %v", err)
		}
	}
	return r.Store.Commit(ctx, c)
}

// TestWhatStopsATokenWinsAgainstAScriptThatWritesAllTheTime: 50 conflicts in a row do
// not end it.
func TestWhatStopsATokenWinsAgainstAScriptThatWritesAllTheTime(t *testing.T) {
	ann := person("ann")
	for name, call := range map[string]func(s *scene, id string) error{
		"suspend":  func(s *scene, _ string) error { return errorOf(s.Suspend(t.Context(), person("admin"), "ann", "")) },
		"offboard": func(s *scene, _ string) error { return errorOf(s.Offboard(t.Context(), person("admin"), "ann", "")) },
		"revoke":   func(s *scene, id string) error { return s.Revoke(t.Context(), ann, id) },
		"revoke with children": func(s *scene, id string) error {
			return s.RevokeWithChildren(t.Context(), ann, id)
		},
		"disable": func(s *scene, id string) error {
			return errorOf(s.Update(t.Context(), ann, id, token.Update{Enabled: new(false)}))
		},
		"disable and rename": func(s *scene, id string) error {
			return errorOf(s.Update(t.Context(), ann, id, token.Update{Enabled: new(false), Wish: token.Wish{Name: "leaked"}, Given: token.Members{Name: true}}))
		},
	} {
		s := newScene(t)
		s.grant("admin", settings.Actions()...)
		_, shown := s.create(ann, "", token.Wish{})
		r := &rival{Store: s.store, scene: s, left: 50}
		s.useStore(r)
		err := call(s, shown.ID)
		if got := s.denialOf(shown); err != nil || r.left > 0 || got == "" {
			t.Errorf("%s: got %v, with %d faster commands left, and the token gets %q", name, err, r.left, got)
		}
	}
}
