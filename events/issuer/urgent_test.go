package issuer_test

import (
	"context"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
)

// rival is a store in which another command is faster than each of the first
// suspensions of ann.
type rival struct {
	events.Store
	scene *scene
	left  int
}

func (r *rival) Commit(ctx context.Context, c events.Commit) error {
	suspends := c.Records()[len(c.Records())-1].Type == "UserSuspended"
	if suspends && r.left > 0 {
		r.left--
		faster := issuer.New(issuer.Config{Store: r.Store, Keys: storetest.Keys, Now: r.scene.now})
		if _, err := faster.SetLimit(ctx, person("admin"), "ann", new(r.left%2)); err != nil {
			r.scene.Errorf("the faster command: %v", err)
		}
	}
	return r.Store.Commit(ctx, c)
}

// TestASuspensionWinsAgainstAScriptThatWritesAllTheTime: 50 conflicts in a row do not
// end it.
func TestASuspensionWinsAgainstAScriptThatWritesAllTheTime(t *testing.T) {
	for name, call := range map[string]func(*scene) error{
		"suspend":  func(s *scene) error { return errorOf(s.Suspend(t.Context(), person("admin"), "ann", "")) },
		"offboard": func(s *scene) error { return errorOf(s.Offboard(t.Context(), person("admin"), "ann", "")) },
	} {
		s := newScene(t)
		s.grant("admin", settings.Actions()...)
		r := &rival{Store: s.store, scene: s, left: 50}
		s.useStore(r)
		if err := call(s); err != nil || r.left > 0 || !s.state("ann").Suspended {
			t.Errorf("%s: got %v, with %d faster commands left", name, err, r.left)
		}
	}
}
