package httpapi_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/functions/httpapi/machine"
)

// TestHealthChecksTheStoreAtMostOnceASecond: the call is open, so anybody could
// make the service read its store as often as they like.
func TestHealthChecksTheStoreAtMostOnceASecond(t *testing.T) {
	w := newScene(t)
	var checks atomic.Int32
	var broken atomic.Bool
	h := w.handler(func(c *machine.Config) {
		c.Ready = func(ctx context.Context) error {
			checks.Add(1)
			if _, limited := ctx.Deadline(); !limited || ctx.Err() != nil {
				t.Errorf("the check runs in a context without an own deadline, or in an ended one: %v", ctx.Err())
			}
			if broken.Load() {
				return errDown
			}
			return nil
		}
	})
	ask := func(want int) {
		t.Helper()
		ended, cancel := context.WithCancel(t.Context())
		cancel() // a client that has gone
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if s := handle(h, request(t, "GET", "/healthz", "").WithContext(ended)); s.status != want {
					t.Errorf("got %d, want %d", s.status, want)
				}
			})
		}
		group.Wait()
	}
	ask(http.StatusOK)
	broken.Store(true)
	w.sleep(time.Second - time.Nanosecond)
	ask(http.StatusOK)
	if got := checks.Load(); got != 1 {
		t.Errorf("100 requests within a second made %d checks, want 1", got)
	}
	w.sleep(time.Nanosecond)
	ask(http.StatusServiceUnavailable)
	broken.Store(false)
	w.sleep(time.Second)
	ask(http.StatusOK)
	w.sleep(-time.Hour) // the clock was set back
	ask(http.StatusOK)
	if got := checks.Load(); got != 4 {
		t.Errorf("got %d checks, want 4", got)
	}
}
