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
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
)

var (
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("10.1.2.3")
)

// scene is an issuer on a store of its own, with a clock that only the test moves.
type scene struct {
	testing.TB
	*issuer.Issuer
	store events.Store // the embedded store itself, without faults
	nanos atomic.Int64 // since start
}

func (s *scene) now() time.Time { return start.Add(time.Duration(s.nanos.Load())) }

func (s *scene) wait(d time.Duration) { s.nanos.Add(int64(d)) }

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{TB: t, store: bolttest.Open(t)}
	s.use(s.store)
	return s
}

// use puts a new issuer before the store, or before a double of it.
func (s *scene) use(store events.Store) {
	s.Issuer = issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Prefix: "acme", Now: s.now})
}

// faulty is a new issuer on the same store, whose calls go wrong as planned.
func (s *scene) faulty(plan func(storetest.Op) storetest.Fault) *storetest.Faulty {
	f := storetest.NewFaulty(s.store, plan)
	s.use(f)
	return f
}

func person(owner string) guard.Principal { return guard.Principal{Owner: owner, Address: here} }

// with gives a command to the settings.
func (s *scene) with(command settings.Command) {
	s.Helper()
	m := events.Meta{Command: rand(), Actor: "test", At: s.now(), Retention: time.Hour}
	_, err := issuer.Do(s.Context(), s.store, storetest.Keys, issuer.SettingsRules, events.SettingsStream, m,
		func(time.Time) settings.Command { return command })
	if err != nil {
		s.Fatal(err)
	}
	s.use(s.store) // which knows no older settings
}

func (s *scene) limit(n int) { s.Helper(); s.with(settings.Change{TokenLimit: &n}) }

func (s *scene) grant(user string, actions ...string) {
	s.Helper()
	s.with(settings.Grant{User: user, Actions: actions})
}

func rand() string { return secret.Mint("").ID }

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
		s.Fatalf("reading the token that was answered: %v", err)
	}
	return t
}

// check is what the guard says of the token: empty if it passes.
func (s *scene) check(t secret.Token) string {
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

// refusal is the code with which the rules refused; it is no fault.
func refusal(t testing.TB, err error) string {
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

// trouble fails the test unless the error is a fault and no answer.
func trouble(t testing.TB, what string, err error) {
	t.Helper()
	_, refused := errors.AsType[*events.Refusal](err)
	_, denied := errors.AsType[*guard.Denial](err)
	if err == nil || refused || denied {
		t.Errorf("%s: got %v, want a fault that is no answer", what, err)
	}
}

// log is all records of a stream, after a look at chain, seal and fold.
func (s *scene) log(owner string) []events.Record {
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
	commands := map[string]int{}
	for _, r := range rs {
		f, err := events.Decode(r)
		if err != nil {
			s.Fatal(err)
		}
		if _, ok := f.(events.TokenExpired); !ok {
			commands[r.Command]++
		}
		folded = token.Fold(folded, f, r.At)
	}
	for command, n := range commands {
		if n > 1 {
			s.Errorf("command %s took effect %d times", command, n)
		}
	}
	if kept := s.state(owner); !reflect.DeepEqual(kept, folded) {
		s.Errorf("the head holds %+v, the log folds into %+v", kept, folded)
	}
	return rs
}

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

// image is everything that is kept about some owners, to see that nothing changed.
func (s *scene) image(owners ...string) (all []any) {
	s.Helper()
	for _, o := range owners {
		all = append(all, s.log(o), s.state(o))
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
