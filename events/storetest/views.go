package storetest

import (
	"slices"
	"testing"
	"time"

	"apitoken/events"
)

// mint adds tokens to the owner's stream, in one commit.
func (x *scene) mint(vs ...events.View) {
	x.Helper()
	x.write(events.Effect{Minted: vs})
}

func byPosition(a, b events.View) int { return a.Position().Compare(b.Position()) }

func ids(vs []events.View) (ids []string) {
	for _, v := range vs {
		ids = append(ids, v.ID)
	}
	return ids
}

// listsAreInOrder has tokens of two owners in three months, because a store may
// have one partition for each month. Some tokens have the same time, and some
// are a microsecond apart.
func listsAreInOrder(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y := x.other()
	start := x.now.AddDate(0, 0, -75).Add(time.Duration(time.Now().UnixMicro()%3600_000_000) * time.Microsecond)
	var all []events.View
	for i, owner := range []*scene{x, y, x, x, y, y, x, y} {
		at := start.AddDate(0, 0, 9*(7-i))
		tie, next := owner.plain(at), owner.plain(at.Add(time.Microsecond))
		twin := owner.plain(at)
		owner.mint(next, tie, twin)
		all = append(all, tie, next, twin)
	}
	slices.SortFunc(all, byPosition)
	mine := slices.DeleteFunc(slices.Clone(all), func(v events.View) bool { return v.Owner != x.owner })
	both := []string{x.owner, y.owner}
	from := events.Position{At: start.Add(-time.Microsecond)}
	for _, limit := range []int{1, 5, len(all), 1000} {
		eventually(x, "all owners' tokens", all, func() []events.View {
			return x.list(events.Query{Now: x.now, After: from, Limit: limit}, both...)
		})
		eventually(x, "two owners' tokens", all, func() []events.View {
			return x.list(events.Query{Owners: append(both, x.owner, "unknown"), Now: x.now, Limit: limit}, both...)
		})
		eventually(x, "one owner's tokens", mine, func() []events.View {
			return x.list(events.Query{Owners: both[:1], Now: x.now, Limit: limit}, both...)
		})
	}
	rest := x.list(events.Query{Owners: both, Now: x.now, After: all[6].Position(), Limit: 1000}, both...)
	equal(x, "the tokens after a position", rest, all[7:])
}

func listsAreFiltered(t testing.TB, s events.Store) {
	x := newScene(t, s)
	day := func(n int) time.Time { return x.now.AddDate(0, 0, n) }
	made := map[events.TokenState][]events.View{}
	add := func(state events.TokenState, change func(*events.View)) {
		v := x.plain(day(-20).Add(time.Duration(len(made)) * time.Second))
		change(&v)
		made[state] = append(made[state], v)
		slices.SortFunc(made[state], byPosition)
		live := v
		live.Ended, live.EndedAt, live.KeepUntil = "", time.Time{}, time.Time{}
		x.mint(live)
		x.write(events.Effect{Changed: []events.View{v}})
	}
	add(events.StateActive, func(v *events.View) {})
	add(events.StateActive, func(v *events.View) { v.ExpiresAt = x.now.Add(time.Microsecond) })
	add(events.StateDisabled, func(v *events.View) { v.Disabled = true })
	add(events.StateDisabled, func(v *events.View) { v.Suspended = true })
	add(events.StateExpired, func(v *events.View) { v.ExpiresAt = x.now })
	add(events.StateExpired, func(v *events.View) {
		v.ExpiresAt, v.Ended, v.EndedAt, v.KeepUntil = day(-2), events.EndedExpired, day(-2), day(9)
	})
	add(events.StateRevoked, func(v *events.View) { v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, day(-1), day(9) })
	add(events.StateRevoked, func(v *events.View) { v.Ended, v.EndedAt = events.EndedRevoked, day(-1) })
	add(events.StateGone, func(v *events.View) { v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, day(-9), x.now })
	for _, states := range [][]events.TokenState{
		nil,
		{events.StateActive},
		{events.StateDisabled},
		{events.StateExpired},
		{events.StateRevoked},
		{events.StateActive, events.StateDisabled},
		{events.StateRevoked, events.StateExpired, events.StateActive},
	} {
		asked := states
		if states == nil {
			asked = []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}
		}
		var want []events.View
		for _, state := range asked {
			want = append(want, made[state]...)
		}
		slices.SortFunc(want, byPosition)
		for _, owners := range [][]string{{x.owner}, nil} {
			q := events.Query{Owners: owners, States: states, Now: x.now, After: events.Position{At: day(-21)}, Limit: 2}
			eventually(x, "tokens of some states", want, func() []events.View { return x.list(q, x.owner) })
		}
	}
}

// cursorStaysValid mints and revokes tokens between two pages of a list, before
// and after the cursor. Each token that did not change must be in exactly one
// page.
func cursorStaysValid(t testing.TB, s events.Store) {
	x := newScene(t, s)
	at := func(n int) time.Time { return x.now.Add(time.Duration(n-1000) * time.Second) }
	var steady []events.View
	for n := range 8 {
		steady = append(steady, x.plain(at(10*n)))
	}
	x.mint(steady...)
	passing := []events.View{x.plain(at(1)), x.plain(at(71))}
	x.mint(passing...)
	q := events.Query{Owners: []string{x.owner}, States: []events.TokenState{events.StateActive}, Now: x.now, Limit: 3}
	eventually(x, "the list before", 10, func() int { return len(x.list(q, x.owner)) })
	first, err := x.Tokens(x.ctx, q)
	if err != nil {
		t.Fatalf("Tokens: %v", err)
	}
	equal(x, "the first page", ids(first.Views), []string{steady[0].ID, passing[0].ID, steady[1].ID})
	if !first.More {
		t.Fatal("More of the first page: got false, want true for ten tokens")
	}
	for i := range passing {
		passing[i].Ended, passing[i].EndedAt = events.EndedRevoked, x.now
	}
	before, after := x.plain(at(5)), x.plain(at(75))
	x.write(events.Effect{Minted: []events.View{before, after}, Changed: passing})
	q.After = first.Next
	want := append(ids(steady[2:]), after.ID)
	eventually(x, "the pages after the first", want, func() []string { return ids(x.list(q, x.owner)) })
}

// touch stores a use and waits until it is written: a store may return from
// Touch earlier, but it writes the use before later commits.
func (x *scene) touch(id string, u events.Use) {
	x.Helper()
	if err := x.Touch(x.ctx, id, u); err != nil {
		x.Fatalf("Touch %s: %v", id, err)
	}
	x.write(events.Effect{})
}

func useIsStored(t testing.TB, s events.Store) {
	x := newScene(t, s)
	used, unused := x.plain(x.now), x.plain(x.now)
	x.mint(used, unused)
	first := events.Use{At: x.now.Add(time.Microsecond), Address: "2001:db8::1"}
	late := first.At.Add(events.TouchEvery)
	for _, step := range []struct {
		what   string
		touch  events.Use
		stored events.Use
	}{
		{"the first use", first, first},
		{"a use soon after", events.Use{At: late.Add(-time.Microsecond), Address: "192.0.2.9"}, first},
		{"an earlier use", events.Use{At: first.At.Add(-time.Hour), Address: "192.0.2.9"}, first},
		{"a use fifteen minutes later", events.Use{At: late}, events.Use{At: late}},
		{"a use at the page soon after", events.Use{At: late.Add(events.TouchUIEvery - time.Microsecond), Every: events.TouchUIEvery}, events.Use{At: late}},
		{"a use at the page five minutes later", events.Use{At: late.Add(events.TouchUIEvery), Every: events.TouchUIEvery}, events.Use{At: late.Add(events.TouchUIEvery)}},
	} {
		x.touch(used.ID, step.touch)
		_, stored := x.token(used.ID)
		equal(x, step.what, stored, step.stored)
		uses, err := x.LastUses(x.ctx, []string{unused.ID, used.ID, newID(), used.ID})
		if err != nil || len(uses) != 1 {
			t.Fatalf("LastUses after %s: got %v, %v, want one", step.what, uses, err)
		}
		equal(x, "LastUses after "+step.what, uses[used.ID], step.stored)
	}
	v, _ := x.token(used.ID)
	equal(x, "the view of a used token", v, used)
	many := []string{used.ID}
	for range 250 {
		many = append(many, newID())
	}
	uses, err := x.LastUses(x.ctx, many)
	if err != nil || len(uses) != 1 {
		t.Errorf("LastUses of %d ids: got %v, %v, want one use", len(many), uses, err)
	}
	if uses, err = x.LastUses(x.ctx, nil); err != nil || len(uses) != 0 {
		t.Errorf("LastUses of no ids: got %v, %v, want none", uses, err)
	}
}

func useCreatesNoToken(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.plain(x.now)
	x.touch(v.ID, events.Use{At: x.now})
	expectNoToken(x, v.ID)
	uses, err := x.LastUses(x.ctx, []string{v.ID})
	if err != nil || len(uses) != 0 {
		t.Errorf("LastUses of an id that had a Touch and was never minted: got %v, %v, want none", uses, err)
	}
	x.mint(v)
	got, use := x.token(v.ID)
	equal(x, "the view", got, v)
	equal(x, "the use of a token that had a Touch only before it was minted", use, events.Use{})
}

func commitKeepsUse(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v, use := x.plain(x.now), events.Use{At: x.now, Address: "192.0.2.7"}
	x.mint(v)
	x.touch(v.ID, use)
	v.Ended, v.EndedAt = events.EndedRevoked, x.now
	x.write(events.Effect{Changed: []events.View{v}})
	got, stored := x.token(v.ID)
	equal(x, "the view", got, v)
	equal(x, "the use", stored, use)
}
