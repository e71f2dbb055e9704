package audit_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/storetest"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const ann events.Stream = "user/ann"

var keys = storetest.Keys

// memory keeps copies in memory.
type memory struct {
	copies   map[string]events.Message
	evidence []events.Message
	waits    map[wait]bool
	fails    error
}

type wait struct {
	s     events.Stream
	seq   uint64
	since time.Time
}

var _ interface {
	audit.Copies
	audit.Reader
} = (*memory)(nil)

func newMemory(ms ...events.Message) *memory {
	mem := &memory{copies: map[string]events.Message{}, waits: map[wait]bool{}}
	for _, m := range ms {
		mem.copies[m.ID] = m
	}
	return mem
}

func (mem *memory) Keep(_ context.Context, m events.Message) (bool, events.Message, error) {
	earlier, there := mem.copies[m.ID]
	if !there && mem.fails == nil {
		mem.copies[m.ID] = m
	}
	return !there, earlier, mem.fails
}

func (mem *memory) Evidence(_ context.Context, m events.Message) error {
	mem.evidence = append(mem.evidence, m)
	return mem.fails
}

func (mem *memory) Around(_ context.Context, stream events.Stream, seq uint64) (before, after *events.Message, err error) {
	for _, m := range mem.copies {
		switch {
		case m.Stream == stream && m.Seq == seq-1:
			before = &m
		case m.Stream == stream && m.Seq == seq+1:
			after = &m
		}
	}
	return before, after, mem.fails
}

func (mem *memory) Await(_ context.Context, stream events.Stream, seq uint64, since time.Time) error {
	mem.waits[wait{stream, seq, since}] = true
	return mem.fails
}

func (mem *memory) Waiting(_ context.Context, olderThan time.Time, f func(events.Stream, uint64, time.Time)) error {
	for w := range mem.waits {
		if w.since.Before(olderThan) {
			f(w.s, w.seq, w.since)
		}
	}
	return mem.fails
}

func (mem *memory) Arrived(_ context.Context, stream events.Stream, seq uint64, since time.Time) error {
	delete(mem.waits, wait{stream, seq, since})
	return mem.fails
}

func (mem *memory) Copy(_ context.Context, stream events.Stream, after uint64, limit int) (ms []events.Message, err error) {
	for _, m := range mem.copies {
		if m.Stream == stream && m.Seq > after {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b events.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return ms[:min(len(ms), limit)], mem.fails
}

// fakeLog is a log that a test may change.
type fakeLog struct {
	head    events.Head
	records []events.Record
	onHead  func() // called after the head was read
}

func (l *fakeLog) Head(context.Context, events.Stream) (events.Head, error) {
	h := l.head
	if l.onHead != nil {
		l.onHead()
	}
	return h, nil
}

func (l *fakeLog) Commit(context.Context, events.Commit) error {
	return errors.New("Compare does not write")
}

func (l *fakeLog) History(_ context.Context, _ events.Stream, after uint64, limit int) (rs []events.Record, err error) {
	for _, r := range l.records {
		if r.Seq > after && len(rs) < limit {
			rs = append(rs, r)
		}
	}
	return rs, nil
}

// add continues the log by n records, of the given age at noon.
func (l *fakeLog) add(t testing.TB, n int, age, retention time.Duration) *fakeLog {
	t.Helper()
	for range n {
		m := events.Meta{Command: rand.Text(), Actor: "ann", At: noon.Add(-age), Retention: retention}
		fact := events.TokenRevoked{TokenID: rand.Text()[:8], Owner: "ann"}
		c, err := events.NewCommit(keys, ann, l.head, m, []events.Fact{fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		l.head, l.records = c.Head(), append(l.records, c.Records()...)
	}
	return l
}

func (l *fakeLog) messages() (ms []events.Message) {
	for _, r := range l.records {
		ms = append(ms, r.Message())
	}
	return ms
}

// history returns the messages of a new log with n records.
func history(t testing.TB, n int) []events.Message {
	t.Helper()
	return new(fakeLog).add(t, n, time.Hour, 0).messages()
}

// kinds are the kinds and ids of the findings, sorted.
func kinds(found []audit.Finding) (all []string) {
	for _, f := range found {
		all = append(all, string(f.Kind)+" "+f.ID)
	}
	slices.Sort(all)
	return all
}

func expect(t *testing.T, what string, found []audit.Finding, want ...string) {
	t.Helper()
	if got := kinds(found); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
