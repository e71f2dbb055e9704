package issuer_test

import (
	"errors"
	"net/netip"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
)

var (
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("10.1.2.3")
)

// scene is an issuer with its own store, and a clock that only the test moves.
type scene struct {
	testing.TB
	*issuer.Issuer
	store events.Store // the embedded store itself, without faults
	nanos atomic.Int64 // since start
	text  string       // of the token of changedScene
}

func (s *scene) now() time.Time { return start.Add(time.Duration(s.nanos.Load())) }

func (s *scene) wait(d time.Duration) { s.nanos.Add(int64(d)) }

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{TB: t, store: bolttest.Open(t)}
	s.useStore(s.store)
	return s
}

// useStore replaces the issuer by a new one with the given store.
func (s *scene) useStore(store events.Store) {
	s.Issuer = issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Prefix: "acme", Now: s.now})
}

// useFaulty replaces the issuer by a new one. Its store fails as planned.
func (s *scene) useFaulty(plan func(storetest.Op) storetest.Fault) *storetest.Faulty {
	f := storetest.NewFaulty(s.store, plan)
	s.useStore(f)
	return f
}

func person(owner string) guard.Principal { return guard.Principal{Owner: owner, Address: here} }

// changeSettings runs a command on the settings.
func (s *scene) changeSettings(command settings.Command) {
	s.Helper()
	settingstest.Apply(s, s.store, storetest.Keys, s.now(), time.Hour, command)
	s.useStore(s.store) // a new issuer, because the old one caches the settings
}

func (s *scene) limit(n int) { s.Helper(); s.changeSettings(settings.Change{TokenLimit: &n}) }

func (s *scene) changeRate(n int) { s.Helper(); s.changeSettings(settings.Change{ChangeRate: &n}) }

func (s *scene) grant(user string, actions ...string) {
	s.Helper()
	s.changeSettings(settings.Grant{User: user, Actions: actions})
}

func randomID() string { return secret.Mint("").ID }

func (s *scene) create(by guard.Principal, owner string, wish token.Wish) (issuer.Token, secret.Token) {
	s.Helper()
	t, text, err := s.Create(s.Context(), by, owner, wish)
	if err != nil {
		s.Fatalf("creating a token: %v", err)
	}
	return t, s.parse(text)
}

func (s *scene) parse(text secret.Secret) secret.Token {
	s.Helper()
	t, err := secret.Parse(text.Reveal())
	if err != nil {
		s.Fatalf("reading the returned token: %v", err)
	}
	return t
}

// denialOf returns the code of the guard's denial; empty if the token passes.
func (s *scene) denialOf(t secret.Token) string {
	s.Helper()
	_, err := s.Guard().Check(s.Context(), t, here)
	if err == nil {
		return ""
	}
	d, ok := errors.AsType[*guard.Denial](err)
	if !ok {
		s.Fatalf("checking token %s: %v", t.ID, err)
	}
	return d.Code
}

// refusalCode returns the code of a refusal; empty without an error. A fault fails
// the test.
func refusalCode(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok {
		t.Fatalf("got the fault %v, want an answer", err)
	}
	return r.Code
}

// wantFault fails the test unless the error is a fault.
func wantFault(t testing.TB, name string, err error) {
	t.Helper()
	_, refused := errors.AsType[*events.Refusal](err)
	_, denied := errors.AsType[*guard.Denial](err)
	if err == nil || refused || denied {
		t.Errorf("%s: got %v, want a fault", name, err)
	}
}

// checkedLog returns all records of an owner's stream. It checks their chain, the
// head's seal, that the head has the folded state, and that each command took
// effect only once.
func (s *scene) checkedLog(owner string) []events.Record {
	s.Helper()
	stream := events.UserStream(owner)
	rs, err := s.store.History(s.Context(), stream, 0, 10_000)
	if err != nil {
		s.Fatal(err)
	}
	if err := events.Verify(events.Hash{}, rs); err != nil {
		s.Error(err)
	}
	var folded token.State
	last := map[string]uint64{} // the last record of each command
	for _, r := range rs {
		f, err := events.Decode(r)
		if err != nil {
			s.Fatal(err)
		}
		if seq, seen := last[r.Command]; seen && seq != r.Seq-1 {
			s.Errorf("command %s took effect twice, before record %d and with it", r.Command, r.Seq)
		}
		if _, created := f.(events.TokenCreated); created && last[r.Command] > 0 && makes(rs[r.Seq-2]) {
			s.Errorf("command %s made two tokens", r.Command)
		}
		last[r.Command] = r.Seq
		folded = token.Fold(folded, f, r.At)
	}
	if kept := s.state(owner); !reflect.DeepEqual(kept, folded) {
		s.Errorf("the head has %+v, the log folds into %+v", kept, folded)
	}
	return rs
}

func makes(r events.Record) bool { return r.Type == "TokenCreated" }

func (s *scene) state(owner string) token.State {
	s.Helper()
	stream := events.UserStream(owner)
	h, err := s.store.Head(s.Context(), stream)
	if err == nil {
		err = h.Check(storetest.Keys, stream)
	}
	if err != nil {
		s.Fatal(err)
	}
	state, err := token.DecodeState(h.StateV, h.State)
	if err != nil {
		s.Fatal(err)
	}
	return state
}

// snapshot returns all stored data of some owners, all views and all pending
// messages, to show that nothing changed.
func (s *scene) snapshot(owners ...string) (all []any) {
	s.Helper()
	for _, o := range owners {
		all = append(all, s.checkedLog(o), s.state(o))
	}
	page, err := s.store.Tokens(s.Context(), events.Query{Now: s.now(), Limit: 1000})
	if err != nil {
		s.Fatal(err)
	}
	pending, err := s.store.Pending(s.Context(), s.now().Add(time.Hour), 1000)
	if err != nil {
		s.Fatal(err)
	}
	return append(all, page, pending)
}
