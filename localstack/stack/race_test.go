package stack_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

// race creates far more at once than there are slots. Only some of the calls
// run at once, as on an account whose concurrency is limited: the emulator would
// start a process for each, and on a small machine none of them would be in
// time. Whoever is told 503 or 429 tries again, as those answers say.
func (s *stack) race(t *testing.T) {
	for _, function := range []string{"AuthorizeFunction", "CreateFunction"} {
		s.limit(t, function, 8)
		defer s.unlimit(t, function)
	}
	const tries, slots = 200, 4
	carl := person("carl")
	own := s.api.as(s.made(t, httpapi.CreateRequest{User: carl}).BearerToken.Reveal()) // of five
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes, answered := map[int]int{}, map[string]bool{}
	began := time.Now()
	for range tries {
		wg.Go(func() {
			for time.Since(began) < 3*time.Minute {
				c, err := own.Create(t.Context(), httpapi.CreateRequest{})
				outcome := status(err)
				mu.Lock()
				if err == nil {
					outcome = http.StatusOK
					answered[c.ID] = true
				}
				outcomes[outcome]++
				mu.Unlock()
				if outcome != http.StatusServiceUnavailable && outcome != http.StatusTooManyRequests {
					return
				}
				time.Sleep(mathrand.N(3 * time.Second))
			}
		})
	}
	wg.Wait()
	t.Logf("%v: answers by status %v", time.Since(began).Round(time.Millisecond), outcomes)
	l, err := own.List(t.Context(), httpapi.ListQuery{})
	if err != nil || len(l.Entries) != slots+1 {
		t.Errorf("got %d live tokens, %v, want %d", len(l.Entries), err, slots+1)
	}
	lost := slices.DeleteFunc(l.Entries, func(e httpapi.Entry) bool { return answered[e.ID] })
	if len(lost) > 1 { // the one that asked is none of the race's
		t.Logf("%d tokens were made for calls that the emulator gave up", len(lost)-1)
	}
	if got := outcomes[http.StatusOK] + len(lost) - 1; got != slots {
		t.Errorf("got %d tokens of %d creates at once, want %d", got, tries, slots)
	}
	if refused := outcomes[http.StatusConflict]; refused+outcomes[http.StatusOK] != tries {
		t.Errorf("%d creates were refused at the limit and %d were not, want all %d of them decided", refused, outcomes[http.StatusOK], tries)
	}
	for outcome := range outcomes {
		if !slices.Contains([]int{http.StatusOK, http.StatusConflict, http.StatusServiceUnavailable, http.StatusTooManyRequests}, outcome) {
			t.Errorf("some creates were answered with %d", outcome)
		}
	}
}

// limit reserves concurrent executions for a function, which is its maximum.
func (s *stack) limit(t *testing.T, function string, n int) {
	t.Helper()
	body := fmt.Appendf(nil, `{"ReservedConcurrentExecutions":%d}`, n)
	if a := s.root.send(t, request{"lambda", "PUT", s.concurrency(function), "application/json", nil, body}); !a.ok() {
		t.Fatalf("limiting %s: %s", function, a)
	}
}

func (s *stack) unlimit(t *testing.T, function string) {
	t.Helper()
	if a := s.root.send(t, request{"lambda", "DELETE", s.concurrency(function), "application/json", nil, nil}); !a.ok() {
		t.Fatalf("limiting %s no longer: %s", function, a)
	}
}

func (s *stack) concurrency(function string) string {
	return "/2017-10-31/functions/" + s.ids[function] + "/concurrency"
}
