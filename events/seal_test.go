package events_test

import (
	"errors"
	"testing"

	"apitoken/events"
)

func TestChangingAnyByteOfAHeadBreaksItsSeal(t *testing.T) {
	k := keys(t, pepperA)
	_, head := history(t, k)
	for where, changed := range changes(head) {
		if changed.Check(k, "user/ann") == nil {
			t.Errorf("a change at %s is not noticed", where)
		}
	}
}

func TestAHeadCannotBeForgedOrMoved(t *testing.T) {
	k := keys(t, pepperA)
	_, head := history(t, k)
	if err := head.Check(k, "user/ann"); err != nil {
		t.Fatal(err)
	}
	if head.Check(k, "user/bob") == nil {
		t.Error("a head that is moved to another owner passes")
	}
	forged := head
	forged.State = []byte(`{"token_limit":1000}`)
	if forged.Check(k, "user/ann") == nil {
		t.Error("a forged state passes")
	}
	if (events.Head{Version: 1, State: forged.State}).Check(k, "user/ann") == nil {
		t.Error("a head without a seal passes")
	}
}

func TestAStreamThatWasNeverWrittenNeedsNoSeal(t *testing.T) {
	if err := (events.Head{}).Check(keys(t, pepperA), "user/ann"); err != nil {
		t.Error(err)
	}
}

func TestSealsStayValidAfterARotationOfPeppers(t *testing.T) {
	_, head := history(t, keys(t, pepperA))
	if err := head.Check(keys(t, pepperB+","+pepperA), "user/ann"); err != nil {
		t.Errorf("with the old pepper in second place: %v", err)
	}
	if err := head.Check(keys(t, pepperB), "user/ann"); !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("without the old pepper: got %v, want ErrUnknownKid", err)
	}
}
