package events_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"apitoken/events"
)

// TestAdvanceMakesTheHeadOfTheLastRecord: the head is the one that the commit of
// the last record made.
func TestAdvanceMakesTheHeadOfTheLastRecord(t *testing.T) {
	k := keys(t, pepperA)
	first := commit(t, k, "user/ann", events.Head{}, meta, anns[0])
	second := commit(t, k, "user/ann", first.Head(), meta, anns[1:]...)
	view := events.View{ID: "JhxND7ci", Owner: "ann", Seq: 2}
	a, err := events.NewAdvance(k, "user/ann", first.Head(), second.Records(), second.Head().StateV, second.Head().State, []events.View{view})
	if err != nil {
		t.Fatal(err)
	}
	if a.Base() != 1 || a.Stream() != "user/ann" || !reflect.DeepEqual(a.Head(), second.Head()) {
		t.Errorf("got base %d of %s and head %+v, want 1 of user/ann and %+v", a.Base(), a.Stream(), a.Head(), second.Head())
	}
	if err := a.Views()[0].Check(k); err != nil || len(view.Seal.MAC) > 0 {
		t.Errorf("got a view with the seal error %v, and the caller's view with the seal %v", err, view.Seal)
	}
}

func TestAdvanceRefusesRecordsThatDoNotContinueTheHead(t *testing.T) {
	k := keys(t, pepperA)
	first := commit(t, k, "user/ann", events.Head{}, meta, anns[0])
	rs := commit(t, k, "user/ann", first.Head(), meta, anns[1:]...).Records()
	other := commit(t, k, "user/bob", first.Head(), meta, anns[1]).Records()
	foreign := commit(t, keys(t, pepperB), "user/ann", first.Head(), meta, anns[1]).Records()
	changed := slices.Clone(rs)
	changed[0].Actor = "eve"
	for what, rs := range map[string][]events.Record{
		"none": nil, "a gap": rs[1:], "another stream": other, "another pepper": foreign, "a changed member": changed,
		"a repeat": {rs[0], rs[0]}, "too many": make([]events.Record, events.MaxAdvance+1),
	} {
		_, err := events.NewAdvance(k, "user/ann", first.Head(), rs, 1, nil, nil)
		if err == nil || len(rs) > 0 && len(rs) <= events.MaxAdvance && !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: got %v, want a refusal", what, err)
		}
	}
	if _, err := events.NewAdvance(k, "user/ann", first.Head(), rs[:1], 1, make([]byte, events.MaxState+1), nil); err == nil {
		t.Error("a state that is too large: got no error")
	}
}
