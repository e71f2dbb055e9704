package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
)

// onceBy creates a token of the owner with the request key of that owner.
func (s *scene) onceBy(ctx context.Context, owner string) (issuer.Minted, error) {
	by := guard.Principal{Owner: owner, TokenID: "JhxND7ci"}
	return s.CreateOnce(ctx, by, issuer.RequestKey{Route: "POST /x", Value: "the request of " + owner}, "", token.Wish{})
}

// TestFiftyCallsWithOneKeyMakeOneToken: from two handlers, each with its own
// connection to the table.
func TestFiftyCallsWithOneKeyMakeOneToken(t *testing.T) {
	c := client(t)
	store := dynamo.New(c, newTable(t, c))
	handlers := []*scene{newScene(store, time.Now), newScene(store, time.Now)}
	answers, errs := make([]issuer.Minted, 50), make([]error, 50)
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() {
			for try := 0; try < 20; try++ { // a busy answer asks the client for a repeat
				if answers[n], errs[n] = handlers[n%2].onceBy(t.Context(), "ann"); !errors.Is(errs[n], issuer.ErrBusy) {
					return
				}
			}
		})
	}
	wg.Wait()
	first := 0
	for n, a := range answers {
		if errs[n] != nil || a.Text.Reveal() != answers[0].Text.Reveal() || a.ID != answers[0].ID {
			t.Errorf("call %d: got token %s, %v, want the one of call 0, %s", n, a.ID, errs[n], answers[0].ID)
		}
		if !a.Replayed {
			first++
		}
	}
	if _, rs := handlers[0].expectSound(t, "ann"); len(rs) != 1 || first > 1 {
		t.Errorf("the log has %d records and %d answers are the first, want 1 record and at most 1 first answer", len(rs), first)
	}
}

// TestALostAnswerIsRepeated sends 1,000 requests over a network that loses requests
// and answers in every way, each until it has an answer. Each makes one token, also
// for the last slot of a user.
func TestALostAnswerIsRepeated(t *testing.T) {
	const requests, callers = 1000, 16
	c := client(t)
	f := newFaulty(9)
	table := newTable(t, c)
	s, sound := newScene(dynamo.New(via(c, f), table), time.Now), newScene(dynamo.New(c, table), time.Now)
	var mu sync.Mutex
	replayed, repeated := 0, 0
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i; n < requests; n += callers {
				owner := fmt.Sprintf("user%d", n)
				for range slotsTaken(n) {
					if _, _, err := sound.Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{}); err != nil {
						t.Error(err)
					}
				}
				answer, tries := untilAnswered(t, owner, func(ctx context.Context) (issuer.Minted, error) { return s.onceBy(ctx, owner) })
				again, err := sound.onceBy(t.Context(), owner)
				if err != nil || again.Text.Reveal() != answer.Text.Reveal() || sound.check(t, again.Text) != nil {
					t.Errorf("%s: got token %s, %v, want %s", owner, again.ID, err, answer.ID)
				}
				mu.Lock()
				if repeated += tries - 1; answer.Replayed {
					replayed++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.land()
	for n := range requests {
		owner := fmt.Sprintf("user%d", n)
		if _, rs := sound.expectSound(t, owner); len(rs) != slotsTaken(n)+1 {
			t.Errorf("%s: the log has %d records, want %d", owner, len(rs), slotsTaken(n)+1)
		}
	}
	t.Logf("%d repeats, %d answers were replayed, faults %v", repeated, replayed, f.count)
	if replayed < 10 || len(f.count) != len(kinds) {
		t.Errorf("%d answers were replayed, faults %v: too few to show anything", replayed, f.count)
	}
}

// slotsTaken is the number of tokens that user n has before the request: a quarter
// of the users has one slot left.
func slotsTaken(n int) int {
	if n%4 == 1 {
		return tokenLimit - 1
	}
	return 0
}

// untilAnswered sends the request of an owner until there is an answer. Each try has
// little time, so many end before their outcome is known.
func untilAnswered(t *testing.T, owner string, request func(context.Context) (issuer.Minted, error)) (answer issuer.Minted, tries int) {
	for tries = 1; ; tries++ {
		ctx, cancel := context.WithTimeout(withFaults(t.Context(), 0.5), 300*time.Millisecond)
		answer, err := request(ctx)
		cancel()
		if err == nil || tries == 200 {
			if err != nil {
				t.Errorf("%s: no answer after %d tries: %v", owner, tries, err)
			}
			return answer, tries
		}
		if !errors.Is(err, issuer.ErrBusy) {
			t.Errorf("%s: got %v, want a fault that asks for a repeat", owner, err)
			return answer, tries
		}
	}
}

// rotateBy rotates the token that is shown, with one request key.
func (s *scene) rotateBy(ctx context.Context, shown secret.Secret) (issuer.Minted, error) {
	parsed, err := secret.Parse(shown.Reveal())
	if err != nil {
		return issuer.Minted{}, err
	}
	by, err := s.Guard().Check(ctx, parsed, netip.Addr{})
	if err != nil {
		return issuer.Minted{}, fmt.Errorf("%w: %w", issuer.ErrBusy, err)
	}
	return s.RotateOnce(ctx, by, issuer.RequestKey{Route: "POST /self", Value: "the request of " + parsed.ID}, parsed.ID, nil, nil)
}

// TestALostSelfRotationIsRepeated sends 1,000 self-rotations over a network that
// loses requests and answers in every way, each with the old secret until it has an
// answer. Each makes one secret, also for a user at the limit.
func TestALostSelfRotationIsRepeated(t *testing.T) {
	const requests, callers = 1000, 16
	c := client(t)
	f := newFaulty(10)
	table := newTable(t, c)
	s, sound := newScene(dynamo.New(via(c, f), table), time.Now), newScene(dynamo.New(c, table), time.Now)
	var replayed, repeated atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i; n < requests; n += callers {
				owner := fmt.Sprintf("user%d", n)
				var old secret.Secret
				for range slotsTaken(n) + 1 {
					var err error
					if _, old, err = sound.Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{}); err != nil {
						t.Error(err)
					}
				}
				answer, tries := untilAnswered(t, owner, func(ctx context.Context) (issuer.Minted, error) { return s.rotateBy(ctx, old) })
				again, err := sound.rotateBy(t.Context(), old)
				if err != nil || !again.Replayed || again.Text.Reveal() != answer.Text.Reveal() || sound.check(t, again.Text) != nil {
					t.Errorf("%s: got token %s, %v, want the first answer", owner, again.ID, err)
				}
				repeated.Add(int64(tries - 1))
				if answer.Replayed {
					replayed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	f.land()
	for n := range requests {
		owner := fmt.Sprintf("user%d", n)
		if _, rs := sound.expectSound(t, owner); len(rs) != slotsTaken(n)+2 {
			t.Errorf("%s: the log has %d records, want %d", owner, len(rs), slotsTaken(n)+2)
		}
	}
	t.Logf("%d repeats, %d answers were replayed, faults %v", repeated.Load(), replayed.Load(), f.count)
	if replayed.Load() < 10 || len(f.count) != len(kinds) {
		t.Errorf("%d answers were replayed, faults %v: too few to show anything", replayed.Load(), f.count)
	}
}
