package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/infra/eventfile"
)

const (
	aliveEvery   = time.Second // as for /healthz of the API
	readyEvery   = 10 * time.Second
	checkTimeout = 3 * time.Second
)

// health answers whether the service is alive and whether it is ready. Alive means that
// the store writes. If it does not, only a restart helps. Ready means that all calls
// can do their work. A service that is alive and not ready still checks tokens and may
// still revoke them, so the API does not answer /readyz: a load balancer would take
// the service away.
type health struct {
	alive, ready *check
	note         string // what a person should know although the service is ready; "": nothing
}

func newHealth(c Config, f *datadir.Folder, file *eventfile.File) *health {
	return &health{
		alive: &check{run: f.Store.Ready, every: aliveEvery, timeout: checkTimeout},
		ready: &check{every: cmp.Or(c.readyEvery, readyEvery), timeout: checkTimeout, changed: logReady(c.Logger), run: func(ctx context.Context) error {
			return errors.Join(f.Store.Ready(ctx), f.CheckWritable(), eventsReach(c, file))
		}},
	}
}

// newTableHealth is the health of a server on a table. Such a process is always alive: if
// the table does not answer, a restart does not help.
func newTableHealth(c Config, t *table, out *sending) *health {
	h := &health{
		alive: &check{run: func(context.Context) error { return nil }, every: aliveEvery, timeout: checkTimeout},
		ready: &check{every: cmp.Or(c.readyEvery, readyEvery), timeout: checkTimeout, slow: errSlowTable, changed: logReady(c.Logger), run: func(ctx context.Context) error {
			return errors.Join(t.answers(ctx), out.fault(c))
		}},
	}
	if out == nil {
		h.note = "this process has no --bus, so it sends no events: they stay unsent, unless a stack or another process publishes them"
	}
	return h
}

// fault returns the error of the last send, if this process sends the events now.
func (s *sending) fault(c Config) error {
	if s == nil || !s.Held() {
		return nil
	}
	if err := c.metrics.BusFault(); err != nil {
		return fmt.Errorf("the bus does not take events: %w", err)
	}
	return nil
}

// eventsReach returns an error if the event file does not take events: at the relay's
// last try, or because it cannot be opened.
func eventsReach(c Config, file *eventfile.File) error {
	if err := c.metrics.BusFault(); err != nil {
		return fmt.Errorf("the event file does not take events: %w", err)
	}
	return file.Writable()
}

// logReady returns a function that logs a change.
func logReady(logger *slog.Logger) func(context.Context, error) {
	return func(ctx context.Context, err error) {
		if err != nil {
			logger.ErrorContext(ctx, "the service is not ready", "error", err)
			return
		}
		logger.InfoContext(ctx, "the service is ready again")
	}
}

// check is a check that runs only if somebody asks, at most once in a time. It never
// runs twice at the same time: a check that a disk holds up is one goroutine, however
// many requests ask.
type check struct {
	run     func(context.Context) error // must respect its context, unless a disk holds it up
	every   time.Duration
	timeout time.Duration                // the longest time for an answer
	slow    error                        // the outcome if there is no answer; nil: errSlow
	changed func(context.Context, error) // is called when the outcome becomes an error, or none again; nil: nothing

	mu      sync.Mutex
	running chan struct{} // closed at the end of the check that runs; nil: none runs
	at      time.Time     // of the last end
	err     error         // the last outcome
}

// The outcomes of a check that did not end in time.
var (
	errSlow      = errors.New("the disk did not answer in time")
	errSlowTable = errors.New("the table did not answer in time")
)

// result returns the last outcome, or a new one if the last one is too old.
func (c *check) result(ctx context.Context) error {
	c.mu.Lock()
	if c.running == nil {
		if !c.at.IsZero() && time.Since(c.at) < c.every {
			defer c.mu.Unlock()
			return c.err
		}
		c.running = make(chan struct{})
		go c.once(context.WithoutCancel(ctx), c.running) // others wait for it too
	}
	ended := c.running
	c.mu.Unlock()
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-timer.C:
		return cmp.Or(c.slow, errSlow)
	}
}

func (c *check) once(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := c.run(limited)
	c.mu.Lock()
	before := c.err
	c.at, c.err, c.running = time.Now(), err, nil
	c.mu.Unlock()
	if c.changed != nil && (err == nil) != (before == nil) {
		c.changed(ctx, err)
	}
}
