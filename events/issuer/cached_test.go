package issuer_test

import (
	"context"
	"errors"
	"testing"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
)

// settingsHead changes the head of the settings that it reads from its store.
type settingsHead struct {
	events.Store
	change func(*events.Head)
}

func (s settingsHead) Head(ctx context.Context, st events.Stream) (events.Head, error) {
	h, err := s.Store.Head(ctx, st)
	if st == events.SettingsStream && s.change != nil {
		s.change(&h)
	}
	return h, err
}

// TestSettingsThatWereReadBeforeAreCheckedAgain: equal settings are decoded once. A
// later read still checks the seal of the head, and sees the change of another process.
func TestSettingsThatWereReadBeforeAreCheckedAgain(t *testing.T) {
	s := newScene(t)
	s.grant("ann", settings.ActionView)
	store := &settingsHead{Store: s.store}
	s.useStore(store)
	for range 2 {
		if got, err := s.Settings(t.Context(), person("ann")); err != nil || got.TokenLimit != 5 {
			t.Fatalf("got the limit %d, %v, want 5", got.TokenLimit, err)
		}
	}
	for name, change := range map[string]func(*events.Head){
		"without a seal":       func(h *events.Head) { h.Seal = events.Verifier{} },
		"with another version": func(h *events.Head) { h.Version++ },
		"with another hash":    func(h *events.Head) { h.Hash[0]++ },
	} {
		store.change = change
		if _, err := s.Settings(t.Context(), person("ann")); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("a head %s: got %v, want damaged data", name, err)
		}
	}
	store.change = nil
	limit := 7
	settingstest.Apply(s, s.store, storetest.Keys, s.now(), 0, settings.Change{TokenLimit: &limit})
	if got, err := s.Settings(t.Context(), person("ann")); err != nil || got.TokenLimit != limit {
		t.Errorf("got the limit %d, %v, want %d", got.TokenLimit, err, limit)
	}
}
