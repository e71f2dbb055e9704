package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// walkEvents reads all pages of AllEvents as the user viewer. between runs after
// each page that is not the last.
func (s *scene) walkEvents(limit int, between func()) (all []events.Message, damaged []string) {
	s.Helper()
	var after events.Place
	for {
		page, err := s.AllEvents(s.Context(), person("viewer"), after, limit)
		if err != nil {
			s.Fatal(err)
		}
		if len(page.Events) > limit {
			s.Fatalf("got %d events on a page of %d", len(page.Events), limit)
		}
		all, damaged = append(all, page.Events...), append(damaged, page.Damaged...)
		if !page.More {
			return all, damaged
		}
		between()
		after = page.Next
	}
}

func messagesOf(rs []events.Record) (ms []events.Message) {
	for _, r := range rs {
		ms = append(ms, r.Message())
	}
	return ms
}

func ofStream(ms []events.Message, s events.Stream) (of []events.Message) {
	for _, m := range ms {
		if m.Stream == s {
			of = append(of, m)
		}
	}
	return of
}

// TestAllEventsAreThoseOfEveryLog: also those of the settings, with every page size,
// the oldest of each stream first.
func TestAllEventsAreThoseOfEveryLog(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	s.limit(7)
	streams := []events.Stream{events.SettingsStream}
	for _, owner := range []string{"ann", "bob", "ACTIVE_DIRECTORY:ann", "auth_id:7"} {
		for range 3 {
			s.create(person(owner), "", token.Wish{})
		}
		streams = append(streams, events.UserStream(owner))
	}
	for _, limit := range []int{1, 3, 1000} {
		got, damaged := s.walkEvents(limit, func() {})
		total := 0
		for _, stream := range streams {
			log, err := s.store.History(t.Context(), stream, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			total += len(log)
			if of := ofStream(got, stream); !reflect.DeepEqual(of, messagesOf(log)) {
				t.Errorf("limit %d: stream %s has the events %v, want %v", limit, stream, kinds(of), kinds(messagesOf(log)))
			}
		}
		if len(got) != total || len(damaged) > 0 {
			t.Errorf("limit %d: got %d events, damaged %q, want the %d of the logs", limit, len(got), damaged, total)
		}
	}
}

// TestAllEventsSkipsWhatIsPastItsRetention, also if the retention of a record ends
// between two pages, and the store still has the record.
func TestAllEventsSkipsWhatIsPastItsRetention(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	s.changeSettings(settings.Change{Retention: new(24 * time.Hour)})
	for range 4 {
		s.create(person("ann"), "", token.Wish{})
	}
	s.wait(12 * time.Hour)
	s.create(person("ann"), "", token.Wish{})
	all, _ := s.walkEvents(1, func() {})
	before := ofStream(all, "user/ann")
	if len(before) != 5 {
		t.Fatalf("got %d events of ann, want 5", len(before))
	}
	pages := 0
	all, _ = s.walkEvents(2, func() {
		if pages++; pages == 1 {
			s.wait(13 * time.Hour)
		}
	})
	got := ofStream(all, "user/ann")
	if !reflect.DeepEqual(got[len(got)-1], before[4]) || len(got) > 3 {
		t.Errorf("got the events %v, want the last of %v and at most the two of the first page", kinds(got), kinds(before))
	}
	all, _ = s.walkEvents(1000, func() {})
	if got := ofStream(all, "user/ann"); !reflect.DeepEqual(got, before[4:]) {
		t.Errorf("later: got the events %v, want the last of %v", kinds(got), kinds(before))
	}
}

// changedWalk is a store with records that something else changed.
type changedWalk struct {
	events.Store
	change func(*events.Stretch)
}

func (c changedWalk) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	st, err := c.Store.Walk(ctx, after, limit)
	c.change(&st)
	return st, err
}

// TestADamagedRecordIsNamedAndHidesNoOther: a record with a wrong MAC, a wrong hash or
// a retention that something else wrote, and one that cannot be decoded. The log has
// an error that raises the alarm, once for a page.
func TestADamagedRecordIsNamedAndHidesNoOther(t *testing.T) {
	for what, change := range map[string]func(*events.Record){
		"another MAC":       func(r *events.Record) { r.MAC.MAC = bytes.Repeat([]byte{7}, len(r.MAC.MAC)) },
		"no MAC":            func(r *events.Record) { r.MAC = events.Verifier{} },
		"another actor":     func(r *events.Record) { r.Actor = "eve" },
		"another retention": func(r *events.Record) { r.KeepUntil = start.Add(-time.Hour) },
		"another sequence":  func(r *events.Record) { r.Seq = 9 },
		"undecodable":       nil,
	} {
		s := newScene(t)
		s.grant("viewer", settings.ActionView)
		for range 3 {
			s.create(person("ann"), "", token.Wish{})
		}
		all, _ := s.walkEvents(1000, func() {})
		at := slices.IndexFunc(all, func(m events.Message) bool { return m.ID == "user/ann/2" })
		id := "user/ann/2"
		var lines bytes.Buffer
		store := changedWalk{s.store, func(st *events.Stretch) {
			if change == nil {
				st.Records = slices.Delete(st.Records, at, at+1)
				st.Damaged = append(st.Damaged, &events.DamagedRecord{Stream: "user/ann", Seq: 2, Reason: errors.New("bad bytes")})
				return
			}
			change(&st.Records[at])
			id = st.Records[at].ID()
		}}
		s.Issuer = issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Now: s.now, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		got, damaged := s.walkEvents(1000, func() {})
		if want := slices.Delete(slices.Clone(all), at, at+1); !reflect.DeepEqual(got, want) || !slices.Equal(damaged, []string{id}) {
			t.Errorf("%s: got the events %v, damaged %q, want %v and %s", what, kinds(got), damaged, kinds(want), id)
		}
		if n := strings.Count(lines.String(), "damaged records were left out"); n != 1 || !strings.Contains(lines.String(), id) {
			t.Errorf("%s: got the log\n%swant one line about %s", what, lines.String(), id)
		}
	}
}

// TestAPlaceOfAnotherStoreIsAnAnswer: the caller sent it, so it is no outage.
func TestAPlaceOfAnotherStoreIsAnAnswer(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	_, err := s.AllEvents(t.Context(), person("viewer"), "nonsense", 0)
	if !errors.Is(err, events.ErrPlace) || errors.Is(err, issuer.ErrBusy) {
		t.Errorf("got %v, want %v", err, events.ErrPlace)
	}
}
