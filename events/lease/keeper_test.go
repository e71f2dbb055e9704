package lease_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events/lease"
)

// process is a process with a keeper, in the time of a bubble.
type process struct {
	*lease.Keeper
	link  *link
	clock atomic.Int64 // how far its wall clock is ahead, in nanoseconds
	mono  atomic.Int64 // how far its monotonic clock is behind: the time in which it stood still
	stop  func()
	begun atomic.Int32 // how often its work has begun

	mu    sync.Mutex
	cause error // of the last end of its work
	log   bytes.Buffer
}

// start starts a process whose wall clock is ahead.
func start(t *testing.T, s lease.Store, ahead time.Duration) *process {
	t.Helper()
	p := &process{link: &link{Store: s}}
	p.clock.Store(int64(ahead))
	began := time.Now()
	p.Keeper = lease.New(lease.Config{
		Store: p.link, Name: "relay", Logger: slog.New(slog.NewTextHandler(&locked{p}, nil)),
		Now:   func() time.Time { return time.Now().Add(time.Duration(p.clock.Load())) },
		Since: func() time.Duration { return time.Since(began) - time.Duration(p.mono.Load()) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx, func(ctx context.Context) {
			p.begun.Add(1)
			<-ctx.Done()
			p.mu.Lock()
			defer p.mu.Unlock()
			p.cause = context.Cause(ctx)
		})
	}()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			<-ended
		})
	}
	return p
}

type locked struct{ p *process }

func (l *locked) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// bubble runs a test with two processes. The first one has the lease.
func bubble(t *testing.T, ahead time.Duration, test func(*testing.T, *memory, *process, *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a := start(t, m, 0)
		time.Sleep(time.Millisecond)
		b := start(t, m, ahead)
		test(t, m, a, b)
		a.stop()
		b.stop()
		time.Sleep(time.Minute) // late calls
	})
}

// expectHeld expects for a time that a has the lease and b does not.
func expectHeld(t *testing.T, d time.Duration, a, b *process) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if !a.Held() || b.Held() {
			t.Fatalf("the lease is held: %v and %v, want true and false", a.Held(), b.Held())
		}
	}
}

// untilHeld returns the time until a process has the lease. Meanwhile no two have it.
func untilHeld(t *testing.T, p, other *process) time.Duration {
	t.Helper()
	began := time.Now()
	for !p.Held() {
		if time.Sleep(10 * time.Millisecond); time.Since(began) > 5*time.Minute {
			t.Fatal("the process does not get the lease")
		}
		if p.Held() && other.Held() {
			t.Fatal("two processes have the lease")
		}
	}
	return time.Since(began)
}

func TestTheHolderKeepsTheLease(t *testing.T) {
	bubble(t, 0, func(t *testing.T, m *memory, a, b *process) {
		expectHeld(t, time.Hour, a, b)
		if a.begun.Load() != 1 || b.begun.Load() != 0 {
			t.Errorf("the work has begun %d and %d times, want 1 and 0", a.begun.Load(), b.begun.Load())
		}
		if e, _ := m.Lease(t.Context(), "relay"); time.Until(e.End) < 19*time.Second || time.Until(e.End) > lease.Length {
			t.Errorf("the stored end is in %v, want less than 30 s and at least 20 s", time.Until(e.End))
		}
	})
}

// TestAStoppedProcessReleasesTheLease when its work has ended.
func TestAStoppedProcessReleasesTheLease(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, b *process) {
		expectHeld(t, 25*time.Second, a, b)
		a.stop()
		if took := untilHeld(t, b, a); took > lease.LookEvery+100*time.Millisecond {
			t.Errorf("the other process has the lease after %v, want it at once", took)
		}
		if !errors.Is(a.ended(), context.Canceled) {
			t.Errorf("the work ended with %v, want the end of its context", a.ended())
		}
	})
}

// TestAKilledProcessIsReplacedWithin30Seconds, whatever the clocks say. A process that
// never answers again is like a killed one.
func TestAKilledProcessIsReplacedWithin30Seconds(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, 9 * time.Second, -9 * time.Second, 24 * 365 * time.Hour} {
		for _, after := range []time.Duration{time.Millisecond, 9 * time.Second, 10*time.Second + time.Millisecond, 15 * time.Second} {
			bubble(t, ahead, func(t *testing.T, _ *memory, a, b *process) {
				time.Sleep(after)
				a.link.set(always(unapplied))
				if took := untilHeld(t, b, a); took > lease.Length {
					t.Errorf("clock ahead by %v, killed after %v: replaced after %v", ahead, after, took)
				}
				a.link.set(nil)
			})
		}
	}
}

// TestNothingIsSentInTheMargin: the lease covers a send until 20 seconds after the last
// renewal, and no other process has the lease for 8 more.
func TestNothingIsSentInTheMargin(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, b *process) {
		time.Sleep(lease.RenewEvery + time.Millisecond)
		renewed := time.Now()
		a.link.set(always(unapplied))
		for time.Since(renewed) < lease.Length-lease.Margin-20*time.Millisecond {
			ctx, cancel, err := a.Cover(t.Context())
			if err != nil {
				t.Fatalf("%v after the renewal: %v", time.Since(renewed), err)
			}
			if end, _ := ctx.Deadline(); end.Sub(renewed) > lease.Length-lease.Margin {
				t.Fatalf("a send may end %v after the renewal", end.Sub(renewed))
			}
			cancel()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		if _, _, err := a.Cover(t.Context()); !errors.Is(err, lease.ErrNotHeld) || !errors.Is(a.ended(), lease.ErrNotHeld) {
			t.Errorf("20 s after the renewal: got %v, and the work ended with %v, want ErrNotHeld", err, a.ended())
		}
		ended := time.Now()
		untilHeld(t, b, a)
		if gap := time.Since(ended); gap < 7*time.Second {
			t.Errorf("the other process has the lease %v after the last send, want 8 s", gap)
		}
	})
}

// TestACoverEndsASendThatHangs.
func TestACoverEndsASendThatHangs(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, _ *process) {
		ctx, cancel, err := a.Cover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer cancel()
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took > lease.Length-lease.Margin || !errors.Is(context.Cause(ctx), lease.ErrNotHeld) {
			t.Errorf("it ended after %v with %v", took, context.Cause(ctx))
		}
	})
}

// TestAPausedProcessSendsNothing: it was stopped for a minute, and another process has
// the lease. Each of its clocks may have stood still.
func TestAPausedProcessSendsNothing(t *testing.T) {
	const pause = time.Minute
	for name, still := range map[string]func(*process){
		"both clocks ran":                   func(*process) {},
		"the monotonic clock stood still":   func(p *process) { p.mono.Add(int64(pause)) },
		"the wall clock was set back later": func(p *process) { p.clock.Add(-int64(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 0, func(t *testing.T, _ *memory, a, b *process) {
				time.Sleep(time.Second)
				a.link.set(always(unapplied)) // no renewal leaves the process
				began := time.Now()
				untilHeld(t, b, a)
				time.Sleep(pause - time.Since(began))
				still(a)
				if _, _, err := a.Cover(t.Context()); !errors.Is(err, lease.ErrNotHeld) {
					t.Errorf("a send after the pause: got %v, want ErrNotHeld", err)
				}
				a.link.set(nil)
				expectHeld(t, time.Minute, b, a)
			})
		})
	}
}

// TestALeaseIsNotCoveredByAClockThatWasSetBack: only the monotonic clock shows then
// that the time is over.
func TestALeaseIsNotCoveredByAClockThatWasSetBack(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, b *process) {
		a.clock.Store(-int64(time.Hour))
		expectHeld(t, time.Minute, a, b)
		a.link.set(always(unapplied))
		if took := untilHeld(t, b, a); took > lease.Length {
			t.Errorf("replaced after %v", took)
		}
		a.link.set(nil)
	})
}

// TestAMachineThatSleptSendsNothing: its monotonic clock stood still, and only the wall
// clock shows that the time is over.
func TestAMachineThatSleptSendsNothing(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, _ *process) {
		time.Sleep(time.Second)
		a.clock.Add(int64(lease.Length))
		if _, _, err := a.Cover(t.Context()); !errors.Is(err, lease.ErrNotHeld) {
			t.Errorf("got %v, want ErrNotHeld", err)
		}
	})
}

// TestShortOutagesDoNotEndTheWork, also if renewals are applied and not answered. Each
// outage begins directly before a renewal.
func TestShortOutagesDoNotEndTheWork(t *testing.T) {
	for _, e := range []ending{unapplied, unanswered} {
		bubble(t, 0, func(t *testing.T, m *memory, a, b *process) {
			for range 20 {
				for before := m.beat(); m.beat() == before; {
					time.Sleep(10 * time.Millisecond)
				}
				expectHeld(t, lease.RenewEvery-500*time.Millisecond, a, b)
				a.link.set(always(e))
				expectHeld(t, 9*time.Second, a, b)
				a.link.set(nil)
			}
			if a.begun.Load() != 1 {
				t.Errorf("the work has begun %d times, want once", a.begun.Load())
			}
			if n := strings.Count(a.logged(), "ERROR"); n != 20 {
				t.Errorf("%d lines for 20 outages: %s", n, a.logged())
			}
		})
	}
}

// TestAfterAnOutageForAllTheHolderGoesOn at once: nobody else could take the lease.
func TestAfterAnOutageForAllTheHolderGoesOn(t *testing.T) {
	bubble(t, 0, func(t *testing.T, _ *memory, a, b *process) {
		a.link.set(always(unapplied))
		b.link.set(always(unapplied))
		time.Sleep(22 * time.Second)
		if a.Held() || !errors.Is(a.ended(), lease.ErrNotHeld) {
			t.Errorf("held after 22 s without a renewal: %v, ended with %v", a.Held(), a.ended())
		}
		a.link.set(nil)
		b.link.set(nil)
		if took := untilHeld(t, a, b); took > lease.LookEvery+100*time.Millisecond {
			t.Errorf("it has the lease after %v", took)
		}
		expectHeld(t, time.Minute, a, b)
	})
}

// TestNoTwoProcessesHaveTheLease with clocks that differ, clocks that jump, and a
// network with random faults. Late writes arrive 12 seconds later. When the faults end,
// one process has the lease soon.
func TestNoTwoProcessesHaveTheLease(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			m := newMemory()
			var all []*process
			for range 3 {
				all = append(all, start(t, m, time.Duration(rnd.IntN(120)-60)*time.Second))
			}
			held := 0
			for range 6000 { // 10 minutes
				if rnd.IntN(50) == 0 {
					disturb(rnd, all[rnd.IntN(len(all))])
				}
				time.Sleep(100 * time.Millisecond)
				held += count(t, all, seed)
			}
			if held == 0 {
				t.Errorf("seed %d: no process had the lease", seed)
			}
			for _, p := range all {
				p.link.set(nil)
			}
			time.Sleep(2*lease.Length + 12*time.Second)
			if n := count(t, all, seed); n != 1 {
				t.Errorf("seed %d: after the faults %d processes have the lease, want one", seed, n)
			}
			for _, p := range all {
				p.stop()
			}
			time.Sleep(time.Minute) // late calls
		})
	}
}

// disturb changes the network or the wall clock of a process.
func disturb(rnd *rand.Rand, p *process) {
	switch n := rnd.IntN(8); {
	case n == 0:
		p.clock.Store(int64(rnd.IntN(7200)-3600) * int64(time.Second))
	case n < 4:
		p.link.set(nil)
	default:
		often, kind := rnd.IntN(11), []ending{unapplied, unanswered, late}
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0)) // the link guards it
		p.link.set(func() ending {
			if own.IntN(10) < often {
				return kind[own.IntN(len(kind))]
			}
			return answered
		})
	}
}

func count(t *testing.T, all []*process, seed uint64) (held int) {
	t.Helper()
	for _, p := range all {
		if p.Held() {
			held++
		}
	}
	if held > 1 {
		t.Fatalf("seed %d: %d processes have the lease", seed, held)
	}
	return held
}
