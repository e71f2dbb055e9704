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
	"apitoken/localstack/engines"
)

// outcomes counts the results of many creates.
type outcomes struct {
	mu       sync.Mutex
	byStatus map[int]int     // 200 for a token
	answered map[string]bool // ids of the tokens that were returned
}

// add counts one result and returns its status.
func (o *outcomes) add(c httpapi.Created, err error) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	status := statusOf(err)
	if err == nil {
		status = http.StatusOK
		o.answered[c.ID] = true
	}
	o.byStatus[status]++
	return status
}

// concurrentCreates sends far more simultaneous creates than there are slots. The
// functions' concurrency is limited, as on an account with a limit: the emulator
// starts a process for each call, and without the limit a small machine would
// answer none of the calls in time. After 503 and 429 the caller tries again.
func (s *stack) concurrentCreates(t *testing.T) {
	for _, function := range []string{"AuthorizeFunction", "CreateFunction"} {
		s.limitConcurrency(t, function, 8)
		defer s.unlimitConcurrency(t, function)
	}
	const tries, slots = 200, 4 // the user's first token takes one of the five slots
	own := s.api.client(s.createToken(t, httpapi.CreateRequest{User: newUser("carl")}).BearerToken.Reveal())
	o := &outcomes{byStatus: map[int]int{}, answered: map[string]bool{}}
	start := time.Now()
	var wg sync.WaitGroup
	for range tries {
		wg.Go(func() { createUntilDecided(t, own, o, start) })
	}
	wg.Wait()
	t.Logf("%v: answers by status %v", time.Since(start).Round(time.Millisecond), o.byStatus)
	l, err := own.List(t.Context(), httpapi.ListQuery{})
	if err != nil || len(l.Entries) != slots+1 {
		t.Errorf("got %d live tokens, %v, want %d", len(l.Entries), err, slots+1)
	}
	unanswered := slices.DeleteFunc(l.Entries, func(e httpapi.Entry) bool { return o.answered[e.ID] })
	made := len(unanswered) - 1 // without the user's first token
	if made > 0 {
		t.Logf("%d tokens were made by calls that the emulator did not answer", made)
	}
	if got := o.byStatus[http.StatusOK] + made; got != slots {
		t.Errorf("got %d tokens of %d simultaneous creates, want %d", got, tries, slots)
	}
	if refused := o.byStatus[http.StatusConflict]; refused+o.byStatus[http.StatusOK] != tries {
		t.Errorf("%d creates were refused at the limit and %d succeeded, want %d in all", refused, o.byStatus[http.StatusOK], tries)
	}
	for status := range o.byStatus {
		if !slices.Contains([]int{http.StatusOK, http.StatusConflict, http.StatusServiceUnavailable, http.StatusTooManyRequests}, status) {
			t.Errorf("some creates got status %d", status)
		}
	}
}

// createUntilDecided repeats a create after each 503 and 429, for three minutes
// from start.
func createUntilDecided(t *testing.T, own *httpapi.Client, o *outcomes, start time.Time) {
	for time.Since(start) < 3*time.Minute {
		status := o.add(own.Create(t.Context(), httpapi.CreateRequest{}))
		if status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
			return
		}
		time.Sleep(mathrand.N(3 * time.Second))
	}
}

// limitConcurrency reserves n concurrent executions for a function. This is also
// the function's maximum.
func (s *stack) limitConcurrency(t *testing.T, function string, n int) {
	t.Helper()
	body := fmt.Appendf(nil, `{"ReservedConcurrentExecutions":%d}`, n)
	s.root.MustSend(t, engines.Request{Service: "lambda", Method: "PUT", Path: s.concurrencyPath(function), Type: "application/json", Body: body})
}

func (s *stack) unlimitConcurrency(t *testing.T, function string) {
	t.Helper()
	s.root.MustSend(t, engines.Request{Service: "lambda", Method: "DELETE", Path: s.concurrencyPath(function), Type: "application/json"})
}

func (s *stack) concurrencyPath(function string) string {
	return "/2017-10-31/functions/" + s.ids[function] + "/concurrency"
}
