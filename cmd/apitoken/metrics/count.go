package metrics

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
)

// Request counts an answer, see machine.Config.
func (m *Metrics) Request(operation, code string, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.get(request{operation, code}).Inc()
	m.durations.get(operation).Update(took.Seconds())
	if code == codeInternal || code == codeUnavailable {
		m.faults.Inc()
	}
}

// Verdict counts a verdict, see guard.Config.
func (m *Metrics) Verdict(denial *guard.Denial, fault error) {
	if m == nil {
		return
	}
	code := codeOK
	switch {
	case errors.Is(fault, events.ErrDamaged):
		code = codeInternal
	case fault != nil:
		code = codeUnavailable
	case denial != nil:
		code = denial.Code
	}
	m.verdicts.get(code).Inc()
}

// Introspected counts an answer of an introspection, see issuer.Config.
func (m *Metrics) Introspected(reason string) {
	if m != nil {
		m.introspections.get(cmp.Or(reason, codeOK)).Inc()
	}
}

// Swept notes the end of a sweep. After an error the age of the last one goes on
// growing.
func (m *Metrics) Swept(err error) {
	if m != nil {
		m.lastSweep.note(err, m.now())
	}
}

// Collected is Swept for a collection.
func (m *Metrics) Collected(err error) {
	if m != nil {
		m.lastCollection.note(err, m.now())
	}
}

// lastEnd is the time when something last ended without an error.
type lastEnd struct{ micros atomic.Int64 } // of Unix time; 0: never

func (l *lastEnd) note(err error, now time.Time) {
	if err == nil {
		l.micros.Store(now.UnixMicro())
	}
}

// age returns the time since the last end, or since the start if there was none.
func (l *lastEnd) age(now, start time.Time) float64 {
	if micros := l.micros.Load(); micros != 0 {
		start = time.UnixMicro(micros)
	}
	return max(0, now.Sub(start).Seconds())
}

// Counted returns the store with its commits counted.
func (m *Metrics) Counted(s events.Store) events.Store {
	if m == nil {
		return s
	}
	return countingStore{s, m}
}

type countingStore struct {
	events.Store
	m *Metrics
}

func (s countingStore) Commit(ctx context.Context, c events.Commit) error {
	began := s.m.now()
	err := s.Store.Commit(ctx, c)
	switch {
	case err == nil:
		s.m.commits.Inc()
		s.m.commitDuration.Update(s.m.now().Sub(began).Seconds())
	case errors.Is(err, events.ErrConflict):
		s.m.conflicts.Inc()
	}
	return err
}

// Bus returns the bus with its messages counted. BusFault has its last outcome.
func (m *Metrics) Bus(b events.Bus) events.Bus {
	if m == nil {
		return b
	}
	return countingBus{b, m}
}

type countingBus struct {
	events.Bus
	m *Metrics
}

func (b countingBus) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	failed, err := b.Bus.Put(ctx, ms)
	unsent := len(failed)
	if err != nil {
		unsent = len(ms)
	}
	b.m.unpublished.Add(unsent)
	b.m.published.Add(len(ms) - unsent)
	b.m.bus.Store(&err)
	return failed, err
}

// BusFault returns the error of the last call of the bus, nil if it took the messages or
// if there was no call.
func (m *Metrics) BusFault() error {
	if err := m.bus.Load(); err != nil {
		return *err
	}
	return nil
}

// Logger returns the logger with its lines about damaged data counted. All such lines
// have the level ERROR.
func (m *Metrics) Logger(l *slog.Logger) *slog.Logger {
	if m == nil {
		return l
	}
	return slog.New(countingHandler{l.Handler(), m})
}

type countingHandler struct {
	slog.Handler
	m *Metrics
}

func (h countingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		r.Attrs(func(a slog.Attr) bool {
			if isDamaged(a) {
				h.m.damaged.Inc()
				return false
			}
			return true
		})
	}
	return h.Handler.Handle(ctx, r)
}

// isDamaged reports whether an attribute is an error about damaged data, or a group
// with one: the attributes of a request line are a group.
func isDamaged(a slog.Attr) bool {
	if a.Value.Kind() == slog.KindGroup {
		for _, inner := range a.Value.Group() {
			if isDamaged(inner) {
				return true
			}
		}
		return false
	}
	err, ok := a.Value.Any().(error)
	return ok && errors.Is(err, events.ErrDamaged)
}

func (h countingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return countingHandler{h.Handler.WithAttrs(attrs), h.m}
}

func (h countingHandler) WithGroup(name string) slog.Handler {
	return countingHandler{h.Handler.WithGroup(name), h.m}
}

// byKey has a value for each key that was ever asked for. To read one takes no lock and
// no allocation.
type byKey[K comparable, V any] struct {
	add func(K) V // makes the value of a key; it is called once

	mu  sync.Mutex // held while a key is added
	all atomic.Pointer[map[K]V]
}

func (b *byKey[K, V]) get(k K) V {
	if all := b.all.Load(); all != nil {
		if v, ok := (*all)[k]; ok {
			return v
		}
	}
	return b.insert(k)
}

func (b *byKey[K, V]) insert(k K) V {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := map[K]V{}
	if all := b.all.Load(); all != nil {
		if v, ok := (*all)[k]; ok {
			return v
		}
		maps.Copy(next, *all)
	}
	v := b.add(k)
	next[k] = v
	b.all.Store(&next)
	return v
}
