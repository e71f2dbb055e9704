package issuer_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/token"
)

// pages collects a history page by page.
func pages(t *testing.T, limit int, read func(after uint64, limit int) (issuer.HistoryPage, error)) (all []events.Message) {
	t.Helper()
	for after := uint64(0); ; {
		page, err := read(after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if limit > 0 && len(page.Events) > limit {
			t.Fatalf("got %d events on a page of %d", len(page.Events), limit)
		}
		all = append(all, page.Events...)
		if !page.More {
			return all
		}
		after = page.Next
	}
}

// TestHistoryIsTheLog: what the calls answer is what is stored, for the user
// and for each token, however it is cut into pages.
func TestHistoryIsTheLog(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	var ids []string
	for range 3 {
		made, _ := s.create(ann, "", token.Wish{ExpiresIn: time.Hour})
		ids = append(ids, made.ID)
	}
	// More records than are read at a time lie between those of a token.
	for range 60 {
		made, _ := s.create(ann, "", token.Wish{})
		if err := s.Revoke(t.Context(), ann, made.ID); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.ID)
	}
	s.wait(time.Hour)
	last, _ := s.create(ann, "", token.Wish{})
	ids = append(ids, last.ID)

	log := s.log("ann")
	want := map[string][]events.Message{}
	var all []events.Message
	for _, r := range log {
		all = append(all, r.Message())
		want[r.Subject()] = append(want[r.Subject()], r.Message())
	}
	for _, limit := range []int{0, 1, 7, 1000} {
		got := pages(t, limit, func(after uint64, limit int) (issuer.HistoryPage, error) {
			return s.UserEvents(t.Context(), ann, "ann", after, limit)
		})
		if !reflect.DeepEqual(got, all) {
			t.Errorf("limit %d: the user's history has %d events, want the %d of the log", limit, len(got), len(all))
		}
		if err := events.VerifyMessages(events.Hash{}, got); err != nil {
			t.Error(err)
		}
		for _, id := range []string{ids[0], ids[2], ids[30], ids[len(ids)-1]} {
			got := pages(t, limit, func(after uint64, limit int) (issuer.HistoryPage, error) {
				return s.TokenEvents(t.Context(), ann, id, after, limit)
			})
			if !reflect.DeepEqual(got, want[id]) {
				t.Errorf("limit %d: token %s has the history %v, want %v", limit, id, kinds(got), kinds(want[id]))
			}
		}
	}
}

func kinds(ms []events.Message) (all []string) {
	for _, m := range ms {
		all = append(all, fmt.Sprint(m.Seq, m.Type))
	}
	return all
}

// historySpy notes what is read of a history.
type historySpy struct {
	events.Store
	calls int
	after uint64
}

func (h *historySpy) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	h.calls, h.after = h.calls+1, after
	return h.Store.History(ctx, s, after, limit)
}

// TestTokenHistoryReadsNoFurtherThanTheToken: the records before its creation
// and after its end are somebody else's business.
func TestTokenHistoryReadsNoFurtherThanTheToken(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	for range 3 {
		s.create(ann, "", token.Wish{})
	}
	made, _ := s.create(ann, "", token.Wish{})
	spy := &historySpy{Store: s.store}
	s.use(spy)
	page, err := s.TokenEvents(t.Context(), ann, made.ID, 0, 0)
	if err != nil || len(page.Events) != 1 || spy.after != 3 || spy.calls != 1 {
		t.Errorf("got %d events %v in %d reads after %d, want 1 in 1 after 3", len(page.Events), err, spy.calls, spy.after)
	}
	if page, err := s.TokenEvents(t.Context(), ann, made.ID, made.Seq, 0); err != nil || len(page.Events) != 0 || spy.calls != 1 {
		t.Errorf("past the end: got %d events %v after %d reads, want none and no more reads", len(page.Events), err, spy.calls)
	}
}

// TestHistoryLeavesOutWhatIsPastItsRetention, collected or not.
func TestHistoryLeavesOutWhatIsPastItsRetention(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	early, _ := s.create(ann, "", token.Wish{})
	s.wait(400*24*time.Hour - 1)
	late, _ := s.create(ann, "", token.Wish{})
	count := func() (n int) {
		page, err := s.UserEvents(t.Context(), ann, "ann", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events)
	}
	if got := count(); got != 2 {
		t.Errorf("a nanosecond before: got %d events, want 2", got)
	}
	s.wait(1)
	if got := count(); got != 1 {
		t.Errorf("at the end of the retention: got %d events, want 1", got)
	}
	for id, want := range map[string]int{early.ID: 0, late.ID: 1} {
		if page, err := s.TokenEvents(t.Context(), ann, id, 0, 0); err != nil || len(page.Events) != want {
			t.Errorf("token %s: got %d events %v, want %d", id, len(page.Events), err, want)
		}
	}
	if err := s.Revoke(t.Context(), ann, early.ID); err != nil {
		t.Errorf("a token whose beginning is forgotten: %v", err)
	}
}

func TestHistoryOfWhatIsNoUserIsRefused(t *testing.T) {
	s := newScene(t)
	_, err := s.UserEvents(t.Context(), person("ann"), "WORLD:x", 0, 0)
	if got := refusal(t, err); got != token.CodeInvalidField {
		t.Errorf("got %q, want %s", got, token.CodeInvalidField)
	}
}
