package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"apitoken/events/lease"
	"apitoken/events/lease/leasetest"
)

// memory is a lease.Store in memory.
type memory struct {
	mu      sync.Mutex
	entries map[string]lease.Entry
}

func newMemory() *memory { return &memory{entries: map[string]lease.Entry{}} }

func TestMemoryKeepsThePromisesOfAStore(t *testing.T) {
	leasetest.Run(t, func(*testing.T) lease.Store { return newMemory() })
}

func (m *memory) Lease(ctx context.Context, name string) (lease.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[name], ctx.Err()
}

func (m *memory) beat() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries["relay"].Beat
}

func (m *memory) write(ctx context.Context, name string, allowed func(lease.Entry) bool, next lease.Entry) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil || !allowed(m.entries[name]) {
		return false, err
	}
	m.entries[name] = next
	return true, nil
}

func (m *memory) Take(ctx context.Context, name string, seen, next lease.Entry) (bool, error) {
	return m.write(ctx, name, func(e lease.Entry) bool { return e.Holder == seen.Holder && e.Beat == seen.Beat }, next)
}

func (m *memory) Renew(ctx context.Context, name string, next lease.Entry) (bool, error) {
	return m.write(ctx, name, func(e lease.Entry) bool { return e.Holder == next.Holder && e.Beat <= next.Beat }, next)
}

func (m *memory) Release(ctx context.Context, name, holder string) error {
	_, err := m.write(ctx, name, func(e lease.Entry) bool { return e.Holder == holder }, lease.Entry{})
	return err
}

// How a call of a link ends.
type ending int

const (
	answered   ending = iota
	unapplied         // an error, and nothing was written
	unanswered        // an error, and the call was applied
	late              // an error, and the call is applied seconds later
)

var errLink = errors.New("the network is down")

// link is the network between one process and the store.
type link struct {
	lease.Store
	mu  sync.Mutex
	end func() ending
}

func (l *link) set(end func() ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = end
}

func always(e ending) func() ending { return func() ending { return e } }

func (l *link) call(call func(context.Context) error) error {
	l.mu.Lock()
	e := answered
	if l.end != nil {
		e = l.end()
	}
	l.mu.Unlock()
	switch e {
	case unapplied:
		return errLink
	case unanswered:
		call(context.Background())
		return errLink
	case late:
		time.AfterFunc(12*time.Second, func() { call(context.Background()) })
		return errLink
	}
	return call(context.Background())
}

func (l *link) Lease(_ context.Context, name string) (e lease.Entry, err error) {
	err = l.call(func(ctx context.Context) (err error) {
		e, err = l.Store.Lease(ctx, name)
		return err
	})
	if err != nil {
		return lease.Entry{}, err
	}
	return e, nil
}

// wrote makes a call that writes. A result that arrives late is nobody's.
func (l *link) wrote(write func(context.Context) (bool, error)) (bool, error) {
	var mu sync.Mutex
	var ok bool
	err := l.call(func(ctx context.Context) error {
		done, err := write(ctx)
		mu.Lock()
		defer mu.Unlock()
		ok = done
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	return ok && err == nil, err
}

func (l *link) Take(_ context.Context, name string, seen, next lease.Entry) (bool, error) {
	return l.wrote(func(ctx context.Context) (bool, error) { return l.Store.Take(ctx, name, seen, next) })
}

func (l *link) Renew(_ context.Context, name string, next lease.Entry) (bool, error) {
	return l.wrote(func(ctx context.Context) (bool, error) { return l.Store.Renew(ctx, name, next) })
}

func (l *link) Release(_ context.Context, name, holder string) error {
	return l.call(func(ctx context.Context) error { return l.Store.Release(ctx, name, holder) })
}
