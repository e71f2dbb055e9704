package issuer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestOutageIsNoAnswer: each call, with each of the ports' calls failing, gives
// what was asked for or a fault that is worth another try; never a refusal.
func TestOutageIsNoAnswer(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.Actions()...)
	made, shown := s.create(person("ann"), "", token.Wish{})
	viewer := person("viewer")
	var ctx context.Context // of the call that is made; its time is up with the first write
	calls := map[string]func() error{
		"Create": func() error { _, _, err := s.Create(ctx, viewer, "bob", token.Wish{}); return err },
		"Get":    func() error { _, err := s.Get(ctx, viewer, made.ID); return err },
		"List":   func() error { _, err := s.List(ctx, viewer, issuer.ListQuery{}); return err },
		"List of ann": func() error {
			_, err := s.List(ctx, viewer, issuer.ListQuery{Owners: []string{"ann"}})
			return err
		},
		"TokenEvents":  func() error { _, err := s.TokenEvents(ctx, viewer, made.ID, 0, 0); return err },
		"UserEvents":   func() error { _, err := s.UserEvents(ctx, viewer, "ann", 0, 0); return err },
		"WhoAmI":       func() error { _, err := s.WhoAmI(ctx, viewer); return err },
		"Introspect":   func() error { _, err := s.Introspect(ctx, viewer, shown.Text().Reveal(), "", here); return err },
		"Revoke":       func() error { return s.Revoke(ctx, viewer, made.ID) },
		"Bootstrap":    func() error { _, _, err := s.Bootstrap(ctx, "root", true); return err },
		"guard's look": func() error { _, err := s.Guard().Check(ctx, shown, here); return err },
	}
	before := s.image("ann", "bob", "root")
	for name, call := range calls {
		failed := 0
		for _, op := range []storetest.Op{storetest.OpCommit, storetest.OpHead, storetest.OpHistory, storetest.OpToken, storetest.OpTokens, storetest.OpLastUses} {
			asked := false
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(t.Context())
			s.faulty(func(called storetest.Op) storetest.Fault {
				asked = asked || called == op
				switch called {
				case storetest.OpCommit:
					cancel()
					return storetest.Unapplied
				case op:
					return storetest.Unapplied
				}
				return storetest.None
			})
			if err := call(); asked {
				failed++
				trouble(t, name+" without "+string(op), err)
				if !errors.Is(err, issuer.ErrBusy) && name != "guard's look" {
					t.Errorf("%s without %s: got %v, want it to wrap ErrBusy", name, op, err)
				}
			}
			cancel()
		}
		if failed == 0 {
			t.Errorf("%s asked the store for nothing", name)
		}
	}
	if after := s.image("ann", "bob", "root"); !reflect.DeepEqual(before, after) {
		t.Errorf("an outage left something behind:\n%+v\nwant\n%+v", after, before)
	}
}

// planted is a store in which somebody wrote a state without the peppers.
type planted struct {
	events.Store
	stream events.Stream
	state  string
}

func (p planted) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	h, err := p.Store.Head(ctx, s)
	if s == p.stream {
		h.Version, h.State = max(h.Version, 1), []byte(p.state)
	}
	return h, err
}

// TestBrokenSealIsAFault: neither a planted limit nor a planted permission is
// ever decided from, and nobody is refused because of it.
func TestBrokenSealIsAFault(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	made, _ := s.create(person("ann"), "", token.Wish{})
	for _, p := range []planted{
		{s.store, events.SettingsStream, `{"n":1,"l":50,"h":{"ann":["view","create","edit","delete"]}}`},
		{s.store, events.UserStream("ann"), `{"o":"ann","n":1}`},
		{s.store, events.UserStream("bob"), `{"o":"bob","n":1}`}, // which was never written
	} {
		s.use(p)
		owner, known := p.stream.Owner()
		if !known {
			owner = "bob"
			_, err := s.WhoAmI(t.Context(), person("ann"))
			trouble(t, "WhoAmI", err)
			_, err = s.List(t.Context(), person("ann"), issuer.ListQuery{})
			trouble(t, "List", err)
		} else {
			_, err := s.List(t.Context(), person(owner), issuer.ListQuery{Owners: []string{owner}})
			trouble(t, "List of "+owner, err)
		}
		_, _, err := s.Create(t.Context(), person(owner), "", token.Wish{})
		trouble(t, "Create for "+owner, err)
		if owner == "ann" {
			trouble(t, "Revoke", s.Revoke(t.Context(), person("ann"), made.ID))
		}
		s.use(s.store)
	}
	if len(s.log("ann")) != 1 || len(s.log("bob")) != 0 {
		t.Error("something was written onto a head with a broken seal")
	}
}
