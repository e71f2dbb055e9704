package dynamo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/lifetest"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
	"apitoken/localstack/longtest"
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

// TestLostAnswersAreRepeated over a network that loses requests and answers in every
// way. Each try has little time, so many end before their outcome is known. Later tries
// have more, because an engine on a busy machine may need it.
func TestLostAnswersAreRepeated(t *testing.T) {
	lifetest.LostAnswers(t, longtest.Amount(100, 1000), func(t *testing.T) lifetest.Lossy {
		c, f := client(t), newFaulty(9)
		table := newTable(t, c)
		t.Cleanup(func() {
			if t.Logf("faults %v", f.count); len(f.count) != len(kinds) {
				t.Errorf("got the faults %v, want all of %q", f.count, kinds)
			}
		})
		return lifetest.Lossy{
			Store: dynamo.New(via(c, f), table), Sound: dynamo.New(c, table), Callers: 16,
			Try: func(ctx context.Context, n int) (context.Context, context.CancelFunc) {
				return context.WithTimeout(withFaults(ctx, 0.5), 300*time.Millisecond*time.Duration(1+n/10))
			},
			Land: func(context.Context) { f.land() },
		}
	})
}
