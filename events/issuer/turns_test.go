package issuer_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// uphill is a store in which a commit that suspends takes a second, and each other one a
// millisecond.
type uphill struct {
	events.Store
	suspensions atomic.Int64
}

func (u *uphill) Commit(ctx context.Context, c events.Commit) error {
	took := time.Millisecond
	for _, r := range c.Records() {
		if r.Type == "UserSuspended" {
			u.suspensions.Add(1)
			took = time.Second
		}
	}
	time.Sleep(took)
	return u.Store.Commit(ctx, c)
}

// TestCheapCommandsWaitForASlowUrgentOne: in one process, ten clients that change a token
// all the time lose against a suspension whose commit takes a thousand times as long.
// They get their answers when it has ended.
func TestCheapCommandsWaitForASlowUrgentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.grant("admin", settings.Actions()...)
		s.changeRate(0)
		ann := person("ann")
		_, shown := s.create(ann, "", token.Wish{})
		store := &uphill{Store: s.store}
		i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys})
		ctx, cancel := context.WithCancel(t.Context())
		var changes atomic.Int64
		var clients sync.WaitGroup
		for n := range 10 {
			clients.Go(func() {
				for k := 0; ctx.Err() == nil; k++ {
					name := strconv.Itoa(n) + "-" + strconv.Itoa(k)
					if _, err := i.Update(ctx, ann, shown.ID, token.Update{Wish: token.Wish{Name: name}, Given: token.Members{Name: true}}); err == nil {
						changes.Add(1)
					}
					time.Sleep(time.Millisecond) // a refusal takes no time, and time must pass
				}
			})
		}
		for changes.Load() < 10 {
			time.Sleep(time.Millisecond)
		}
		limited, end := context.WithTimeout(t.Context(), 10*time.Second)
		defer end()
		if _, err := i.Suspend(limited, person("admin"), "ann", ""); err != nil {
			t.Errorf("suspending: %v", err)
		}
		if tries := store.suspensions.Load(); tries > 3 { // one for each of the two streams, and one that met a change in flight
			t.Errorf("the suspension took %d commits, want 3 at most", tries)
		}
		cancel()
		clients.Wait()
	})
}
