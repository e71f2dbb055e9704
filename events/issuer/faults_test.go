package issuer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestOutageIsAFaultAndNeverARefusal: each call of the issuer runs with each method
// of the ports failing. If the call uses that method, it returns a fault that
// wraps ErrBusy.
func TestOutageIsAFaultAndNeverARefusal(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.Actions()...)
	made, shown := s.create(person("ann"), "", token.Wish{})
	viewer := person("viewer")
	if err := errorOf(s.Suspend(t.Context(), viewer, "sue", "")); err != nil {
		t.Fatal(err)
	}
	s.create(person("max"), "", token.Wish{ExpiresIn: time.Minute})
	s.wait(time.Hour)
	var ctx context.Context // for the current call; the first write cancels it
	calls := map[string]func() error{
		"Create": func() error { _, _, err := s.Create(ctx, viewer, "bob", token.Wish{}); return err },
		"CreateOnce": func() error {
			_, err := s.CreateOnce(ctx, withToken("viewer", "JhxND7ci"), someKey, "bob", token.Wish{})
			return err
		},
		"Get":   func() error { _, err := s.Get(ctx, viewer, made.ID); return err },
		"GetAt": func() error { _, err := s.GetAt(ctx, viewer, made.ID, s.now()); return err },
		"List":  func() error { _, err := s.List(ctx, viewer, issuer.ListQuery{}); return err },
		"List with a filter": func() error {
			_, err := s.List(ctx, viewer, issuer.ListQuery{Filter: issuer.Filter{UnusedSince: new(s.now().Add(1))}})
			return err
		},
		"List of ann": func() error {
			_, err := s.List(ctx, viewer, issuer.ListQuery{Owners: []string{"ann"}})
			return err
		},
		"TokenEvents": func() error { _, err := s.TokenEvents(ctx, viewer, made.ID, 0, 0); return err },
		"UserEvents":  func() error { _, err := s.UserEvents(ctx, viewer, "ann", 0, 0); return err },
		"AllEvents":   func() error { _, err := s.AllEvents(ctx, viewer, "", 0); return err },
		"WhoAmI":      func() error { _, err := s.WhoAmI(ctx, viewer); return err },
		"Introspect":  func() error { _, err := s.Introspect(ctx, viewer, shown.Text().Reveal(), "", here); return err },
		"Describe":    func() error { _, err := s.Describe(ctx, viewer, shown.Text().Reveal(), here); return err },
		"Revoke":      func() error { return s.Revoke(ctx, viewer, made.ID) },
		"RevokeShown": func() error { return errorOf(s.RevokeShown(ctx, shown.Text().Reveal(), here)) },
		"Bootstrap":   func() error { _, _, err := s.Bootstrap(ctx, "root", true); return err },
		"Update": func() error {
			_, err := s.Update(ctx, viewer, made.ID, token.Update{Enabled: new(false)})
			return err
		},
		"Rotate":             func() error { _, _, err := s.Rotate(ctx, viewer, made.ID, nil, nil); return err },
		"RevokeWithChildren": func() error { return s.RevokeWithChildren(ctx, viewer, made.ID) },
		"Suspend":            func() error { return errorOf(s.Suspend(ctx, viewer, "ann", "")) },
		"Reinstate":          func() error { return errorOf(s.Reinstate(ctx, viewer, "sue", "")) },
		"Offboard":           func() error { return errorOf(s.Offboard(ctx, viewer, "ann", "")) },
		"SetLimit":           func() error { return errorOf(s.SetLimit(ctx, viewer, "ann", new(1))) },
		"SetPermissions": func() error {
			_, err := s.SetPermissions(ctx, viewer, "ann", []string{settings.ActionView})
			return err
		},
		"ChangeSettings": func() error {
			_, err := s.ChangeSettings(ctx, viewer, settings.Change{TokenLimit: new(1)})
			return err
		},
		"Settings":      func() error { _, err := s.Settings(ctx, viewer); return err },
		"Expire":        func() error { return errorOf(s.Expire(ctx, "max")) },
		"guard's check": func() error { _, err := s.Guard().Check(ctx, shown, here); return err },
	}
	before := s.snapshot("ann", "bob", "root", "sue", "max", "viewer")
	for name, call := range calls {
		failed := 0
		for _, op := range []storetest.Op{storetest.OpCommit, storetest.OpHead, storetest.OpHistory, storetest.OpWalk, storetest.OpToken, storetest.OpTokens, storetest.OpLastUses, storetest.OpReply} {
			asked := false
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(t.Context())
			s.useFaulty(func(called storetest.Op) storetest.Fault {
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
				wantFault(t, name+" without "+string(op), err)
				if !errors.Is(err, issuer.ErrBusy) && name != "guard's check" {
					t.Errorf("%s without %s: got %v, want it to wrap ErrBusy", name, op, err)
				}
			}
			cancel()
		}
		if failed == 0 {
			t.Errorf("%s did not call the store", name)
		}
	}
	if after := s.snapshot("ann", "bob", "root", "sue", "max", "viewer"); !reflect.DeepEqual(before, after) {
		t.Errorf("after an outage the store has\n%+v\nwant\n%+v", after, before)
	}
}

// laggingStore shows each stream's first head for some reads, although its records
// are newer: a reader of DynamoDB may see one item of a transaction a moment before
// another item.
type laggingStore struct {
	events.Store
	old   events.Head
	reads int // with the old head
}

func (l *laggingStore) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	if l.reads--; s != events.SettingsStream && l.reads >= 0 {
		return l.old, nil
	}
	return l.Store.Head(ctx, s)
}

// TestAHeadThatLagsIsNoFault: a command succeeds as soon as it sees the newest
// head.
func TestAHeadThatLagsIsNoFault(t *testing.T) {
	for reads := range 7 {
		s := newScene(t)
		s.create(person("ann"), "", token.Wish{})
		old, err := s.store.Head(t.Context(), "user/ann")
		if err != nil {
			t.Fatal(err)
		}
		s.create(person("ann"), "", token.Wish{})
		lagging := &laggingStore{Store: s.store, old: old}
		s.useStore(lagging)
		s.create(person("bob"), "", token.Wish{}) // reads the settings
		lagging.reads = reads
		_, _, err = s.Create(t.Context(), person("ann"), "", token.Wish{})
		if lasting := reads == 6; errors.Is(err, events.ErrDamaged) != lasting || err != nil && !lasting {
			t.Errorf("a head that lags for %d reads: got %v, want a fault only if it lasts", reads, err)
		}
	}
}

// plantedStore has a state that was written without the peppers, so its seal is
// wrong.
type plantedStore struct {
	events.Store
	stream events.Stream
	state  string
}

func (p plantedStore) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	h, err := p.Store.Head(ctx, s)
	if s == p.stream {
		h.Version, h.State = max(h.Version, 1), []byte(p.state)
	}
	return h, err
}

// TestBrokenSealIsAFault: no planted limit or permission decides a call, and no
// call is refused because of a planted state.
func TestBrokenSealIsAFault(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	made, _ := s.create(person("ann"), "", token.Wish{})
	for _, p := range []plantedStore{
		{s.store, events.SettingsStream, `{"n":1,"l":50,"h":{"ann":["view","create","edit","delete"]}}`},
		{s.store, events.UserStream("ann"), `{"o":"ann","n":1}`},
		{s.store, events.UserStream("bob"), `{"o":"bob","n":1}`}, // a stream without records
	} {
		s.useStore(p)
		owner, known := p.stream.Owner()
		if !known {
			owner = "bob"
			_, err := s.WhoAmI(t.Context(), person("ann"))
			wantFault(t, "WhoAmI", err)
			_, err = s.List(t.Context(), person("ann"), issuer.ListQuery{})
			wantFault(t, "List", err)
		} else {
			_, err := s.List(t.Context(), person(owner), issuer.ListQuery{Owners: []string{owner}})
			wantFault(t, "List of "+owner, err)
		}
		_, _, err := s.Create(t.Context(), person(owner), "", token.Wish{})
		wantFault(t, "Create for "+owner, err)
		if owner == "ann" {
			wantFault(t, "Revoke", s.Revoke(t.Context(), person("ann"), made.ID))
		}
		s.useStore(s.store)
	}
	if len(s.checkedLog("ann")) != 1 || len(s.checkedLog("bob")) != 0 {
		t.Error("a command wrote to a stream with a broken seal")
	}
}
