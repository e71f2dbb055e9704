package audit_test

import (
	"context"
	"crypto/rand"
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

var _ audit.Copies = (*memory)(nil)

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

// history returns the messages of a new log with n records.
func history(t testing.TB, n int) (ms []events.Message) {
	t.Helper()
	var head events.Head
	for range n {
		var m events.Message
		m, head = next(t, head)
		ms = append(ms, m)
	}
	return ms
}

// next returns the message of a record after a head, and the new head.
func next(t testing.TB, head events.Head) (events.Message, events.Head) {
	t.Helper()
	fact := events.TokenRevoked{TokenID: rand.Text()[:8], Owner: "ann"}
	c, err := events.NewCommit(keys, ann, head, events.Meta{Command: rand.Text(), Actor: "ann", At: noon.Add(-time.Hour)}, []events.Fact{fact}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Records()[0].Message(), c.Head()
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
