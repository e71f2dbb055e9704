package audit_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const ann events.Stream = "user/ann"

var keys = parse("test:" + strings.Repeat("QUJD", 11))

func parse(text string) events.Keys {
	k, err := events.ParseKeys(text)
	if err != nil {
		panic(err)
	}
	return k
}

// shelf keeps copies in memory.
type shelf struct {
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
	audit.Library
} = (*shelf)(nil)

func newShelf(ms ...events.Message) *shelf {
	s := &shelf{copies: map[string]events.Message{}, waits: map[wait]bool{}}
	for _, m := range ms {
		s.copies[m.ID] = m
	}
	return s
}

func (s *shelf) Keep(_ context.Context, m events.Message) (bool, events.Message, error) {
	earlier, there := s.copies[m.ID]
	if !there && s.fails == nil {
		s.copies[m.ID] = m
	}
	return !there, earlier, s.fails
}

func (s *shelf) Evidence(_ context.Context, m events.Message) error {
	s.evidence = append(s.evidence, m)
	return s.fails
}

func (s *shelf) Around(_ context.Context, stream events.Stream, seq uint64) (before, after *events.Message, err error) {
	for _, m := range s.copies {
		switch {
		case m.Stream == stream && m.Seq == seq-1:
			before = &m
		case m.Stream == stream && m.Seq == seq+1:
			after = &m
		}
	}
	return before, after, s.fails
}

func (s *shelf) Await(_ context.Context, stream events.Stream, seq uint64, since time.Time) error {
	s.waits[wait{stream, seq, since}] = true
	return s.fails
}

func (s *shelf) Waiting(_ context.Context, olderThan time.Time, f func(events.Stream, uint64, time.Time)) error {
	for w := range s.waits {
		if w.since.Before(olderThan) {
			f(w.s, w.seq, w.since)
		}
	}
	return s.fails
}

func (s *shelf) Arrived(_ context.Context, stream events.Stream, seq uint64, since time.Time) error {
	delete(s.waits, wait{stream, seq, since})
	return s.fails
}

func (s *shelf) Copy(_ context.Context, stream events.Stream, after uint64, limit int) (ms []events.Message, err error) {
	for _, m := range s.copies {
		if m.Stream == stream && m.Seq > after {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b events.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return ms[:min(len(ms), limit)], s.fails
}

// book is a log that a test may falsify.
type book struct {
	head    events.Head
	records []events.Record
	meets   func() // after the head was read
}

func (b *book) Head(context.Context, events.Stream) (events.Head, error) {
	h := b.head
	if b.meets != nil {
		b.meets()
	}
	return h, nil
}

func (b *book) Commit(context.Context, events.Commit) error {
	return errors.New("nobody writes while comparing")
}

func (b *book) History(_ context.Context, _ events.Stream, after uint64, limit int) (rs []events.Record, err error) {
	for _, r := range b.records {
		if r.Seq > after && len(rs) < limit {
			rs = append(rs, r)
		}
	}
	return rs, nil
}

// add continues the log by n records, of the given age at noon.
func (b *book) add(t testing.TB, n int, age, retention time.Duration) *book {
	t.Helper()
	for range n {
		m := events.Meta{Command: rand.Text(), Actor: "ann", At: noon.Add(-age), Retention: retention}
		fact := events.TokenRevoked{TokenID: rand.Text()[:8], Owner: "ann"}
		c, err := events.NewCommit(keys, ann, b.head, m, []events.Fact{fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		b.head, b.records = c.Head(), append(b.records, c.Records()...)
	}
	return b
}

func (b *book) messages() (ms []events.Message) {
	for _, r := range b.records {
		ms = append(ms, r.Message())
	}
	return ms
}

// history is the messages of a fresh log.
func history(t testing.TB, n int) []events.Message {
	t.Helper()
	return new(book).add(t, n, time.Hour, 0).messages()
}

// kinds are what was found, by id.
func kinds(found []audit.Finding) (said []string) {
	for _, f := range found {
		said = append(said, string(f.Kind)+" "+f.ID)
	}
	slices.Sort(said)
	return said
}

func expect(t *testing.T, what string, found []audit.Finding, want ...string) {
	t.Helper()
	if got := kinds(found); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
