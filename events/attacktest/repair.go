package attacktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// repaired runs a repair that must succeed, and returns its steps.
func (x *scene) repaired(s events.Stream) []string {
	x.Helper()
	steps, err := x.repair(x.Store, s)
	if err != nil {
		x.Fatalf("repairing %s: %v", s, err)
	}
	x.restart()
	return steps
}

func (x *scene) repair(store issuer.RepairStore, s events.Stream) (steps []string, err error) {
	err = issuer.Repair(x.Context(), store, storetest.Keys, s, x.now, func(step string) error {
		steps = append(steps, step)
		return nil
	})
	return steps, err
}

// expectSteps expects steps that begin with these texts.
func (x *scene) expectSteps(got []string, want ...string) {
	x.Helper()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		x.Errorf("the repair did\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// expectWorks creates and revokes a token of ann, and expects a sound stream.
func (x *scene) expectWorks() {
	x.Helper()
	x.revoke(ann, x.create(ann, token.Wish{}).ID)
	x.expectSound("ann")
	if steps := x.repaired("user/ann"); len(steps) > 0 {
		x.Errorf("a second repair did %q, want nothing", steps)
	}
}

// plant writes a record of the forger at these sequences.
func (x *scene) plant(forged map[string]any, seqs ...uint64) {
	x.Helper()
	for _, seq := range seqs {
		x.PutItem(x, x.RecordKey("user/ann", seq), forged)
	}
}

func plantedRecordsAreRemoved(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	shown := x.create(ann, full("live"))
	x.expectSteps(x.repaired("user/ann"))
	x.plant(x.forged(open(t)), 2)
	x.expectSteps(x.repaired("user/ann"), "user/ann/2: the planted record is removed: record user/ann/2: the stored data is damaged: its MAC is wrong")
	x.PutItem(t, x.RecordKey("user/ann", 2), map[string]any{}) // it cannot be decoded
	_, _, err := x.Create(t.Context(), ann, "", token.Wish{})
	x.expectFault("a create with a record that cannot be decoded", err)
	expectText(t, err, "run apitoken audit repair --stream user/ann")
	x.expectSteps(x.repaired("user/ann"), "user/ann/2: the planted record is removed: ")
	x.revoke(ann, shown.ID)
	x.expectWorks()
	forged, next := x.forged(open(t)), uint64(len(x.records("user/ann"))+1)
	x.plant(forged, next, next+1, 999)
	x.PutItem(t, x.RecordKey("user/ann", next+2), map[string]any{}) // it cannot be decoded
	x.plant(x.Item(t, x.RecordKey("user/ann", 1)), next+3)          // a genuine record at another place
	id := func(seq uint64) string { return fmt.Sprintf("user/ann/%d: the planted record is removed: ", seq) }
	x.expectSteps(x.repaired("user/ann"), id(next), id(next+1), id(next+2), id(next+3), id(999))
	x.expectWorks()
}

// manyPlantedRecordsAreRemoved has more planted records than one page.
func manyPlantedRecordsAreRemoved(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	x.create(ann, full("live"))
	forged := x.forged(open(t))
	const n = 205
	for seq := range uint64(n) {
		x.plant(forged, seq+2)
	}
	if steps := x.repaired("user/ann"); len(steps) != n {
		t.Errorf("got %d steps, want %d", len(steps), n)
	}
	x.expectWorks()
}

// mixedRecordsAreRepaired has planted records after the genuine ones of a head that
// was put back far: the head needs several steps.
func mixedRecordsAreRepaired(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	x.create(ann, full("live"))
	old := x.past(x.HeadKey("user/ann"))
	var last secret.Token
	for range events.MaxAdvance {
		last = x.create(ann, token.Wish{})
		x.revoke(ann, last.ID)
	}
	want := x.sealedHead("user/ann")
	forged := x.forged(open(t))
	x.putBack(old)
	x.plant(forged, want.Version+1, want.Version+7)
	x.interrupted("user/ann")
	x.repaired("user/ann")
	if got := x.sealedHead("user/ann"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := x.denial(last); got != guard.CodeRevoked {
		t.Errorf("got %q, want %s", got, guard.CodeRevoked)
	}
	x.expectWorks()
}

// interrupted ends a repair after each of its first steps.
func (x *scene) interrupted(s events.Stream) {
	x.Helper()
	stop := errors.New("interrupted")
	for range 3 {
		err := issuer.Repair(x.Context(), x.Store, storetest.Keys, s, x.now, func(string) error { return stop })
		if !errors.Is(err, stop) {
			x.Fatalf("an interrupted repair: got %v, want %v", err, stop)
		}
	}
}

// unclearRecordsAreRefused has records of which a repair can say neither that they
// were planted nor that they continue the stream.
func unclearRecordsAreRefused(t *testing.T, open func(*testing.T) Store) {
	cases := map[string]struct {
		attack func(x *scene)
		says   string
	}{
		"a pepper that is unknown": {func(x *scene) {
			x.plant(x.forgedUnder("gone:"+strings.Repeat("REVG", 11), open(x.T)), 3)
		}, `unknown pepper`},
		"a record between is missing": {func(x *scene) { x.PutItem(x, x.RecordKey("user/ann", 3), nil) }, "look for the missing record in the copies"},
		"a record between is planted": {func(x *scene) { x.PutItem(x, x.RecordKey("user/ann", 3), map[string]any{}) }, "look for the missing record in the copies"},
		"the head is damaged":         {func(x *scene) { x.SetHeadVersion(x, "user/ann", 1) }, "repair needs a sound head"},
		"the head is missing":         {func(x *scene) { x.PutItem(x, x.HeadKey("user/ann"), nil) }, "repair needs a sound head"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			x := newScene(t, open(t))
			x.create(ann, full("one"))
			x.create(ann, full("two"))
			old := x.past(x.HeadKey("user/ann"))
			x.create(ann, full("three"))
			x.create(ann, full("four"))
			x.putBack(old)
			x.PutItem(t, x.RecordKey("user/ann", 7), map[string]any{})
			c.attack(x)
			items := []string{x.HeadKey("user/ann")}
			for seq := range uint64(7) {
				items = append(items, x.RecordKey("user/ann", seq+1))
			}
			before := x.past(items...)
			steps, err := x.repair(x.Store, "user/ann")
			if !errors.Is(err, events.ErrDamaged) || len(steps) > 0 {
				t.Errorf("got steps %q, %v, want no step and ErrDamaged", steps, err)
			}
			expectText(t, err, c.says)
			for key, members := range x.past(items...) {
				if !reflect.DeepEqual(members, before[key]) {
					t.Errorf("the repair changed the item %q", key)
				}
			}
		})
	}
}

// overtaken is a store in which something writes before the first write of a
// repair.
type overtaken struct {
	Store
	before func()
}

func (o *overtaken) first() {
	if before := o.before; before != nil {
		o.before = nil
		before()
	}
}

func (o *overtaken) Remove(ctx context.Context, s events.Stream, base uint64, n events.Newer) error {
	o.first()
	return o.Store.Remove(ctx, s, base, n)
}

func (o *overtaken) Advance(ctx context.Context, a events.Advance) error {
	o.first()
	return o.Store.Advance(ctx, a)
}

func repairYieldsToCommands(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	x.create(ann, full("one"))
	x.plant(x.forged(open(t)), 9)
	steps, err := x.repair(&overtaken{x.Store, func() { x.create(ann, full("two")) }}, "user/ann")
	if !errors.Is(err, events.ErrConflict) || len(steps) > 0 {
		t.Errorf("with a command meanwhile: got %q, %v, want ErrConflict", steps, err)
	}
	x.expectSteps(x.repaired("user/ann"), "user/ann/9: the planted record is removed")
	old := x.past(x.HeadKey("user/ann"))
	x.create(ann, full("three"))
	x.putBack(old)
	steps, err = x.repair(&overtaken{x.Store, func() { x.repaired("user/ann"); x.create(ann, full("four")) }}, "user/ann")
	if !errors.Is(err, events.ErrConflict) || len(steps) > 0 {
		t.Errorf("with a repair and a command meanwhile: got %q, %v, want ErrConflict", steps, err)
	}
	x.expectSteps(x.repaired("user/ann"))
	x.expectWorks()
}
