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

// world is an issuer on a store of its own, with a clock that stands still.
type world struct {
	testing.TB
	*issuer.Issuer
	store events.Store // the embedded store itself, without faults
	nanos atomic.Int64 // since start
}

func (w *world) now() time.Time { return start.Add(time.Duration(w.nanos.Load())) }

func (w *world) wait(d time.Duration) { w.nanos.Add(int64(d)) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, store: bolttest.Open(t)}
	w.use(w.store)
	return w
}

// use puts a new issuer before the store, or before a double of it.
func (w *world) use(s events.Store) {
	w.Issuer = issuer.New(issuer.Config{Store: s, Keys: storetest.Keys, Prefix: "acme", Now: w.now})
}

// faulty is a new issuer on the same store, whose calls go wrong as planned.
func (w *world) faulty(plan func(storetest.Op) storetest.Fault) *storetest.Faulty {
	f := storetest.NewFaulty(w.store, plan)
	w.use(f)
	return f
}

func person(owner string) guard.Principal { return guard.Principal{Owner: owner, Address: here} }

// with gives a command to the settings.
func (w *world) with(command settings.Command) {
	w.Helper()
	m := events.Meta{Command: rand(), Actor: "test", At: w.now(), Retention: time.Hour}
	_, err := issuer.Do(w.Context(), w.store, storetest.Keys, issuer.SettingsRules, events.SettingsStream, m,
		func(time.Time) settings.Command { return command })
	if err != nil {
		w.Fatal(err)
	}
	w.use(w.store) // which knows no older settings
}

func (w *world) limit(n int) { w.Helper(); w.with(settings.Change{TokenLimit: &n}) }

func (w *world) grant(user string, actions ...string) {
	w.Helper()
	w.with(settings.Grant{User: user, Actions: actions})
}

func rand() string { return secret.Mint("").ID }

func (w *world) create(by guard.Principal, owner string, wish token.Wish) (issuer.Token, secret.Token) {
	w.Helper()
	t, text, err := w.Create(w.Context(), by, owner, wish)
	if err != nil {
		w.Fatalf("creating a token: %v", err)
	}
	return t, w.parse(text)
}

func (w *world) parse(text secret.Secret) secret.Token {
	w.Helper()
	t, err := secret.Parse(text.Reveal())
	if err != nil {
		w.Fatalf("reading the token that was answered: %v", err)
	}
	return t
}

// check is what the guard says of the token: empty if it passes.
func (w *world) check(t secret.Token) string {
	w.Helper()
	_, err := w.Guard().Check(w.Context(), t, here)
	if err == nil {
		return ""
	}
	d, ok := errors.AsType[*guard.Denial](err)
	if !ok {
		w.Fatalf("checking token %s: %v", t.ID, err)
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
func (w *world) log(owner string) []events.Record {
	w.Helper()
	s := events.UserStream(owner)
	rs, err := w.store.History(w.Context(), s, 0, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	if err := events.Verify(events.Hash{}, rs); err != nil {
		w.Error(err)
	}
	var folded token.State
	commands := map[string]int{}
	for _, r := range rs {
		f, err := events.Decode(r)
		if err != nil {
			w.Fatal(err)
		}
		if _, ok := f.(events.TokenExpired); !ok {
			commands[r.Command]++
		}
		folded = token.Fold(folded, f, r.At)
	}
	for command, n := range commands {
		if n > 1 {
			w.Errorf("command %s took effect %d times", command, n)
		}
	}
	if kept := w.state(owner); !reflect.DeepEqual(kept, folded) {
		w.Errorf("the head holds %+v, the log folds into %+v", kept, folded)
	}
	return rs
}

func (w *world) state(owner string) token.State {
	w.Helper()
	s := events.UserStream(owner)
	h, err := w.store.Head(w.Context(), s)
	if err == nil {
		err = h.Check(storetest.Keys, s)
	}
	if err != nil {
		w.Fatal(err)
	}
	state, err := token.DecodeState(h.StateV, h.State)
	if err != nil {
		w.Fatal(err)
	}
	return state
}

// image is everything that is kept about some owners, to see that nothing changed.
func (w *world) image(owners ...string) (all []any) {
	w.Helper()
	for _, o := range owners {
		all = append(all, w.log(o), w.state(o))
	}
	page, err := w.store.Tokens(w.Context(), events.Query{Now: w.now(), Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	pending, err := w.store.Pending(w.Context(), w.now().Add(time.Hour), 1000)
	if err != nil {
		w.Fatal(err)
	}
	return append(all, page, pending)
}
