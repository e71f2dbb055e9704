package token

import (
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
)

// theft is what a thief has who stole one token that expires: secrets that the
// thief made since, and the end of the stolen token. The thief uses only these.
// A secret is no longer the thief's when somebody else makes a new one or sets a
// new expiry.
type theft struct {
	until time.Time // zero: nothing is stolen
	known map[string]bool
}

// steal lets the thief have one live token that expires.
func (sc *scene) steal(t *rapid.T) {
	id := sc.anyID(t)
	if sc.isLive(id) && !sc.views[id].ExpiresAt.IsZero() {
		sc.stolen = theft{until: sc.views[id].ExpiresAt, known: map[string]bool{id: true}}
	}
}

// checkTheft: no sequence of commands leaves the thief a secret that works later
// than the stolen token.
func (sc *scene) checkTheft(t *rapid.T) {
	for id := range sc.stolen.known {
		if v := sc.views[id]; v.Ended == "" && outlives(v.ExpiresAt, sc.stolen.until) {
			t.Fatalf("the stolen token ended at %v, but the thief has token %s until %v", sc.stolen.until, id, v.ExpiresAt)
		}
	}
}

// attack lets the thief give a command with one of its tokens. The thief knows
// every secret that the command hands out.
func (sc *scene) attack(t *rapid.T) {
	id := sc.anyID(t)
	v := sc.views[id]
	if !sc.stolen.known[id] || v.StateAt(sc.at()) != events.StateActive {
		return
	}
	by := Maker{Owner: "ann", TokenID: id, Scopes: v.Scopes, SourceIPs: v.SourceIPs, ExpiresAt: v.ExpiresAt, MayCreate: true, MayEdit: true}
	switch rapid.IntRange(0, 2).Draw(t, "attack") {
	case 0:
		minted := sc.mint(t)
		c := Create{At: sc.at(), Policy: sc.policy, By: by, ID: minted.ID, Owner: "ann", Wish: sc.wish(t)}
		r := sc.do(t, c)
		if sc.checkRate(t, c, by, 1, r); r == nil {
			sc.peak = max(sc.peak, sc.state(t).Limit(sc.policy))
			sc.stolen.known[minted.ID] = true
		}
	case 1:
		sc.doUpdate(t, by)
	case 2:
		if c, r := sc.doRotate(t, by); r == nil {
			sc.stolen.known[c.ID] = true
		}
	}
}

// wish draws the members of a token.
func (sc *scene) wish(t *rapid.T) Wish {
	return Wish{
		Name:      rapid.StringN(0, 4, -1).Draw(t, "name"),
		ExpiresIn: time.Duration(rapid.IntRange(0, 40).Draw(t, "hours")) * time.Hour,
		Scopes:    someScopes.Draw(t, "scopes"),
	}
}

func (sc *scene) update(t *rapid.T) {
	by := sc.maker(t)
	if c, r := sc.doUpdate(t, by); r == nil && c.Given.Expiry {
		delete(sc.stolen.known, c.ID)
	}
}

func (sc *scene) doUpdate(t *rapid.T, by Maker) (Update, *events.Refusal) {
	c := Update{
		At: sc.at(), Policy: sc.policy, By: by, ID: sc.anyID(t), Owner: "ann", IfMatch: sc.ifMatch(t), Wish: sc.wish(t),
		Given: Members{
			Name: rapid.Bool().Draw(t, "a name"), Expiry: rapid.IntRange(0, 3).Draw(t, "new expiry") == 0 && rapid.Bool().Draw(t, "an expiry"), Scopes: rapid.IntRange(0, 3).Draw(t, "some scopes") == 0,
		},
		EndOutgoing: rapid.Bool().Draw(t, "end the outgoing secret"),
	}
	if rapid.Bool().Draw(t, "switch") {
		c.Enabled = new(sc.views[c.ID].Disabled != (rapid.IntRange(0, 3).Draw(t, "as it is") == 0))
	}
	before, records := sc.state(t), len(sc.records)
	r := sc.do(t, c)
	sc.checkMaker(t, before, by, r)
	sc.checkRate(t, c, by, sc.countedSince(records), r)
	switch {
	case r == nil && !sc.isLive(c.ID):
		t.Fatalf("token %s has ended, but it was updated", c.ID)
	case r == nil && c.Enabled != nil && (sc.views[c.ID].StateAt(c.At) == events.StateActive) != *c.Enabled:
		t.Fatalf("the update says enabled %v, but the view is %+v", *c.Enabled, sc.views[c.ID])
	case r == nil && outlives(sc.views[c.ID].ExpiresAt, by.latestExpiry("ann")) && c.Given.Expiry && len(sc.records) > records && !sc.views[c.ID].ExpiresAt.Equal(before.expiryOf(c.ID)):
		t.Fatalf("a token that expires at %v gave another one the expiry %v", by.ExpiresAt, sc.views[c.ID].ExpiresAt)
	}
	return c, r
}

func (s State) expiryOf(id string) time.Time {
	v, _ := s.Find(id)
	return v.ExpiresAt
}

// countedSince counts the records that the change rate counts.
func (sc *scene) countedSince(records int) (n int) {
	for _, r := range sc.records[records:] {
		switch r.Type {
		case "TokenCreated", "TokenUpdated", "TokenEnabled", "TokenRotated":
			n++
		}
	}
	return n
}

// ifMatch draws a condition that mostly holds.
func (sc *scene) ifMatch(t *rapid.T) []uint64 {
	if rapid.IntRange(0, 9).Draw(t, "condition") > 0 {
		return nil
	}
	return []uint64{rapid.Uint64Range(0, sc.head.Version).Draw(t, "sequence")}
}

func (sc *scene) rotate(t *rapid.T) {
	if c, r := sc.doRotate(t, sc.maker(t)); r == nil {
		delete(sc.stolen.known, c.ID)
	}
}

func (sc *scene) doRotate(t *rapid.T, by Maker) (Rotate, *events.Refusal) {
	c := Rotate{At: sc.at(), Policy: sc.policy, By: by, ID: sc.anyID(t), Owner: "ann", IfMatch: sc.ifMatch(t)}
	c.Verifier = events.Verifier{Kid: "a", MAC: rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "verifier")}
	if rapid.Bool().Draw(t, "a grace") {
		c.Grace = new(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
	}
	if rapid.Bool().Draw(t, "itself") && !by.Operator {
		c.ID = by.TokenID
	}
	before, records := sc.state(t), len(sc.records)
	live := before.Live(c.At)
	r := sc.do(t, c)
	sc.checkMaker(t, before, by, r)
	sc.checkRate(t, c, by, sc.countedSince(records), r)
	if r != nil {
		if r.Code == CodeLimitReached {
			t.Fatal("a rotation takes no place below the limit")
		}
		return c, r
	}
	v := sc.views[c.ID]
	switch {
	case sc.state(t).Live(c.At) != live || !sc.isLive(c.ID):
		t.Fatalf("a rotation changed the number of live tokens, or revived token %s", c.ID)
	case by.Owner == "ann" && !by.Operator && outlives(v.ExpiresAt, by.ExpiresAt):
		t.Fatalf("a token that expires at %v got a secret until %v", by.ExpiresAt, v.ExpiresAt)
	case c.self() && v.OutgoingUntil.Before(c.At.Add(selfGrace)) && !v.OutgoingUntil.Equal(v.ExpiresAt):
		t.Fatalf("the outgoing secret of a self-rotation ends at %v", v.OutgoingUntil)
	}
	return c, r
}

// revokeShown shows one of the two secrets of a token, sometimes of the view before
// a rotation.
func (sc *scene) revokeShown(t *rapid.T) {
	v := sc.views[sc.anyID(t)]
	c := RevokeShown{At: sc.at(), ID: v.ID, Owner: "ann", Shown: v.Verifier}
	if rapid.IntRange(0, 2).Draw(t, "outgoing") > 0 {
		c.Shown, c.Outgoing = v.Outgoing, true
	}
	if rapid.IntRange(0, 3).Draw(t, "rotated meanwhile") == 0 {
		sc.doRotate(t, Maker{Owner: "ann"})
	}
	c.At = sc.at()
	v, records := sc.views[v.ID], len(sc.records)
	live, worked := sc.isLive(v.ID), v.OutgoingAt(c.At)
	if r := sc.do(t, c); r != nil {
		t.Fatalf("ending a shown secret was refused: %v", r)
	}
	sc.changes[sc.at().Truncate(time.Hour)] += sc.countedSince(records)
	after := sc.views[v.ID]
	switch {
	case live && !c.Outgoing && v.Verifier.Equal(c.Shown):
		if after.Ended != events.EndedRevoked {
			t.Fatalf("the current secret was shown, but the view is %+v", after)
		}
	case live && c.Outgoing && worked && v.Outgoing.Equal(c.Shown):
		if !sc.isLive(v.ID) || after.OutgoingAt(sc.at()) || !after.Verifier.Equal(v.Verifier) {
			t.Fatalf("the outgoing secret was shown, but the view is %+v", after)
		}
	case len(sc.records) > records:
		t.Fatalf("%+v changed the view %+v to %+v", c, v, after)
	}
}

// boss may suspend and offboard ann.
var boss = Maker{Owner: "boss", MayEdit: true, MayDelete: true}

func (sc *scene) suspend(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
		sc.do(t, Suspend{At: sc.at(), By: boss, Owner: "ann", Reason: "found on a bus"})
	}
}

func (sc *scene) reinstate(t *rapid.T) {
	sc.do(t, Reinstate{At: sc.at(), By: boss, Owner: "ann"})
}

// offboard leaves no live token, in a bounded number of steps.
func (sc *scene) offboard(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
		return
	}
	for range 4 {
		if r := sc.do(t, Offboard{At: sc.at(), By: boss, Owner: "ann"}); r != nil {
			t.Fatal(r)
		}
	}
	if live := sc.state(t).Live(sc.at()); live > 0 {
		t.Fatalf("an offboarded user has %d live tokens", live)
	}
}

func (sc *scene) setLimit(t *rapid.T) {
	c := SetLimit{At: sc.at(), By: boss, Owner: "ann"}
	if rapid.Bool().Draw(t, "own") {
		c.Limit = new(rapid.IntRange(0, 50).Draw(t, "limit"))
	}
	before := sc.state(t).Live(c.At)
	if r := sc.do(t, c); r != nil || sc.state(t).Live(c.At) != before {
		t.Fatalf("setting the limit %v: got %v, and %d live tokens of %d", c.Limit, r, sc.state(t).Live(c.At), before)
	}
}

// expire is the sweep: it records expiries and nothing else.
func (sc *scene) expire(t *rapid.T) {
	records := len(sc.records)
	sc.do(t, Expire{At: sc.at(), Owner: "ann"})
	for _, r := range sc.records[records:] {
		if r.Type != "TokenExpired" {
			t.Fatalf("the sweep wrote a %s", r.Type)
		}
	}
	if n := len(unrecorded(sc.state(t), sc.at(), 1)); n > 0 && len(sc.records)-records < maxFacts {
		t.Fatal("the sweep left an expiry that had room in its commit")
	}
}

// switchTwice disables and enables a token, with one of ann's tokens that has no
// limits.
func (sc *scene) switchTwice(t *rapid.T) {
	id := sc.anyID(t)
	for _, enabled := range []bool{false, true} {
		c := Update{At: sc.at(), Policy: sc.policy, By: Maker{Owner: "ann"}, ID: id, Owner: "ann", Enabled: &enabled}
		records := len(sc.records)
		r := sc.do(t, c)
		sc.checkRate(t, c, c.By, sc.countedSince(records), r)
		if v := sc.views[id]; r == nil && v.Disabled == enabled {
			t.Fatalf("enabled is %v, but the view is %+v", enabled, v)
		}
	}
}

// rotateTwice lets a token rotate itself twice at one time. The second rotation
// is refused, because the answer of the first may be lost.
func (sc *scene) rotateTwice(t *rapid.T) {
	id := sc.anyID(t)
	v := sc.views[id]
	by := Maker{Owner: "ann", TokenID: id, Scopes: v.Scopes, SourceIPs: v.SourceIPs, ExpiresAt: v.ExpiresAt}
	for i := range 2 {
		c := Rotate{At: sc.at(), Policy: sc.policy, By: by, ID: id, Owner: "ann", Verifier: events.Verifier{Kid: "a", MAC: []byte{byte(len(sc.records))}}}
		records := len(sc.records)
		r := sc.do(t, c)
		sc.checkRate(t, c, by, sc.countedSince(records), r)
		if r == nil && i == 1 {
			t.Fatalf("token %s rotated itself twice at %v", id, c.At)
		}
		if r == nil {
			delete(sc.stolen.known, id)
		}
	}
}
