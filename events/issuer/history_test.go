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
	"apitoken/localstack/longtest"
)

// allEvents returns all events of a history, read page by page.
func allEvents(t *testing.T, limit int, read func(after uint64, limit int) (issuer.HistoryPage, error)) (all []events.Message) {
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

// TestHistoryEqualsTheLog: the calls return the stored events, for the user and
// for each token, with every page size.
func TestHistoryEqualsTheLog(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	var ids []string
	for range 3 {
		made, _ := s.create(ann, "", token.Wish{ExpiresIn: time.Hour})
		ids = append(ids, made.ID)
	}
	// Between two records of one token there are more records than one read returns.
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

	log := s.checkedLog("ann")
	want := map[string][]events.Message{}
	var all []events.Message
	for _, r := range log {
		all = append(all, r.Message())
		want[r.Subject()] = append(want[r.Subject()], r.Message())
	}
	for _, limit := range []int{0, 1, 7, 1000} {
		got := allEvents(t, limit, func(after uint64, limit int) (issuer.HistoryPage, error) {
			return s.UserEvents(t.Context(), ann, "ann", after, limit)
		})
		if !reflect.DeepEqual(got, all) {
			t.Errorf("limit %d: the user's history has %d events, want the %d of the log", limit, len(got), len(all))
		}
		if err := events.VerifyMessages(events.Hash{}, got); err != nil {
			t.Error(err)
		}
		for _, id := range []string{ids[0], ids[2], ids[30], ids[len(ids)-1]} {
			got := allEvents(t, limit, func(after uint64, limit int) (issuer.HistoryPage, error) {
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

// historySpy counts the reads of a history, and has the after of the last read.
type historySpy struct {
	events.Store
	calls   int
	after   uint64
	records int // that the reads returned
}

func (h *historySpy) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	h.calls, h.after = h.calls+1, after
	rs, err := h.Store.History(ctx, s, after, limit)
	h.records += len(rs)
	return rs, err
}

// TestTokenHistoryReadsOnlyTheRangeOfTheToken: it reads no records from before the
// token's creation or after its last record.
func TestTokenHistoryReadsOnlyTheRangeOfTheToken(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	for range 3 {
		s.create(ann, "", token.Wish{})
	}
	made, _ := s.create(ann, "", token.Wish{})
	spy := &historySpy{Store: s.store}
	s.useStore(spy)
	page, err := s.TokenEvents(t.Context(), ann, made.ID, 0, 0)
	if err != nil || len(page.Events) != 1 || spy.after != 3 || spy.calls != 1 {
		t.Errorf("got %d events %v in %d reads after %d, want 1 in 1 after 3", len(page.Events), err, spy.calls, spy.after)
	}
	if page, err := s.TokenEvents(t.Context(), ann, made.ID, made.Seq, 0); err != nil || len(page.Events) != 0 || spy.calls != 1 {
		t.Errorf("past the end: got %d events %v after %d reads, want no events and no further read", len(page.Events), err, spy.calls)
	}
}

// TestOneCallReadsABoundedPartOfTheHistory: a user can put any number of records
// between two records of one token. All pages together still have both.
func TestOneCallReadsABoundedPartOfTheHistory(t *testing.T) {
	longtest.SkipSequential(t)
	s := newScene(t)
	ann := person("ann")
	s.changeRate(0)
	made, _ := s.create(ann, "", token.Wish{})
	for range 2600 {
		s.createAndRevoke("ann")
	}
	if err := s.Revoke(t.Context(), ann, made.ID); err != nil {
		t.Fatal(err)
	}
	spy := &historySpy{Store: s.store}
	s.useStore(spy)
	for _, limit := range []int{1, 100, 1000} {
		pages, empty := 0, 0
		got := allEvents(t, limit, func(after uint64, limit int) (issuer.HistoryPage, error) {
			before := spy.records
			page, err := s.TokenEvents(t.Context(), ann, made.ID, after, limit)
			if read := spy.records - before; read > 3100 {
				t.Errorf("limit %d: one call read %d records, want at most 3100", limit, read)
			}
			if pages++; len(page.Events) == 0 {
				empty++
			}
			return page, err
		})
		if fmt.Sprint(kinds(got)) != "[1TokenCreated 5202TokenRevoked]" || pages < 2 || pages > 4 {
			t.Errorf("limit %d: got %v in %d pages, want both records in 2 to 4 pages", limit, kinds(got), pages)
		}
		if limit == 100 && empty == 0 {
			t.Error("no page is empty, so this test shows little")
		}
	}
}

// TestHistorySkipsRecordsPastTheirRetention, also if they are still stored.
func TestHistorySkipsRecordsPastTheirRetention(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	early, _ := s.create(ann, "", token.Wish{})
	s.wait(400*24*time.Hour - time.Microsecond)
	late, _ := s.create(ann, "", token.Wish{})
	count := func() (n int) {
		page, err := s.UserEvents(t.Context(), ann, "ann", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events)
	}
	if got := count(); got != 2 {
		t.Errorf("a microsecond before: got %d events, want 2", got)
	}
	s.wait(time.Microsecond)
	if got := count(); got != 1 {
		t.Errorf("at the end of the retention: got %d events, want 1", got)
	}
	for id, want := range map[string]int{early.ID: 0, late.ID: 1} {
		if page, err := s.TokenEvents(t.Context(), ann, id, 0, 0); err != nil || len(page.Events) != want {
			t.Errorf("token %s: got %d events %v, want %d", id, len(page.Events), err, want)
		}
	}
	if err := s.Revoke(t.Context(), ann, early.ID); err != nil {
		t.Errorf("revoking a token without its first record: %v", err)
	}
}

func TestHistoryRefusesAnInvalidOwner(t *testing.T) {
	s := newScene(t)
	_, err := s.UserEvents(t.Context(), person("ann"), "WORLD:x", 0, 0)
	if got := refusalCode(t, err); got != token.CodeInvalidField {
		t.Errorf("got %q, want %s", got, token.CodeInvalidField)
	}
}
