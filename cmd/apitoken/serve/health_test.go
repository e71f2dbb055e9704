package serve

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAChecksOutcomeIsUsedAgain for its time, however many ask.
func TestAChecksOutcomeIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, runs := errors.New("full"), 0
		var outcome error
		var changes []error
		c := &check{
			run:   func(context.Context) error { runs++; time.Sleep(time.Second); return outcome },
			every: 10 * time.Second, timeout: 3 * time.Second, changed: func(_ context.Context, err error) { changes = append(changes, err) },
		}
		ask := func(what string, want error, wantRuns int) {
			t.Helper()
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if got := c.result(t.Context()); got != want {
						t.Errorf("%s: got %v, want %v", what, got, want)
					}
				})
			}
			all.Wait()
			if runs != wantRuns {
				t.Errorf("%s: it ran %d times, want %d", what, runs, wantRuns)
			}
		}
		ask("first", nil, 1)
		outcome = full
		time.Sleep(9 * time.Second)
		ask("9 s later", nil, 1)
		time.Sleep(time.Second)
		ask("10 s later", full, 2)
		ask("at once", full, 2)
		time.Sleep(10 * time.Second)
		ask("still full", full, 3)
		outcome = nil
		time.Sleep(10 * time.Second)
		ask("in order again", nil, 4)
		if synctest.Wait(); len(changes) != 2 || changes[0] != full || changes[1] != nil {
			t.Errorf("got the changes %v, want %v and nil", changes, full)
		}
	})
}

// TestACheckThatADiskHoldsUpIsAnErrorAndRunsOnce. A client that leaves does not end it.
func TestACheckThatADiskHoldsUpIsAnErrorAndRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		disk := make(chan struct{})
		c := &check{run: func(context.Context) error { runs.Add(1); <-disk; return nil }, every: 10 * time.Second, timeout: 3 * time.Second}
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 4 {
			began := time.Now()
			if err := c.result(gone); err != errSlow || time.Since(began) != c.timeout || runs.Load() != 1 {
				t.Errorf("after %v: got %v, and it ran %d times", time.Since(began), err, runs.Load())
			}
		}
		close(disk)
		if synctest.Wait(); c.result(t.Context()) != nil || runs.Load() != 1 {
			t.Errorf("at the end: got %v, and it ran %d times", c.result(t.Context()), runs.Load())
		}
	})
}
