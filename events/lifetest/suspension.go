package lifetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
)

// racers is the number of clients that call while a suspension runs.
const racers = 50

// Suspension suspends a user while fifty clients call with every secret of this
// user that they have, and with every secret that they get meanwhile: they
// authorize, create, rotate, update and open sessions. The clients delay neither a revocation nor
// the suspension until it fails. After the answer no call that begins later passes,
// no secret authenticates, and no record is written.
func Suspension(t *testing.T, open Open) {
	t.Helper()
	s := newService(t, open(t))
	for range 5 {
		s.learn(s.create(t, s.boss, "judy"))
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for n := range racers {
		all.Go(func() { s.race(t, n, done) })
	}
	shown := func() bool { return s.accepted.Load() > 0 && s.version(t, events.SessionStream("judy")) > 0 }
	for end := time.Now().Add(time.Minute); s.calls.Load() < 2*racers || !shown() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := s.Revoke(t.Context(), s.boss, s.secrets()[0].ID); err != nil {
		t.Errorf("revoking while %d clients call: %v", racers, err)
	}
	begun := time.Now()
	if err := errorOf(s.Suspend(t.Context(), s.boss, "judy", "stolen laptop")); err != nil {
		t.Errorf("suspending while %d clients call: %v", racers, err)
	}
	s.answered.Store(true)
	version, signIns := s.version(t, events.UserStream("judy")), s.version(t, events.SessionStream("judy"))
	after := s.calls.Load()
	t.Logf("the suspension took %v; %d calls began before its answer, and %d secrets are known", time.Since(begun), after, len(s.secrets()))
	for s.calls.Load() < after+4*racers && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	close(done)
	all.Wait()
	if s.accepted.Load() == 0 {
		t.Error("no command of the clients was accepted, so the test has shown nothing")
	}
	if now, of := s.version(t, events.UserStream("judy")), s.version(t, events.SessionStream("judy")); now != version || of != signIns {
		t.Errorf("%d records about tokens and %d about sessions were written after the answer", now-version, of-signIns)
	}
	if signIns < 3 { // a sign-in, the suspension and the end of the session
		t.Error("no session was opened before the suspension, so the test has shown nothing about them")
	}
	for _, shown := range s.secrets() {
		switch code := s.denial(t, shown); code {
		case guard.CodeSuspended, guard.CodeReplaced, guard.CodeInvalid, guard.CodeRevoked:
		default:
			t.Errorf("a secret of token %s: got %q, want a denial", shown.ID, code)
		}
	}
	s.expectSound(t, "judy")
}

// race calls until done is closed, each time with another secret.
func (s *service) race(t *testing.T, n int, done <-chan struct{}) {
	for i := n; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		known := s.secrets()
		use, other := known[i*7%len(known)], known[i*11%len(known)]
		late := s.answered.Load()
		s.calls.Add(1)
		p, err := s.Guard().Check(t.Context(), use, here)
		if err != nil {
			s.expectAnswer(t, "authorize", err)
			continue
		}
		s.expectEarly(t, "authorize", late)
		s.command(t, i, p, other.ID)
	}
}

// command gives a command with a caller that has passed. A token is changed by
// another one, because a token may rotate itself only now and then.
func (s *service) command(t *testing.T, i int, by guard.Principal, id string) {
	var text secret.Secret
	var err error
	verb, late := [...]string{"create", "rotate", "update", "authorize", "sign in"}[i%5], s.answered.Load()
	switch verb {
	case "sign in":
		if i%2 == 0 && by.Kind == guard.KindToken {
			_, text, err = s.OpenSessionWith(t.Context(), by, false)
		} else {
			_, text, err = s.OpenSession(t.Context(), issuer.SignIn{Owner: by.Owner, Via: guard.ViaPassword})
		}
	case "create":
		_, text, err = s.Create(t.Context(), by, "", token.Wish{})
	case "rotate":
		_, text, err = s.Rotate(t.Context(), by, id, nil, nil)
	case "update":
		_, err = s.Update(t.Context(), by, id, token.Update{Wish: token.Wish{Name: fmt.Sprint("n", i)}, Given: token.Members{Name: true}})
	case "authorize":
		return
	}
	if err != nil {
		s.expectAnswer(t, verb, err)
		return
	}
	s.expectEarly(t, verb, late)
	s.accepted.Add(1)
	if verb != "update" {
		s.learn(parse(t, text))
	}
}

func (s *service) expectEarly(t *testing.T, verb string, late bool) {
	if late {
		t.Errorf("%s began after the answer of the suspension, and passed", verb)
	}
}

// expectAnswer accepts refusals, denials, and faults that ask for a repeat.
func (s *service) expectAnswer(t *testing.T, verb string, err error) {
	_, refused := errors.AsType[*events.Refusal](err)
	_, denied := errors.AsType[*guard.Denial](err)
	if !refused && !denied && !errors.Is(err, issuer.ErrBusy) {
		t.Errorf("%s: got the fault %v", verb, err)
	}
}

// service is an issuer with an administrator, and the secrets of one user.
type service struct {
	*issuer.Issuer
	store events.Store
	boss  guard.Principal

	calls, accepted atomic.Int64
	answered        atomic.Bool
	mu              sync.Mutex
	known           []secret.Token
}

func newService(t *testing.T, store events.Store) *service {
	t.Helper()
	s := &service{Issuer: issuer.New(issuer.Config{Store: store, Keys: storetest.Keys}), store: store}
	_, text, err := s.Bootstrap(t.Context(), "boss", false)
	if err != nil {
		t.Fatal(err)
	}
	if s.boss, err = s.Guard().Check(t.Context(), parse(t, text), here); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeSettings(t.Context(), s.boss, settings.Change{TokenLimit: new(token.MaxTokenLimit), ChangeRate: new(0)}); err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, text secret.Secret) secret.Token {
	t.Helper()
	shown, err := secret.Parse(text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

func (s *service) create(t *testing.T, by guard.Principal, owner string) secret.Token {
	t.Helper()
	_, text, err := s.Create(t.Context(), by, owner, token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func (s *service) learn(shown secret.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = append(s.known, shown)
}

func (s *service) secrets() []secret.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[:len(s.known):len(s.known)]
}

// denial is the code of the guard's answer, empty if the secret passes.
func (s *service) denial(t *testing.T, shown secret.Token) string {
	t.Helper()
	_, err := s.Guard().Check(context.WithoutCancel(t.Context()), shown, here)
	if err == nil {
		return ""
	}
	d, denied := errors.AsType[*guard.Denial](err)
	if !denied {
		t.Fatalf("checking token %s: %v", shown.ID, err)
	}
	return d.Code
}

func (s *service) version(t *testing.T, stream events.Stream) uint64 {
	t.Helper()
	h, err := s.store.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return h.Version
}
