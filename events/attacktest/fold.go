package attacktest

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

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
