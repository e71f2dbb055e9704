package passwords

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi/machine"
)

// clock is a clock that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 20, 59, 57, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fail begins a try that fails.
func fail(t *testing.T, f *failures, user, from string) {
	t.Helper()
	if _, err := f.begin(user, netip.MustParseAddr(from)); err != nil {
		t.Fatalf("%s from %s: %v", user, from, err)
	}
}

// refused checks that a try is refused, and when it may be repeated.
func refused(t *testing.T, f *failures, user, from string, again time.Time) {
	t.Helper()
	for name, err := range map[string]error{
		"check": f.check(user, netip.MustParseAddr(from)),
		"begin": func() error { _, err := f.begin(user, netip.MustParseAddr(from)); return err }(),
	} {
		r, isRefusal := errors.AsType[*events.Refusal](err)
		if !isRefusal || r.Code != machine.CodePasswordFailures || !r.RetryAt.Equal(again) {
			t.Errorf("%s of %s from %s: got %+v, want a refusal until %s", name, user, from, err, again)
		}
	}
}

// TestFiveFailuresOfAUserAtAnAddressAreAllowedInAMinute, and ten of all users.
func TestFiveFailuresOfAUserAtAnAddressAreAllowedInAMinute(t *testing.T) {
	c := newClock()
	f, first := newFailures(c.Now), c.Now()
	for range 5 {
		fail(t, f, "ann", "192.0.2.1")
		c.sleep(time.Second)
	}
	refused(t, f, "ann", "192.0.2.1", first.Add(time.Minute))
	refused(t, f, "ann", "::ffff:192.0.2.1", first.Add(time.Minute))
	for range 5 {
		fail(t, f, "bob", "192.0.2.1")
	}
	refused(t, f, "eve", "192.0.2.1", first.Add(time.Minute))
	c.sleep(first.Add(time.Minute).Sub(c.Now())) // the first failure is a minute old
	fail(t, f, "ann", "192.0.2.1")
	refused(t, f, "ann", "192.0.2.1", first.Add(time.Minute+time.Second))
	c.sleep(2 * time.Minute)
	for range 5 {
		fail(t, f, "ann", "192.0.2.1")
	}
}

// TestNoStrangerLocksAUserOut: only the failures of the own address count.
func TestNoStrangerLocksAUserOut(t *testing.T) {
	f := newFailures(newClock().Now)
	for i := range 100 {
		for range 5 {
			fail(t, f, "ann", fmt.Sprintf("198.51.100.%d", i))
		}
	}
	if err := f.check("ann", netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Errorf("ann is locked out: %v", err)
	}
}

// TestTheAddressesOfOneIPv6NetworkAreOne: one customer has 2^64 of them.
func TestTheAddressesOfOneIPv6NetworkAreOne(t *testing.T) {
	c := newClock()
	f := newFailures(c.Now)
	for i := range 5 {
		fail(t, f, "ann", fmt.Sprintf("2001:db8::%x", i))
	}
	refused(t, f, "ann", "2001:db8:0:0:ffff::1", c.Now().Add(time.Minute))
	fail(t, f, "ann", "2001:db8:0:1::1")
}

// TestAnUnknownAddressIsCounted: the peers of a Unix socket have none.
func TestAnUnknownAddressIsCounted(t *testing.T) {
	f := newFailures(newClock().Now)
	for range 5 {
		if _, err := f.begin("ann", netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.begin("ann", netip.Addr{}); err == nil {
		t.Error("the sixth failure is allowed")
	}
	fail(t, f, "ann", "192.0.2.1")
}

// TestASuccessIsNoFailure, and takes back only its own count.
func TestASuccessIsNoFailure(t *testing.T) {
	c := newClock()
	f := newFailures(c.Now)
	for range 20 {
		undo, err := f.begin("ann", netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		undo()
	}
	if n := len(f.counters); n != 0 {
		t.Errorf("%d counters stay after successes", n)
	}
	for range 4 {
		fail(t, f, "ann", "192.0.2.1")
	}
	undo, err := f.begin("ann", netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	undo()
	fail(t, f, "ann", "192.0.2.1")
	refused(t, f, "ann", "192.0.2.1", c.Now().Add(time.Minute))
}

// TestManyTriesAtTheSameTimeAreCounted before any of them has failed.
func TestManyTriesAtTheSameTimeAreCounted(t *testing.T) {
	f := newFailures(time.Now)
	var all sync.WaitGroup
	var begun atomic.Int32
	for range 100 {
		all.Go(func() {
			if _, err := f.begin("ann", netip.MustParseAddr("192.0.2.1")); err == nil {
				begun.Add(1)
			}
		})
	}
	all.Wait()
	if n := begun.Load(); n != perPair {
		t.Errorf("%d tries began, want %d", n, perPair)
	}
}

// TestTheCountersAreBounded: old ones go, and there are never more than maxCounters.
func TestTheCountersAreBounded(t *testing.T) {
	c := newClock()
	f := newFailures(c.Now)
	at := netip.MustParseAddr("10.0.0.0")
	for range maxCounters {
		if _, err := f.begin("ann", at); err != nil {
			t.Fatal(err)
		}
		at = at.Next()
	}
	if n := len(f.counters); n > maxCounters+2 {
		t.Errorf("got %d counters, want at most %d", n, maxCounters+2)
	}
	c.sleep(window)
	fail(t, f, "ann", "192.0.2.1")
	if n := len(f.counters); n != 2 {
		t.Errorf("got %d counters a minute later, want 2", n)
	}
}
