package compare_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit/compare"
)

// tokens is a store with a live token "live", an ended token "gone", and copies of
// all events.
func tokens(t *testing.T) (*fakeStore, *memory) {
	s := newStore()
	s.commit(t, noon.Add(-5*time.Hour), 30*day, created("live"))
	s.commit(t, noon.Add(-4*time.Hour), 30*day, created("gone"))
	s.commit(t, noon.Add(-3*time.Hour), 30*day, events.TokenRevoked{TokenID: "gone", Owner: "ann", Cause: events.CauseUser})
	return copied(s, 0)
}

// TestAViewThatWasPutBackOrDeletedIsFound needs no peppers: every seal is good.
func TestAViewThatWasPutBackOrDeletedIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *fakeStore, older map[string]events.View)
		want   []string
	}{
		"unchanged":                 {func(*fakeStore, map[string]events.View) {}, nil},
		"a live view is deleted":    {func(s *fakeStore, _ map[string]events.View) { delete(s.views, "live") }, []string{"missing_view token/live"}},
		"an ended one is deleted":   {func(s *fakeStore, _ map[string]events.View) { delete(s.views, "gone") }, []string{"missing_view token/gone"}},
		"a revoked one is put back": {func(s *fakeStore, older map[string]events.View) { s.views["gone"] = older["gone"] }, []string{"rolled_back token/gone"}},
		"one is of another token":   {func(s *fakeStore, _ map[string]events.View) { s.views["live"] = s.views["gone"] }, []string{"differs token/live"}},
		"one cannot be decoded":     {func(s *fakeStore, _ map[string]events.View) { s.damagedViews["live"] = true }, []string{"damaged token/live"}},
	} {
		s, mem := tokens(t)
		earlier := newStore()
		earlier.commit(t, noon.Add(-5*time.Hour), 30*day, created("live"))
		earlier.commit(t, noon.Add(-4*time.Hour), 30*day, created("gone"))
		c.change(s, earlier.views)
		expect(t, name, report(t, without(comparison(s, mem))).Findings, c.want...)
	}
}

// uncompared has the fields of a view that no event has.
var uncompared = map[string]string{
	"ID": "it is the key", "Verifier": "events do not have it; the seal covers it", "Outgoing": "as Verifier",
	"Seal": "it is checked", "VerifierDigest": "only lists have it",
}

// TestEachFieldOfAViewIsComparedWithTheEvents changes one field at a time, without
// peppers.
func TestEachFieldOfAViewIsComparedWithTheEvents(t *testing.T) {
	for i := range reflect.TypeFor[events.View]().NumField() {
		field := reflect.TypeFor[events.View]().Field(i).Name
		if uncompared[field] != "" {
			continue
		}
		s, mem := tokens(t)
		v := s.views["gone"]
		vary(reflect.ValueOf(&v).Elem().Field(i))
		s.views["gone"] = v
		r := report(t, without(comparison(s, mem)))
		if len(r.Findings) != 1 || r.Findings[0].ID != "token/gone" || !strings.Contains(r.Findings[0].Detail, "event 3") {
			t.Errorf("%s: got %v, want one finding", field, r.Findings)
		}
	}
}

// vary gives a field another value.
func vary(f reflect.Value) {
	switch v := f.Interface().(type) {
	case time.Time:
		f.Set(reflect.ValueOf(v.Add(time.Microsecond)))
	case []string:
		f.Set(reflect.ValueOf([]string{"* /*"}))
	case []netip.Prefix:
		f.SetZero()
	default:
		switch f.Kind() {
		case reflect.String:
			f.SetString(f.String() + "x")
		case reflect.Bool:
			f.SetBool(!f.Bool())
		default:
			f.SetUint(f.Uint() + 1)
		}
	}
}

// TestSealsAndMACsAreCheckedWithPeppers changes what only the peppers protect.
func TestSealsAndMACsAreCheckedWithPeppers(t *testing.T) {
	other := events.Verifier{Kid: "lost", MAC: []byte("x")}
	for name, c := range map[string]struct {
		change func(s *fakeStore, mem *memory)
		want   string
	}{
		"a verifier": {func(s *fakeStore, _ *memory) {
			v := s.views["live"]
			v.Verifier.MAC = []byte("mine")
			s.views["live"] = v
		}, "damaged token/live"},
		"no seal": {func(s *fakeStore, _ *memory) {
			v := s.views["live"]
			v.Seal = events.Verifier{}
			s.views["live"] = v
		}, "damaged token/live"},
		"the pepper of a seal": {func(s *fakeStore, _ *memory) {
			v := s.views["live"]
			v.Seal = other
			s.views["live"] = v
		}, "unknown_pepper token/live"},
		"the pepper of the head": {func(s *fakeStore, _ *memory) { s.head.Seal = other }, "unknown_pepper user/ann/3"},
		"the MAC of a record":    {func(s *fakeStore, _ *memory) { s.records[1].MAC.MAC = []byte("x") }, "wrong_mac user/ann/2"},
		"the pepper of a record": {func(s *fakeStore, _ *memory) { s.records[1].MAC = other }, "unknown_pepper user/ann/2"},
		"the MAC of a copy": {func(_ *fakeStore, mem *memory) {
			m := mem.copies["user/ann/2"]
			m.MAC = events.Verifier{Kid: m.MAC.Kid, MAC: []byte("x")}
			mem.copies["user/ann/2"] = m
		}, "wrong_mac user/ann/2"},
	} {
		s, mem := tokens(t)
		c.change(s, mem)
		expect(t, name, compared(t, s, mem).Findings, c.want)
		expect(t, name+", without peppers", report(t, without(comparison(s, mem))).Findings)
	}
}

// TestTheHeadHoldsTheTokensOfTheEvents has a head of the right version with other
// tokens in its state. Without peppers, only the events show the change.
func TestTheHeadHoldsTheTokensOfTheEvents(t *testing.T) {
	s, mem := tokens(t)
	other := newStore()
	other.commit(t, noon, 0, created("mine"))
	s.head.State = other.head.State
	expect(t, "another state", report(t, without(comparison(s, mem))).Findings, "differs token/live", "differs token/mine")
	s.head.State = []byte("{")
	expect(t, "no state", report(t, without(comparison(s, mem))).Findings, "damaged user/ann/3")
}

// TestTheViewOfATokenMayBeGoneAfterItsRetention: a store removes such a view at
// any time. If it is there, it must be right.
func TestTheViewOfATokenMayBeGoneAfterItsRetention(t *testing.T) {
	s := newStore()
	s.commit(t, noon.Add(-40*day), 30*day, created("gone"))
	live := s.views["gone"]
	s.commit(t, noon.Add(-39*day), 30*day, events.TokenRevoked{TokenID: "gone", Owner: "ann", Cause: events.CauseUser})
	s, mem := copied(s, 0)
	expect(t, "still there", compared(t, s, mem).Findings)
	s.views["gone"] = live
	expect(t, "put back", compared(t, s, mem).Findings, "rolled_back token/gone")
	delete(s.views, "gone")
	expect(t, "removed", compared(t, s, mem).Findings)
}

// TestAnUnknownRetentionIsNoFinding: after "for ever" all records are kept for
// ever, but a view is kept for the new retention.
func TestAnUnknownRetentionIsNoFinding(t *testing.T) {
	s := newStore()
	s.commit(t, noon.Add(-40*day), 0, created("gone"))
	s.commit(t, noon.Add(-39*day), 30*day, events.TokenRevoked{TokenID: "gone", Owner: "ann", Cause: events.CauseUser})
	s, mem := copied(s, 0)
	expect(t, "still there", compared(t, s, mem).Findings)
	delete(s.views, "gone")
	expect(t, "removed", compared(t, s, mem).Findings)
}

// TestATokenThatWasEndedTwiceIsNoFinding: a token that was put back is revoked
// again.
func TestATokenThatWasEndedTwiceIsNoFinding(t *testing.T) {
	s, _ := tokens(t)
	v := s.views["gone"]
	v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{}
	s.state.Tokens = append(s.state.Tokens, v)
	s.commit(t, noon.Add(-2*time.Hour), 30*day, events.TokenRevoked{TokenID: "gone", Owner: "ann", Cause: events.CauseUser})
	s, mem := copied(s, 0)
	expect(t, "ended twice", compared(t, s, mem).Findings)
	s.views["gone"] = v
	expect(t, "and put back", report(t, without(comparison(s, mem))).Findings, "rolled_back token/gone")
}

// TestTokensThatChangeMeanwhileAreNoFindings revokes a token after the head was
// read, with and without a copy of the event, and again at each later look.
func TestTokensThatChangeMeanwhileAreNoFindings(t *testing.T) {
	for name, withCopy := range map[string]bool{"without a copy": false, "with a copy": true} {
		s, mem := tokens(t)
		s.commit(t, noon.Add(-2*time.Hour), 30*day, created("other"))
		s, mem = copied(s, 0)
		ids := []string{"live", "other"}
		s.onHead = func() {
			if len(ids) == 0 {
				return
			}
			s.commit(t, noon, 30*day, events.TokenRevoked{TokenID: ids[0], Owner: "ann", Cause: events.CauseUser})
			if m := s.messages()[len(s.records)-1]; withCopy {
				mem.copies[m.ID] = m
			}
			ids = ids[1:]
		}
		expect(t, name, compared(t, s, mem).Findings)
		if len(ids) > 0 {
			t.Errorf("%s: the head was not read a second time", name)
		}
	}
}

// TestOneDamagedItemDoesNotStopAComparison has an item that cannot be decoded, and
// a view that was put back.
func TestOneDamagedItemDoesNotStopAComparison(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(s *fakeStore, mem *memory)
		want   string
	}{
		"a record": {func(s *fakeStore, _ *memory) { s.damagedRecords[2] = true }, "damaged user/ann/2"},
		"a copy":   {func(_ *fakeStore, mem *memory) { mem.damaged[1] = true }, "damaged user/ann/1"},
		"the head": {func(s *fakeStore, _ *memory) { s.damagedHead = true }, "damaged user/ann"},
		"a view":   {func(s *fakeStore, _ *memory) { s.damagedViews["live"] = true }, "damaged token/live"},
	} {
		s, mem := tokens(t)
		c.damage(s, mem)
		delete(s.views, "gone")
		found := compared(t, s, mem).Findings
		var all []string
		for _, f := range found {
			all = append(all, string(f.Kind)+" "+f.ID)
		}
		text := strings.Join(all, ", ")
		if !strings.Contains(text, c.want) || !strings.Contains(text, "missing_view token/gone") {
			t.Errorf("%s: got %q, want %q and the missing view", name, text, c.want)
		}
	}
}

// TestAViewWithoutACopyIsFound: a holder of the peppers made it, or moved it here
// from another table.
func TestAViewWithoutACopyIsFound(t *testing.T) {
	s, mem := tokens(t)
	c := comparison(s, mem)
	planted := newStore()
	planted.commit(t, noon.Add(-time.Hour), 0, created("mine"))
	s.views["mine"] = planted.views["mine"]
	young := s.views["live"]
	young.ID, young.CreatedAt = "young", noon.Add(-time.Minute)
	s.views["young"] = young
	future := young
	future.ID, future.CreatedAt = "future", noon.Add(day)
	s.views["future"] = future
	s.damagedViews["bad"] = true
	for id, want := range map[string]string{
		"live": "", "gone": "", "unknown": "", "young": "", "mine": "uncopied_view", "future": "uncopied_view", "bad": "damaged",
	} {
		f, err := c.View(t.Context(), id)
		switch {
		case err != nil:
			t.Errorf("%s: %v", id, err)
		case f == nil && want != "", f != nil && (string(f.Kind) != want || f.ID != "token/"+id):
			t.Errorf("%s: got %v, want %q", id, f, want)
		}
	}
	c.Unsent = func(id string) bool { return id == "user/ann/1" }
	if f, err := c.View(t.Context(), "mine"); f != nil || err != nil {
		t.Errorf("in the outbox: got %v, %v", f, err)
	}
}

// TestTheSettingsHaveNoViews: the rules of tokens cannot fold their facts.
func TestTheSettingsHaveNoViews(t *testing.T) {
	c, err := events.NewCommit(keys, events.SettingsStream, events.Head{}, events.Meta{Command: "c", Actor: "ann", At: noon.Add(-time.Hour)},
		[]events.Fact{events.PermissionsChanged{User: "ann"}}, 1, []byte("{}"), events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore()
	s.head, s.records = c.Head(), c.Records()
	r, err := comparison(s, newMemory(s.messages()...)).Stream(t.Context(), events.SettingsStream)
	if err != nil || r.Copies != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	expect(t, "settings", r.Findings)
}

// TestAReadThatFailsIsNoFinding: then the stream is not compared.
func TestAReadThatFailsIsNoFinding(t *testing.T) {
	s, mem := tokens(t)
	c := comparison(s, mem)
	c.Store = failing{s}
	if _, err := c.Stream(t.Context(), ann); !errors.Is(err, errDown) {
		t.Errorf("got %v, want %v", err, errDown)
	}
	if f, err := c.View(t.Context(), "live"); f != nil || !errors.Is(err, errDown) {
		t.Errorf("got %v, %v, want %v", f, err, errDown)
	}
}

var errDown = errors.New("the store does not answer")

type failing struct{ compare.Store }

func (failing) Token(context.Context, string) (events.View, events.Use, error) {
	return events.View{}, events.Use{}, errDown
}
