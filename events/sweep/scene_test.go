package sweep_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
	"apitoken/events/sweep"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// scene is a service and its sweep on the embedded store, with a clock that only
// the test moves.
type scene struct {
	testing.TB
	*issuer.Issuer
	store events.Store // without faults
	sweep *sweep.Sweep
	nanos atomic.Int64
	log   bytes.Buffer
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{TB: t, store: bolttest.Open(t)}
	s.use(s.store)
	return s
}

// use replaces the issuer and the sweep by new ones on the store.
func (s *scene) use(store events.Store) {
	s.Issuer = issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Now: s.now})
	s.sweep = sweep.New(sweep.Config{Store: store, Issuer: s.Issuer, Keys: storetest.Keys, Now: s.now, Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Parallel: 1})
}

func (s *scene) now() time.Time { return start.Add(time.Duration(s.nanos.Load())) }

// at moves the clock to a time after the start.
func (s *scene) at(d time.Duration) { s.nanos.Store(int64(d)) }

func person(owner string) guard.Principal { return guard.Principal{Owner: owner} }

func (s *scene) create(owner string, lives time.Duration) issuer.Token {
	s.Helper()
	made, _, err := s.Create(s.Context(), person(owner), "", token.Wish{ExpiresIn: lives})
	if err != nil {
		s.Fatalf("creating a token: %v", err)
	}
	return made
}

func (s *scene) update(made issuer.Token, u token.Update) {
	s.Helper()
	if _, err := s.Update(s.Context(), person(made.Owner), made.ID, u); err != nil {
		s.Fatalf("updating token %s: %v", made.ID, err)
	}
}

// expireAt moves the expiry of a token to a time after the start.
func (s *scene) expireAt(made issuer.Token, d time.Duration) {
	s.Helper()
	s.update(made, token.Update{Wish: token.Wish{ExpiresAt: start.Add(d)}, Given: token.Members{Expiry: true}})
}

func (s *scene) warningDays(days ...int) {
	s.Helper()
	s.apply(settings.Change{WarningDays: &days})
}

// apply runs a command on the settings.
func (s *scene) apply(c settings.Command) {
	s.Helper()
	settingstest.Apply(s, s.store, storetest.Keys, s.now(), time.Hour, c)
}

func (s *scene) run() sweep.Result {
	s.Helper()
	r, err := s.sweep.Run(s.Context())
	if err != nil {
		s.Fatalf("the sweep: %v", err)
	}
	return r
}

// took returns the warnings and the expiries in the outbox, and removes them: a
// warning as the days with the time left, an expiry as "expired".
func (s *scene) took(id string) (got []string) {
	s.Helper()
	ms, err := s.store.Pending(s.Context(), start.AddDate(100, 0, 0), 1_000_000)
	if err != nil {
		s.Fatal(err)
	}
	var sent []string
	for _, m := range ms {
		switch {
		case m.Subject != id:
			continue
		case m.Type == "TokenExpiring":
			i := strings.LastIndexByte(m.ID, '/')
			got = append(got, m.ID[i+1:])
		case m.Type == "TokenExpired":
			got = append(got, "expired")
		}
		sent = append(sent, m.ID)
	}
	if err := s.store.Sent(context.WithoutCancel(s.Context()), sent...); err != nil {
		s.Fatal(err)
	}
	return got
}

func (s *scene) expect(what string, made issuer.Token, want ...string) {
	s.Helper()
	if got := s.took(made.ID); !slices.Equal(got, want) {
		s.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (s *scene) view(id string) events.View {
	s.Helper()
	v, _, err := s.store.Token(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return v
}
