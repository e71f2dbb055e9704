package attacktest

import (
	"errors"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/token"
)

// neverWrittenStreamIsCleared plants records for a user who never had a token.
func neverWrittenStreamIsCleared(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	forged := x.forged(open(t))
	x.plant(forged, 1, 7)
	x.PutItem(t, x.RecordKey("user/ann", 3), map[string]any{}) // it cannot be decoded
	_, _, err := x.Create(t.Context(), ann, "", token.Wish{})
	x.expectFault("a create with planted records and no head", err)
	removed := ": the planted record is removed: "
	x.expectSteps(x.repaired("user/ann"), "user/ann/1"+removed, "user/ann/3"+removed, "user/ann/7"+removed)
	x.expectWorks()

	y := newScene(t, open(t))
	y.plant(forged, 5)
	head := func() { y.PutItem(t, y.HeadKey("user/ann"), x.Item(t, x.HeadKey("user/ann"))) }
	if steps, err := y.repair(&overtaken{y.Store, head}, "user/ann"); !errors.Is(err, events.ErrConflict) || len(steps) > 0 {
		t.Errorf("with a head meanwhile: got %q, %v, want ErrConflict", steps, err)
	}
}

// damagedUseEndsNoList: the list has the token without its use, and the log has
// the fault.
func damagedUseEndsNoList(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	shown := x.create(ann, full("used"))
	if err := x.Touch(t.Context(), shown.ID, events.Use{At: x.now}); err != nil {
		t.Fatal(err)
	}
	x.Store.Token(t.Context(), shown.ID)
	x.SpoilUse(t, shown.ID)
	x.restart()
	p, err := x.List(t.Context(), ann, issuer.ListQuery{})
	if err != nil || len(p.Tokens) != 1 || !p.Tokens[0].LastUse.At.IsZero() {
		t.Errorf("got %v, %v, want the token without a use", p, err)
	}
	if !strings.Contains(x.log.String(), "a damaged last use was left out of a list") {
		t.Errorf("the log has no damaged use: %s", x.log.String())
	}
}
