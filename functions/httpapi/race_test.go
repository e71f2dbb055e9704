package httpapi_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

func TestLimitHoldsUnder200ConcurrentCreatesOverHTTP(t *testing.T) {
	w := newScene(t)
	w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D"}) // four more are allowed
	soonest := w.clock().Add(24 * time.Hour)
	answers := make([]answer, 200)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range answers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			answers[i] = w.do("POST", collection, w.admin, `{"user":{"name":"ann"},"expires_in":"30D"}`)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	made := 0
	for _, s := range answers {
		if s.status == http.StatusOK {
			made++
			continue
		}
		p := s.expect(t, http.StatusConflict, "token_limit_reached").problem(t)
		if *p.TokenLimit != 5 || *p.LiveTokens != 5 || !p.SoonestExpiry.Equal(soonest) {
			t.Errorf("got %s, want limit 5, live 5, soonest %v", s.body, soonest)
		}
	}
	if made != 4 {
		t.Errorf("%d of 200 succeeded, want exactly 4", made)
	}
	if page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, "")); len(page.Entries) != 5 {
		t.Errorf("ann has %d live tokens, want 5", len(page.Entries))
	}
}
