package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// atOnce calls do n times at the same time, and returns the answers.
func atOnce(n int, do func(i int) answer) []answer {
	answers := make([]answer, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range answers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			answers[i] = do(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return answers
}

// changing is every how many calls of the next test one changes a token.
const changing = 10

// TestLimitHoldsUnder200ConcurrentCreatesOverHTTP: some of the 200 calls rotate or
// update a token of the same user. The limit refuses none of those, and they take no
// slot.
func TestLimitHoldsUnder200ConcurrentCreatesOverHTTP(t *testing.T) {
	w := newScene(t)
	first, _ := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D"}) // four more are allowed
	soonest := w.clock().Add(24 * time.Hour)
	w.change(settings.Change{ChangeRate: new(0)})
	answers := atOnce(200, func(i int) answer {
		switch i % (2 * changing) {
		case 0:
			return w.do("POST", collection+first.ID+"/rotate", w.admin, "")
		case changing:
			return w.do("PATCH", collection+first.ID, w.admin, fmt.Sprintf(`{"name":"name %d"}`, i))
		}
		return w.do("POST", collection, w.admin, `{"user":{"name":"ann"},"expires_in":"30D"}`)
	})
	made := 0
	for i, s := range answers {
		switch {
		case i%changing == 0:
			s.expect(t, http.StatusOK, "")
			continue
		case s.status == http.StatusOK:
			made++
			continue
		}
		p := s.expect(t, http.StatusConflict, "token_limit_reached").problem(t)
		if *p.TokenLimit != 5 || *p.LiveTokens != 5 || !p.SoonestExpiry.Equal(soonest) {
			t.Errorf("got %s, want limit 5, live 5, soonest %v", s.body, soonest)
		}
	}
	if made != 4 {
		t.Errorf("%d creates succeeded, want exactly 4", made)
	}
	if page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, "")); len(page.Entries) != 5 {
		t.Errorf("ann has %d live tokens, want 5", len(page.Entries))
	}
}

// TestRateHoldsUnder50ConcurrentChangesOverHTTP: in each of two hours exactly as many
// creates, rotations and updates succeed as the rate allows, in any mixture. All
// others get the seconds until the end of the hour, rounded up.
func TestRateHoldsUnder50ConcurrentChangesOverHTTP(t *testing.T) {
	const rate = 6
	w := newScene(t)
	first, _ := w.make(httpapi.CreateRequest{User: named("ann")}) // one change of the first hour
	w.change(settings.Change{ChangeRate: new(rate), TokenLimit: new(50)})
	for _, hour := range []struct {
		left int
		wait string
	}{{rate - 1, "3"}, {rate, "3600"}} { // it is 20:59:57.642, later 21:00:00.000
		answers := atOnce(50, func(i int) answer {
			switch i % 3 {
			case 0:
				return w.do("POST", collection+first.ID+"/rotate", w.admin, "")
			case 1:
				return w.do("PATCH", collection+first.ID, w.admin, fmt.Sprintf(`{"name":"name %d in %s"}`, i, hour.wait)) // the name that it has would be no change
			}
			return w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`)
		})
		done := 0
		for _, s := range answers {
			if s.status == http.StatusOK {
				done++
				continue
			}
			p := s.expect(t, http.StatusTooManyRequests, "change_rate_exceeded").problem(t)
			if got := s.header.Get("Retry-After"); got != hour.wait || !p.Retryable {
				t.Errorf("got Retry-After %q and retryable %v, want %q and true", got, p.Retryable, hour.wait)
			}
		}
		if done != hour.left {
			t.Errorf("%d of 50 succeeded, want exactly %d", done, hour.left)
		}
		w.sleep(2358 * time.Millisecond)
	}
}
