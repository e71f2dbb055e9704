package operator

import (
	"context"
	"errors"
	"testing"

	"apitoken/events"
)

// manyCopies is a stream that has so many copies.
type manyCopies int

func (n manyCopies) Copy(_ context.Context, _ events.Stream, after uint64, limit int) (ms []events.Message, err error) {
	for seq := after + 1; seq <= uint64(n) && len(ms) < limit; seq++ {
		ms = append(ms, events.Message{Seq: seq})
	}
	return ms, nil
}

func TestEachCopyIsReadOnceAndInOrder(t *testing.T) {
	for _, n := range []int{0, 1, copiesPage - 1, copiesPage, copiesPage + 1, 3 * copiesPage} {
		s := &source{copies: manyCopies(n)}
		last := uint64(0)
		err := s.eachCopy(t.Context(), "user/ann", func(m events.Message) error {
			if m.Seq != last+1 {
				t.Errorf("of %d: got copy %d after copy %d", n, m.Seq, last)
			}
			last = m.Seq
			return nil
		})
		if err != nil || last != uint64(n) {
			t.Errorf("of %d: got %d, %v", n, last, err)
		}
	}
}

func TestEachCopyEndsAtAnError(t *testing.T) {
	s, full, calls := &source{copies: manyCopies(copiesPage)}, errors.New("no space left"), 0
	err := s.eachCopy(t.Context(), "user/ann", func(events.Message) error { calls++; return full })
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after the first", err, calls, full)
	}
}
