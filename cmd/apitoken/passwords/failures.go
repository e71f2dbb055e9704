package passwords

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi/machine"
)

// The largest number of failures within the window. A stranger can use up only the
// numbers of the stranger's own address, so no stranger can lock a user out.
const (
	window     = time.Minute
	perAddress = 10
	perPair    = 5 // for one user at one address
)

// maxCounters bounds the memory. It is never reached: a failure takes a comparison of at
// least 40 ms, maxAtOnce of them run at a time, and a counter lives two minutes at most.
const maxCounters = 20_000

// ipv6Network is the number of bits that one customer of a provider cannot choose.
const ipv6Network = 64

// failures counts the failures of the last minute. A bucket of tokens
// (golang.org/x/time/rate) would allow twice the number within one minute, and would
// take a token for a success too.
type failures struct {
	now func() time.Time

	mu       sync.Mutex
	counters map[counter][]time.Time // the times of the failures, the oldest first
	swept    time.Time
}

// counter counts for an address, or for a user at an address.
type counter struct {
	network netip.Prefix // invalid if the address is unknown, as on a Unix socket
	pair    bool
	user    string
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, counters: map[counter][]time.Time{}}
}

// begin counts a try as a failure until its end is known: many tries at the same time
// could otherwise all begin before the first one fails. undo takes the count back after
// a success. begin refuses a try above the numbers, and does not count it.
func (f *failures) begin(user string, from netip.Addr) (undo func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.sweep(now)
	all := countersOf(user, from)
	if err := f.refusal(all, now); err != nil {
		return nil, err
	}
	for _, c := range all {
		f.counters[c] = append(f.counters[c], now)
	}
	return func() { f.undo(all, now) }, nil
}

// check refuses what begin would refuse, and counts nothing.
func (f *failures) check(user string, from netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refusal(countersOf(user, from), f.now())
}

func countersOf(user string, from netip.Addr) []counter {
	network := networkOf(from)
	return []counter{{network: network}, {network: network, pair: true, user: user}}
}

// networkOf is what is counted as one address. A customer has at least 2^64 addresses of
// IPv6 to choose from (RFC 6177).
func networkOf(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = ipv6Network
	}
	network, _ := from.Prefix(bits) // the zero Prefix for an unknown address
	return network
}

func (f *failures) refusal(all []counter, now time.Time) error {
	var until time.Time
	for _, c := range all {
		most := perAddress
		if c.pair {
			most = perPair
		}
		if times := f.recent(c, now); len(times) >= most {
			if end := times[len(times)-most].Add(window); end.After(until) {
				until = end
			}
		}
	}
	if until.IsZero() {
		return nil
	}
	return &events.Refusal{
		Code: machine.CodePasswordFailures, RetryAt: until,
		Detail: "too many wrong passwords came from this address within a minute; wait before you try again",
	}
}

// recent drops the times before the window.
func (f *failures) recent(c counter, now time.Time) []time.Time {
	times, counted := f.counters[c]
	if !counted {
		return nil
	}
	times = slices.DeleteFunc(times, func(at time.Time) bool { return !at.After(now.Add(-window)) })
	if len(times) == 0 {
		delete(f.counters, c)
		return nil
	}
	f.counters[c] = times
	return times
}

// sweep removes the counters without a recent failure, once in a window.
func (f *failures) sweep(now time.Time) {
	if now.Sub(f.swept) >= window {
		f.swept = now
		for c := range f.counters {
			f.recent(c, now)
		}
	}
	for c := range f.counters {
		if len(f.counters) < maxCounters {
			break
		}
		delete(f.counters, c) // not reached, see maxCounters; to refuse every sign-in would lock users out
	}
}

func (f *failures) undo(all []counter, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range all {
		if i := slices.Index(f.counters[c], at); i >= 0 {
			f.counters[c] = slices.Delete(f.counters[c], i, i+1)
		}
		if len(f.counters[c]) == 0 {
			delete(f.counters, c)
		}
	}
}
