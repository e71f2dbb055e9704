package bolt

import (
	"context"
	"errors"
	"slices"
	"testing"

	"apitoken/events"
)

// TestTokenIDsHasEachTokenOnce also has a token whose view cannot be decoded, and
// ends at the first error.
func TestTokenIDsHasEachTokenOnce(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: "b", Owner: "ann"}, events.View{ID: "a", Owner: "ann"}))
	var got []string
	if err := s.TokenIDs(t.Context(), func(id string) error { got = append(got, id); return nil }); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v, %v, want a and b", got, err)
	}
	full, calls := errors.New("no space left"), 0
	if err := s.TokenIDs(t.Context(), func(string) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.TokenIDs(ctx, func(string) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
