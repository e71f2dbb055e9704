package dynamo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"
)

// TestAPassHasTheEventsOfTheWholeTable: those of each user and of the settings,
// however the pages are cut. No page has a higher price than that of its items, of
// which none is larger than a read unit.
func TestAPassHasTheEventsOfTheWholeTable(t *testing.T) {
	c := client(t)
	m := &meter{}
	s := newScene(dynamo.New(metered(c, m), newTable(t, c)), time.Now)
	settingstest.Apply(t, s.store, keys, time.Now(), 0, settings.Grant{User: "vera", Actions: []string{settings.ActionView}})
	want := 1
	for n := range 12 {
		ann := guard.Principal{Owner: fmt.Sprint("ann", n)}
		for range n%4 + 1 {
			if _, text, err := s.Create(t.Context(), ann, "", token.Wish{Description: "deployment from the build server"}); err != nil {
				t.Fatal(err)
			} else if err := s.check(t, text); err != nil {
				t.Fatal(err)
			}
			want++
		}
	}
	total := map[int]float64{}
	for _, limit := range []int{5, 1000} {
		all := map[events.Stream][]events.Message{}
		count := 0
		for after, more := events.Place(""), true; more; {
			before := m.units
			page, err := s.AllEvents(t.Context(), guard.Principal{Owner: "vera"}, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			units := m.units - before - 1 // the head of the settings
			if total[limit] += units; units > float64(limit) {
				t.Errorf("a page of %d items has the price of %v read units", limit, units)
			}
			for _, e := range page.Events {
				all[e.Stream] = append(all[e.Stream], e)
				count++
			}
			after, more = page.Next, page.More
		}
		for stream, ms := range all {
			if err := events.VerifyMessages(events.Hash{}, ms); err != nil {
				t.Errorf("stream %s in pages of %d: %v", stream, limit, err)
			}
		}
		if count != want || len(all) != 13 {
			t.Errorf("in pages of %d: got %d events of %d streams, want %d of 13", limit, count, len(all), want)
		}
		t.Logf("pages of %d: %v read units for %d events", limit, total[limit], count)
	}
}

// TestPlacesAreKeysThatDynamoDBAccepts: a place of another form would be an outage.
func TestPlacesAreKeysThatDynamoDBAccepts(t *testing.T) {
	c := client(t)
	s := newScene(dynamo.New(c, newTable(t, c)), time.Now)
	if _, _, err := s.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	long := func(n int) string { return fmt.Sprintf("%0*d", n, 7) }
	for _, c := range []struct {
		pk, sk   string
		accepted bool
	}{
		{"USER#ann", "EVENT#000000000001", true}, {"USER#nobody", "EVENT#000000000007", true}, {"TOKEN#JhxND7ci", "TOKEN", true},
		{"REPLY#x", "REPLY", true}, {long(2048), long(1024), true}, {"\x00", "\x00", true}, {"é", "日本", true},
		{"", "EVENT#000000000001", false}, {"USER#ann", "", false}, {long(2049), "x", false}, {"x", long(1025), false}, {"\xff", "x", false}, {"x", "\xff", false},
	} {
		_, err := s.store.Walk(t.Context(), item.PlaceOf(item.Key(c.pk, c.sk)), 10)
		if accepted := err == nil; accepted != c.accepted || !accepted && !errors.Is(err, events.ErrPlace) {
			t.Errorf("the place of %.20q %.20q: got %v, want accepted %t", c.pk, c.sk, err, c.accepted)
		}
	}
}
