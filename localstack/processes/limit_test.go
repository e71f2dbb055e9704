package processes

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"apitoken/functions/httpapi"
)

// TestTheLimitHoldsAcrossProcesses: 200 clients ask two processes for tokens of one user
// at the same time. Exactly as many tokens are made as the limit allows, and each of
// them passes at both processes.
func TestTheLimitHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	const clients, limit = 200, 5 // the default limit
	s := newScene(t)
	a, b := s.table.Serve(nil), s.table.Serve(nil)
	admins := []*httpapi.Client{s.client(a, s.table.Admin), s.client(b, s.table.Admin)}
	var refused atomic.Int64
	var mu sync.Mutex
	var made []httpapi.Created
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			one, err := s.create(admins[n%2], wishOf("ann"))
			p, isProblem := errors.AsType[*httpapi.Problem](err)
			switch {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				made = append(made, one)
			case isProblem && p.Code == "token_limit_reached":
				refused.Add(1)
			default:
				t.Errorf("create: %v", err)
			}
		})
	}
	all.Wait()
	if len(made) != limit || refused.Load() != clients-limit {
		t.Errorf("got %d tokens and %d refusals, want %d and %d", len(made), refused.Load(), limit, clients-limit)
	}
	for _, one := range made {
		for _, p := range []*httpapi.Client{s.client(a, one.BearerToken.Reveal()), s.client(b, one.BearerToken.Reveal())} {
			if me, err := p.WhoAmI(t.Context()); err != nil || me.Name != "ann" {
				t.Errorf("a token of ann: got %+v, %v", me, err)
			}
		}
	}
	if got, err := admins[0].List(t.Context(), httpapi.ListQuery{User: "ann"}); err != nil || len(got.Entries) != limit {
		t.Errorf("a list has %d tokens, %v, want %d", len(got.Entries), err, limit)
	}
}
