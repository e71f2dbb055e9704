package issuer

import (
	"context"
	"sync"
	"time"

	"apitoken/events"
)

// do is Do on the store of the issuer. While an urgent command runs on a stream, the other
// commands of this process wait with their next try. Without that, many cheap commands
// could win each race against a suspension, which writes all views of its user.
func do[S, C any](ctx context.Context, i *Issuer, r Rules[S, C], s events.Stream, m events.Meta, command func(at time.Time) C) (S, error) {
	if r.Urgent {
		defer i.turns.take(s)()
	} else {
		r.Turn = func(ctx context.Context) error { return i.turns.wait(ctx, s) }
	}
	return Do(ctx, i.store, i.keys, r, s, m, command)
}

// turns are the streams on which urgent commands run.
type turns struct {
	mu     sync.Mutex
	urgent map[events.Stream]*turn
}

// turn is the time of the urgent commands on one stream.
type turn struct {
	commands int
	over     chan struct{} // closed when the last of them ends
}

// take begins the turn of an urgent command. The caller calls end once. Urgent commands
// do not wait for each other.
func (t *turns) take(s events.Stream) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.urgent[s]
	if now == nil {
		now = &turn{over: make(chan struct{})}
		if t.urgent == nil {
			t.urgent = map[events.Stream]*turn{}
		}
		t.urgent[s] = now
	}
	now.commands++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if now.commands--; now.commands == 0 {
			delete(t.urgent, s)
			close(now.over)
		}
	}
}

// wait returns when the turn of the urgent commands on a stream is over, or with the
// error of ctx. It does not wait for the next turn, so that urgent commands one after the
// other do not keep the others from their tries.
func (t *turns) wait(ctx context.Context, s events.Stream) error {
	t.mu.Lock()
	now := t.urgent[s]
	t.mu.Unlock()
	if now == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-now.over:
		return nil
	}
}
