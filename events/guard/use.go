package guard

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// storeTime is the maximum time that a request waits while its use or a notice is
// stored.
const storeTime = 100 * time.Millisecond

// StoreUse stores the use of a token that passed, if the last stored use is at
// least View.UseEvery old. It takes at most 100 ms and continues when the
// request is cancelled. A failure does not affect the request: StoreUse counts
// the failure and drops the use.
func (g *Guard) StoreUse(ctx context.Context, i Inspection) {
	now := instant.Cut(g.now())
	every := i.View.UseEvery()
	if now.Sub(i.Use.At) < every {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	use := events.Use{At: now, Every: every}
	if i.Source.IsValid() {
		use.Address = i.Source.String()
	}
	if err := g.uses.Touch(ctx, i.View.ID, use); err != nil {
		g.dropped.uses.Add(1)
		g.logDropped(ctx, "a last use was not stored", i.View.ID, err)
	}
}

// Dropped is what a guard could not store.
type Dropped struct {
	Uses    uint64
	Notices uint64 // a later use of the same secret sends a dropped notice again
}

// Dropped returns the numbers of uses and notices that this guard dropped.
func (g *Guard) Dropped() Dropped {
	return Dropped{Uses: g.dropped.uses.Load(), Notices: g.dropped.notices.Load()}
}

// drops counts what the guard dropped.
type drops struct {
	uses, notices atomic.Uint64
	warned        atomic.Int64 // the time of the last warning, in Unix seconds
}

// warnEvery is the least time between two warnings about dropped uses and notices,
// in seconds. A store that does not answer fails each request in the same way.
const warnEvery = 60

// logDropped warns about a dropped use or notice, at most once in warnEvery. All
// other lines have the level Debug. Damaged data is always an error: something
// other than this service wrote it.
func (g *Guard) logDropped(ctx context.Context, message, tokenID string, err error) {
	level := slog.LevelDebug
	now, last := g.now().Unix(), g.dropped.warned.Load()
	switch {
	case errors.Is(err, events.ErrDamaged):
		level = slog.LevelError
	case now-last >= warnEvery && g.dropped.warned.CompareAndSwap(last, now):
		level = slog.LevelWarn
	}
	g.log.LogAttrs(ctx, level, message, slog.String("token_id", tokenID), slog.Any("error", err),
		slog.Uint64("uses_dropped", g.dropped.uses.Load()), slog.Uint64("notices_dropped", g.dropped.notices.Load()))
}
