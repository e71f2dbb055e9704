package dynamo_test

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
)

// TestGetAtAnswersTheTokenAsItWas remembers a token after each change, and asks for
// each of these moments later.
func TestGetAtAnswersTheTokenAsItWas(t *testing.T) {
	c := client(t)
	store := dynamo.New(c, newTable(t, c))
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	settingstest.Apply(t, store, keys, now, 0, settings.Grant{User: "boss", Actions: settings.Actions()})
	s := newScene(store, func() time.Time { return now })
	ann, boss := guard.Principal{Owner: "ann"}, guard.Principal{Owner: "boss"}
	made, _, err := s.Create(t.Context(), ann, "", token.Wish{Name: "first", ExpiresIn: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var moments []time.Time
	var want []issuer.Token
	for _, change := range []func() error{
		func() error { _, _, err := s.Create(t.Context(), ann, "", token.Wish{}); return err },
		func() error {
			_, err := s.Update(t.Context(), ann, made.ID, token.Update{Wish: token.Wish{Name: "second"}, Given: token.Members{Name: true}, Enabled: new(false)})
			return err
		},
		func() error { _, _, err := s.Rotate(t.Context(), ann, made.ID, nil, nil); return err },
		func() error { _, err := s.Suspend(t.Context(), boss, "ann", ""); return err },
		func() error { _, err := s.Reinstate(t.Context(), boss, "ann", ""); return err },
		func() error { return s.Revoke(t.Context(), ann, made.ID) },
	} {
		now = now.Add(time.Hour)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), ann, made.ID, events.AllStates()...)
		if err != nil {
			t.Fatal(err)
		}
		got.Seal, got.KeepUntil = events.Verifier{}, time.Time{}
		moments, want = append(moments, now), append(want, got)
	}
	for i, at := range moments {
		if got, err := s.GetAt(t.Context(), ann, made.ID, at); err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("at %v: got %+v, %v, want %+v", at, got, err, want[i])
		}
	}
}
