// Package lease gives a piece of work to one process at a time, of all processes that
// share a store.
//
// A process takes the lease if no process has it, or if it has seen the entry unchanged
// for 28 seconds. It renews the entry every 10 seconds. Without a renewal its work ends
// 20 seconds after the last one, so 8 seconds before another process can take the lease.
// This margin is for a send that has begun, and for clocks that do not run equally fast.
//
// No process compares its clock with that of another one: clocks may differ by any
// time. A process measures the time since it saw an entry by its monotonic clock. The
// holder also looks at the wall clock, because the monotonic clock stands still while a
// machine sleeps. If both clocks stand still (a virtual machine that is paused), the
// holder does not notice the pause. Its sends are then repeats of what another process
// has sent. So the work must allow repeats.
//
// A process that was killed is replaced within 30 seconds of its last renewal. A process
// that stops releases the lease, and another one takes it within about a second.
package lease

import (
	"context"
	"errors"
	"time"
)

// The times of a lease.
const (
	// Length is the time from a renewal until another process has the lease, if no other
	// renewal follows.
	Length = 30 * time.Second

	// RenewEvery is the time between two renewals.
	RenewEvery = 10 * time.Second

	// Margin is the end of a lease, in which the holder begins nothing any more.
	Margin = 10 * time.Second

	// LookEvery is the time between two looks at the lease of another process, and
	// between two tries of a renewal that failed.
	LookEvery = time.Second

	// takeAfter is the time without a change after which a process takes the lease. A
	// change is seen at most LookEvery later, and the reads take some time too.
	takeAfter = Length - 2*LookEvery

	// callTimeout is the maximum time of one call of the store.
	callTimeout = 5 * time.Second
)

// Entry is a lease as it is stored. The zero Entry means that no process has the lease.
type Entry struct {
	Holder string    // a random text, another one each time the lease is taken
	Beat   uint64    // 1, and one more for each renewal
	End    time.Time // Length after the last renewal by the holder's clock; for people
}

// same reports whether an entry has not changed. Its end decides nothing.
func (e Entry) same(other Entry) bool { return e.Holder == other.Holder && e.Beat == other.Beat }

// Store has the entries. All its writes are conditional and durable when they return.
// After an error the outcome of a write is unknown: the write may still be applied.
type Store interface {
	// Lease reads consistently. For an entry that cannot be decoded the error wraps
	// events.ErrDamaged.
	Lease(ctx context.Context, name string) (Entry, error)

	// Take writes next if the stored entry has the holder and the beat of seen, or if
	// there is none and seen is zero. Otherwise it returns false.
	Take(ctx context.Context, name string, seen, next Entry) (bool, error)

	// Renew writes next if the stored entry has the holder of next, and a beat that is
	// not higher. Otherwise it returns false. So a renewal that arrives late changes
	// nothing.
	Renew(ctx context.Context, name string, next Entry) (bool, error)

	// Release removes the entry if it has this holder.
	Release(ctx context.Context, name, holder string) error
}

// ErrNotHeld: this process does not have the lease, or has it only for the margin at its
// end.
var ErrNotHeld = errors.New("this process does not have the lease")
