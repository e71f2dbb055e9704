package lease

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Config has the parts of a Keeper. Store and Name are required.
type Config struct {
	Store  Store
	Name   string               // of the work
	Logger *slog.Logger         // default: none
	Now    func() time.Time     // the wall clock; default time.Now
	Since  func() time.Duration // a monotonic clock; default: the time since New
}

// Keeper takes and renews one lease for this process.
type Keeper struct {
	c Config

	mu    sync.Mutex
	held  Entry         // zero: this process does not have the lease
	until time.Duration // the end of the time for work, by the monotonic clock
	ends  time.Time     // the same by the wall clock

	last    string // the holder of the last entry that this process has tried to write
	trouble string // the last error in the log; an error that stays is logged once
}

// New makes a Keeper with the defaults of Config filled in.
func New(c Config) *Keeper {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Since == nil {
		start := time.Now()
		c.Since = func() time.Duration { return time.Since(start) }
	}
	return &Keeper{c: c}
}

// Run calls work each time when this process has taken the lease, until ctx ends. The
// context of work ends with ctx, and with the cause ErrNotHeld when the lease is not
// renewed in time. Run waits until work has returned. Then it releases the lease, so the
// next process need not wait.
func (k *Keeper) Run(ctx context.Context, work func(context.Context)) {
	for k.take(ctx) {
		k.c.Logger.InfoContext(ctx, "this process has the lease now", "lease", k.c.Name)
		k.hold(ctx, work)
	}
}

// Held reports whether this process has the lease, with time for work left.
func (k *Keeper) Held() bool { return k.left() > 0 }

// Cover returns a context that ends Margin before the lease. It returns ErrNotHeld if
// that moment has passed. Call it directly before each send.
func (k *Keeper) Cover(ctx context.Context) (context.Context, context.CancelFunc, error) {
	left := k.left()
	if left <= 0 {
		return nil, nil, ErrNotHeld
	}
	covered, cancel := context.WithTimeoutCause(ctx, left, ErrNotHeld)
	return covered, cancel, nil
}

// left is the time for work that is left: the shorter one by the two clocks. The wall
// clock may have been set back, and the monotonic clock may have stood still.
func (k *Keeper) left() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held.Holder == "" {
		return 0
	}
	return min(k.until-k.c.Since(), k.ends.Sub(k.wall()))
}

// wall is the wall clock. Round removes the monotonic clock.
func (k *Keeper) wall() time.Time { return k.c.Now().Round(0).UTC() }

// lease is an entry that this process is about to write. Its times count from before
// the write.
type lease struct {
	Entry
	until time.Duration
	ends  time.Time
}

func (k *Keeper) next(holder string, beat uint64) lease {
	now := k.wall()
	return lease{
		Entry: Entry{Holder: holder, Beat: beat, End: now.Add(Length)},
		until: k.c.Since() + Length - Margin, ends: now.Add(Length - Margin),
	}
}

func (k *Keeper) set(l lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.until, k.ends = l.Entry, l.until, l.ends
}

// take waits until this process has the lease. It returns false if ctx ends before.
func (k *Keeper) take(ctx context.Context) bool {
	var seen Entry
	var since time.Duration // when the entry was first seen as it is now
	for ctx.Err() == nil {
		now, err := k.read(ctx)
		switch {
		case err != nil:
			k.report(ctx, "reading the lease", err)
		case now.Holder == "", now.Holder == k.last, now.same(seen) && k.c.Since()-since >= takeAfter:
			if k.tryTake(ctx, now) {
				return true
			}
		case !now.same(seen):
			seen, since = now, k.c.Since()
		}
		pause(ctx, LookEvery)
	}
	return false
}

func (k *Keeper) read(ctx context.Context) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return k.c.Store.Lease(ctx, k.c.Name)
}

func (k *Keeper) tryTake(ctx context.Context, seen Entry) bool {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	next := k.next(rand.Text(), 1)
	k.last = next.Holder // if there is no answer, the next look finds whether this entry was written
	taken, err := k.c.Store.Take(limited, k.c.Name, seen, next.Entry)
	if err != nil {
		k.report(ctx, "taking the lease", err)
		return false
	}
	if taken {
		k.trouble = ""
		k.set(next)
	}
	return taken
}

// hold works until ctx or the work ends, or the lease is lost.
func (k *Keeper) hold(ctx context.Context, work func(context.Context)) {
	working, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(working)
	}()
	kept := k.renew(ctx, ended)
	if kept {
		stop(nil)
	} else {
		stop(ErrNotHeld)
	}
	<-ended
	holder := k.held.Holder
	k.set(lease{})
	if kept {
		k.release(ctx, holder)
	}
}

// renew renews the lease until ctx or the work ends, and then returns true. It returns
// false when the lease is lost, or not renewed in time.
func (k *Keeper) renew(ctx context.Context, ended <-chan struct{}) (kept bool) {
	for wait := RenewEvery; ; {
		timer := time.NewTimer(max(0, min(wait, k.left())))
		select {
		case <-ctx.Done():
			timer.Stop()
			return true
		case <-ended:
			timer.Stop()
			return true
		case <-timer.C:
		}
		if !k.Held() {
			k.c.Logger.WarnContext(ctx, "the lease was not renewed in time; its work stops", "lease", k.c.Name)
			return false
		}
		began := k.c.Since()
		renewed, err := k.renewOnce(ctx)
		switch {
		case err != nil:
			k.report(ctx, "renewing the lease", err)
			wait = LookEvery
		case !renewed:
			k.c.Logger.WarnContext(ctx, "another process has the lease; its work stops here", "lease", k.c.Name)
			return false
		default:
			k.trouble = ""
			wait = RenewEvery - (k.c.Since() - began)
		}
	}
}

func (k *Keeper) renewOnce(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	next := k.next(k.held.Holder, k.held.Beat+1)
	renewed, err := k.c.Store.Renew(ctx, k.c.Name, next.Entry)
	if renewed {
		k.set(next)
	}
	return renewed, err
}

// release also works after the end of ctx.
func (k *Keeper) release(ctx context.Context, holder string) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := k.c.Store.Release(limited, k.c.Name, holder); err != nil {
		k.report(ctx, "releasing the lease", err)
		return
	}
	k.c.Logger.InfoContext(ctx, "this process has released the lease", "lease", k.c.Name)
}

// report logs an error, unless it is the last one again or follows from the end of ctx.
func (k *Keeper) report(ctx context.Context, action string, err error) {
	text := fmt.Sprintf("%s %s: %v", action, k.c.Name, err)
	if ctx.Err() != nil || text == k.trouble {
		return
	}
	k.trouble = text
	k.c.Logger.ErrorContext(ctx, "the lease cannot be kept; the next try follows", "lease", k.c.Name, "error", fmt.Errorf("%s: %w", action, err))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
