package httpapi_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"apitoken/events/settings"
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

// TestRateHoldsUnder50ConcurrentCreatesOverHTTP: in each of two hours exactly as
// many creates succeed as the rate allows. All others get the seconds until the end
// of the hour, rounded up.
func TestRateHoldsUnder50ConcurrentCreatesOverHTTP(t *testing.T) {
	const rate = 6
	w := newScene(t)
	w.change(settings.Change{ChangeRate: new(rate), TokenLimit: new(50)})
	for _, wait := range []string{"3", "3600"} { // it is 20:59:57.642, later 21:00:00.000
		answers := make([]answer, 50)
		var ready, done sync.WaitGroup
		start := make(chan struct{})
		for i := range answers {
			ready.Add(1)
			done.Go(func() {
				ready.Done()
				<-start
				answers[i] = w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`)
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
			p := s.expect(t, http.StatusTooManyRequests, "change_rate_exceeded").problem(t)
			if got := s.header.Get("Retry-After"); got != wait || !p.Retryable {
				t.Errorf("got Retry-After %q and retryable %v, want %q and true", got, p.Retryable, wait)
			}
		}
		if made != rate {
			t.Errorf("%d of 50 succeeded, want exactly %d", made, rate)
		}
		w.sleep(2358 * time.Millisecond)
	}
}
