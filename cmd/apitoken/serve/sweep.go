package serve

import (
	"context"
	"log/slog"
	"time"

	"apitoken/events/sweep"
)

const (
	// firstSweep is the time from the start to the first sweep. It catches up with
	// the time in which the server was off.
	firstSweep = time.Second

	// sweepEvery is the time between two sweeps.
	sweepEvery = 5 * time.Minute
)

// sweepLoop warns before tokens expire, and records expiries.
type sweepLoop struct {
	run    func(context.Context) (sweep.Result, error)
	every  time.Duration
	logger *slog.Logger
}

// start starts the loop. The returned function stops the sweep that runs, and
// returns when it has stopped. What it did not reach is for the next start.
func (l *sweepLoop) start(ctx context.Context) (stop func()) {
	return repeat(ctx, firstSweep, l.every, l.once)
}

// repeat calls once after the time first, and then again a time every after its last
// end. The returned function ends the context of the call that runs, and returns when
// the call has returned. The end of ctx alone ends nothing: requests in flight come
// first.
func repeat(ctx context.Context, first, every time.Duration, once func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for wait := first; pause(ctx, wait); wait = every {
			once(ctx)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// pause waits, and returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// once runs one sweep. It writes a line if the sweep did something or failed, and no
// line every five minutes.
func (l *sweepLoop) once(ctx context.Context) {
	began := time.Now()
	r, err := l.run(ctx)
	attrs := []any{"warned", r.Warned, "expired", r.Expired, "duration_ms", float64(time.Since(began)) / float64(time.Millisecond)}
	switch {
	case ctx.Err() != nil:
		l.logger.InfoContext(ctx, "the sweep of expiries was stopped; the next start goes on", attrs...)
	case err != nil:
		l.logger.ErrorContext(ctx, "the sweep of expiries failed for some tokens; the next sweep tries again", append(attrs, "faults", r.Faults, "error", err)...)
	case r != sweep.Result{}:
		l.logger.InfoContext(ctx, "the sweep of expiries is done", attrs...)
	}
}
