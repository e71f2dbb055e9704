package machine

import (
	"context"
	"sync"
	"time"
)

const (
	// readyFor is how long an answer about the health is used again. The call is
	// open to everybody, and the check reads the store.
	readyFor = time.Second
	// readyTimeout is the time that a check may take.
	readyTimeout = 3 * time.Second
)

// readiness answers whether the service can do its work. However many requests
// ask, it checks at most once in readyFor, and one check at a time. Many
// goroutines may use it.
type readiness struct {
	check func(context.Context) error
	now   func() time.Time

	mu  sync.Mutex
	at  time.Time // of the last check
	err error     // its result
}

// ready returns the result of the last check, or of a new check if the last one
// is too old. A client that closes its connection does not end a check, because
// other clients wait for the same check.
func (r *readiness) ready(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.wallClock().Sub(r.at); age >= 0 && age < readyFor {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.err = r.check(ctx)
	r.at = r.wallClock()
	return r.err
}

// wallClock returns the time without a monotonic reading: the monotonic clock
// stops while a Lambda sandbox is frozen.
func (r *readiness) wallClock() time.Time { return r.now().Round(0) }
