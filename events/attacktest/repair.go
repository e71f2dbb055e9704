package attacktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

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

// past is the state of some items before commands.
type past map[string]map[string]any

func (x *scene) past(keys ...string) past {
	x.Helper()
	p := past{}
	for _, key := range keys {
		p[key] = x.Item(x, key)
	}
	return p
}

func (x *scene) putBack(p past) {
	x.Helper()
	for key, members := range p {
		x.PutItem(x, key, members)
	}
	x.restart()
}

// sealedHead reads a head and checks its seal.
func (x *scene) sealedHead(s events.Stream) events.Head {
	x.Helper()
	h, err := x.Store.Head(x.Context(), s)
	if err == nil {
		err = h.Check(storetest.Keys, s)
	}
	if err != nil {
		x.Fatal(err)
	}
	return h
}

// view reads a view and checks its seal.
func (x *scene) view(id string) events.View {
	x.Helper()
	v, _, err := x.Store.Token(x.Context(), id)
	if err == nil {
		err = v.Check(storetest.Keys)
	}
	if err != nil {
		x.Fatal(err)
	}
	return v
}

// lives makes one token of each kind of life after the head was read: one revoked,
// one expired, one created and revoked, one created.
type lives struct{ revoked, expired, short, created secret.Token }

func (x *scene) live(before func()) (l lives) {
	x.Helper()
	l.revoked = x.create(ann, token.Wish{Name: "revoked"})
	w := full("expired")
	w.ExpiresIn = time.Minute
	l.expired = x.create(ann, w)
	before()
	x.now = x.now.Add(2 * time.Minute)
	l.short = x.create(ann, full("short"))
	x.revoke(ann, l.revoked.ID)
	x.revoke(ann, l.short.ID)
	l.created = x.create(ann, full("created"))
	return l
}

func (l lives) ids() []string { return []string{l.revoked.ID, l.expired.ID, l.short.ID, l.created.ID} }

// headPutBackIsFolded expects the head and the views of before the attack, whether
// the attacker put back the head alone, or also removed or changed the views.
func headPutBackIsFolded(t *testing.T, open func(*testing.T) Store) {
	attacks := map[string]func(x *scene, id string){
		"the head alone":    func(*scene, string) {},
		"views are missing": func(x *scene, id string) { x.PutItem(x, x.ViewKey(id), nil) },
		"views are damaged": func(x *scene, id string) { x.PutItem(x, x.ViewKey(id), x.Item(x, x.HeadKey("user/ann"))) },
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			x := newScene(t, open(t))
			var head past
			l := x.live(func() { head = x.past(x.HeadKey("user/ann")) })
			want := x.wanted(l)
			x.putBack(head)
			for _, id := range l.ids() {
				attack(x, id)
			}
			steps := x.repaired("user/ann")
			if len(steps) == 0 || steps[0] != "user/ann: the head of version 2 was put back; its version is now 7" {
				t.Errorf("got steps %q, want the head first", steps)
			}
			x.expectAsBefore(want, l)
			x.expectWorks()
		})
	}
}

// wantedState is a head with the views of some tokens.
type wantedState struct {
	head  events.Head
	views []events.View
}

func (x *scene) wanted(l lives) (w wantedState) {
	x.Helper()
	w.head = x.sealedHead("user/ann")
	for _, id := range l.ids() {
		w.views = append(w.views, x.view(id))
	}
	return w
}

func (x *scene) expectAsBefore(want wantedState, l lives) {
	x.Helper()
	if got := x.wanted(l); !reflect.DeepEqual(got, want) {
		x.Errorf("after the repair: got\n%+v\nwant\n%+v", got, want)
	}
	for tok, code := range map[*secret.Token]string{&l.revoked: guard.CodeRevoked, &l.expired: guard.CodeExpired, &l.short: guard.CodeRevoked, &l.created: ""} {
		if got := x.denial(*tok); got != code {
			x.Errorf("token %s: got %q, want %q", tok.ID, got, code)
		}
	}
}

// olderViewsAreEnded puts back the live views of tokens that were ended, with the
// head.
func olderViewsAreEnded(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	first, second := x.create(ann, full("first")), x.create(ann, full("second"))
	old := x.past(x.HeadKey("user/ann"), x.ViewKey(first.ID), x.ViewKey(second.ID))
	x.revoke(ann, first.ID)
	want := x.view(first.ID)
	x.putBack(old)
	if got := x.denial(first); got != "" {
		t.Fatalf("before the repair: got %q, want the token to pass", got)
	}
	x.expectSteps(x.repaired("user/ann"), "user/ann: the head of version 2 was put back; its version is now 3", "user/ann: the view of token "+first.ID+" is written again: revoked")
	if got := x.view(first.ID); !reflect.DeepEqual(got, want) || x.denial(first) != guard.CodeRevoked || x.denial(second) != "" {
		t.Errorf("got %+v, want %+v, and the other token live", got, want)
	}
	x.expectWorks()
}

// secondRevocationIsFolded has a record that ends a token which the head does not
// have: its view was put back and revoked again.
func secondRevocationIsFolded(t *testing.T, open func(*testing.T) Store) {
	for _, view := range []string{"stored", "put back", "removed"} {
		x := newScene(t, open(t))
		shown := x.create(ann, full("back"))
		live := x.Item(t, x.ViewKey(shown.ID))
		x.revoke(ann, shown.ID)
		head := x.past(x.HeadKey("user/ann"))
		x.PutItem(t, x.ViewKey(shown.ID), live)
		x.revoke(ann, shown.ID)
		want, wantView := x.sealedHead("user/ann"), x.view(shown.ID)
		x.putBack(head)
		switch view {
		case "put back":
			x.PutItem(t, x.ViewKey(shown.ID), live)
		case "removed":
			x.PutItem(t, x.ViewKey(shown.ID), nil)
		}
		x.repaired("user/ann")
		if got := x.sealedHead("user/ann"); !reflect.DeepEqual(got, want) {
			t.Errorf("view %s: got head %+v, want %+v", view, got, want)
		}
		if view != "removed" && !reflect.DeepEqual(x.view(shown.ID), wantView) {
			t.Errorf("view %s: got %+v, want %+v", view, x.view(shown.ID), wantView)
		}
		x.expectWorks()
	}
}

// settingsPutBackAreFolded puts back the settings over two changes, with a planted
// record after them.
func settingsPutBackAreFolded(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	bootstrap := func(owner string) {
		if _, _, err := x.Bootstrap(t.Context(), owner, false); err != nil {
			t.Fatal(err)
		}
	}
	bootstrap("admin")
	old := x.past(x.HeadKey(events.SettingsStream))
	bootstrap("bob")
	bootstrap("carol")
	want := x.sealedHead(events.SettingsStream)
	x.putBack(old)
	x.PutItem(t, x.RecordKey(events.SettingsStream, 4), map[string]any{})
	x.expectSteps(x.repaired(events.SettingsStream), "settings/4: the planted record is removed: ", "settings: the head of version 1 was put back; its version is now 3")
	if got := x.sealedHead(events.SettingsStream); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	bootstrap("dave")
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
