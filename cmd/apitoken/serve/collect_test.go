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

	"apitoken/events"
)

// TestACollectionRunsRegularlyUntilTheEnd with the time of its start. The end stops
// the collection that runs, and waits for it: the store is closed afterwards.
func TestACollectionRunsRegularlyUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), false
		var at []time.Duration
		var log bytes.Buffer
		l := &collectLoop{logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(ctx context.Context, now time.Time) (events.Collected, error) {
			if at = append(at, now.Sub(began)); len(at) < 3 {
				return events.Collected{}, errors.New("a fault ends no loop")
			}
			<-ctx.Done()
			time.Sleep(time.Second) // the last transaction
			ended = true
			return events.Collected{Records: 7}, ctx.Err()
		}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := l.start(ctx)
		time.Sleep(time.Hour)
		cancel() // requests in flight come first
		time.Sleep(time.Minute)
		if ended {
			t.Error("the collection was stopped before the requests in flight had ended")
		}
		stop()
		if len(at) != 3 || at[0] != collectEvery || at[2] != 3*collectEvery {
			t.Errorf("got collections at %v", at)
		}
		if !ended || !strings.Contains(log.String(), "the next start goes on\" records=7") {
			t.Errorf("ended: %t, log: %s", ended, &log)
		}
	})
}

func TestACollectionWritesALineOnlyIfItDidSomething(t *testing.T) {
	for _, c := range []struct {
		result events.Collected
		err    error
		want   string
	}{
		{events.Collected{}, nil, ""},
		{events.Collected{Records: 1, Views: 2, Replies: 3, Notices: 4}, nil, "records=1 tokens=2 replies=3 notices=4"},
		{events.Collected{Records: 1}, errors.New("disk"), "error=disk"},
	} {
		var log bytes.Buffer
		l := &collectLoop{logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(context.Context, time.Time) (events.Collected, error) { return c.result, c.err }}
		l.once(t.Context())
		if !strings.Contains(log.String(), c.want) || (c.want == "") != (log.Len() == 0) {
			t.Errorf("%+v: got %q, want %q", c, &log, c.want)
		}
	}
}
