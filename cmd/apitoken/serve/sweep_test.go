package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events/sweep"
)

// TestASweepRunsAfterTheStartAndThenRegularly in a time that the test moves.
func TestASweepRunsAfterTheStartAndThenRegularly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		l := &sweepLoop{every: sweepEvery, logger: slog.New(slog.DiscardHandler), run: func(context.Context) (sweep.Result, error) {
			at = append(at, time.Since(began))
			time.Sleep(time.Minute)
			return sweep.Result{}, errors.New("a fault ends no loop")
		}}
		stop := l.start(t.Context())
		time.Sleep(20 * time.Minute)
		stop()
		if len(at) != 4 || at[0] != firstSweep || at[1] != firstSweep+time.Minute+sweepEvery {
			t.Errorf("got sweeps at %v", at)
		}
		time.Sleep(time.Hour)
		if len(at) != 4 {
			t.Errorf("got %d sweeps after the end, want none", len(at)-4)
		}
	})
}

// TestTheEndStopsTheSweepThatRuns and waits for it: the store is closed afterwards.
func TestTheEndStopsTheSweepThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		var log bytes.Buffer
		l := &sweepLoop{every: sweepEvery, logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(ctx context.Context) (sweep.Result, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // the last write
			ended = true
			return sweep.Result{Warned: 3}, ctx.Err()
		}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := l.start(ctx)
		time.Sleep(time.Minute)
		cancel() // the end of the server's context alone stops nothing: requests in flight come first
		time.Sleep(time.Minute)
		if ended {
			t.Error("the sweep was stopped before the requests in flight had ended")
		}
		stop()
		if !ended || !strings.Contains(log.String(), "the next start goes on") || strings.Contains(log.String(), "ERROR") {
			t.Errorf("ended: %t, log: %s", ended, &log)
		}
	})
}

func TestASweepWritesALineOnlyIfItDidSomething(t *testing.T) {
	for _, c := range []struct {
		result sweep.Result
		err    error
		want   string
	}{
		{sweep.Result{}, nil, ""},
		{sweep.Result{Warned: 2, Expired: 3}, nil, "warned=2 expired=3"},
		{sweep.Result{Faults: 1}, sweep.ErrFaults, "faults=1"},
	} {
		var log bytes.Buffer
		l := &sweepLoop{logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(context.Context) (sweep.Result, error) { return c.result, c.err }}
		l.once(t.Context())
		if !strings.Contains(log.String(), c.want) || (c.want == "") != (log.Len() == 0) {
			t.Errorf("%+v: got %q, want %q", c, &log, c.want)
		}
	}
}
