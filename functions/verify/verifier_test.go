package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/item"
)

// TestEachKindOfTamperingIsFound changes the table as a writer without the peppers
// can do it. Each seal stays good.
func TestEachKindOfTamperingIsFound(t *testing.T) {
	x := newScene(t)
	live, gone := x.create("ann"), x.create("ann")
	view, head := x.table.Item(t, x.table.ViewKey(gone)), x.table.Item(t, x.table.HeadKey("user/ann"))
	x.revoke("ann", gone)
	x.keepCopies()
	x.expect("an unchanged table")
	for name, c := range map[string]struct {
		key  string
		item map[string]any
		want []string
	}{
		"a view is put back":         {x.table.ViewKey(gone), view, []string{"rolled_back token/" + gone}},
		"a view is deleted":          {x.table.ViewKey(live), nil, []string{"missing_view token/" + live}},
		"the view of an ended token": {x.table.ViewKey(gone), nil, []string{"missing_view token/" + gone}},
		"a head is put back":         {x.table.HeadKey("user/ann"), head, []string{"broken user/ann/3"}},
		"a head is deleted":          {x.table.HeadKey("user/ann"), nil, []string{"damaged user/ann"}},
		"a record is deleted":        {x.table.RecordKey("user/ann", 2), nil, []string{"broken user/ann/3", "rolled_back user/ann/2"}},
		"a view is moved":            {x.table.ViewKey("planted1"), view, []string{"damaged token/planted1"}},
	} {
		before := x.table.Item(t, c.key)
		x.table.PutItem(t, c.key, c.item)
		x.expect(name, c.want...)
		x.table.PutItem(t, c.key, before)
	}
	x.expect("put right again")
	x.expect("a view that no copy names", "uncopied_view token/"+x.create("mallory"))
	x.role.Check(t, nil)
}

// TestADamagedItemDoesNotStopTheOthers has items that cannot be decoded in each
// place, and one view that was put back.
func TestADamagedItemDoesNotStopTheOthers(t *testing.T) {
	x := newScene(t)
	live, gone := x.create("ann"), x.create("bob")
	view := x.table.Item(t, x.table.ViewKey(gone))
	x.revoke("bob", gone)
	x.keepCopies()
	x.table.PutItem(t, x.table.ViewKey(gone), view)
	back := "rolled_back token/" + gone
	for name, c := range map[string]struct{ key, attribute, want string }{
		"a view":                  {x.table.ViewKey(live), "seq", "damaged token/" + live},
		"a record":                {x.table.RecordKey("user/bob", 1), "hash", "damaged user/bob/1"},
		"a record with a bad key": {"USER#bob\nEVENT#00000x", "", "damaged user/bob/9999999"},
		"a head":                  {x.table.HeadKey("user/bob"), "hash", "damaged user/bob"},
	} {
		before := x.table.Item(t, c.key)
		changed := maps.Clone(before)
		if changed == nil {
			changed = map[string]any{}
		}
		changed[c.attribute] = item.Text("?")
		delete(changed, "")
		x.table.PutItem(t, c.key, changed)
		if _, found := x.run(t.Context(), x.verifier()); !slices.Contains(found, back) || !slices.Contains(found, c.want) {
			t.Errorf("%s: got %q, want %q and %q\n%s", name, found, c.want, back, &x.log)
		}
		x.table.PutItem(t, c.key, before)
	}
	x.expect("the view alone", back)
}

// TestARunEndsAtItsBound: it counts what it did not reach, and writes its line.
func TestARunEndsAtItsBound(t *testing.T) {
	x := newScene(t)
	x.keepCopies()
	ctx, cancel := context.WithTimeout(t.Context(), margin+time.Millisecond)
	defer cancel()
	v := x.verifier()
	streams := v.streams
	v.streams = func(ctx context.Context, segment, n int, f func(events.Stream) error) error {
		<-ctx.Done()
		return streams(ctx, segment, n, f)
	}
	began := time.Now()
	o, _ := x.run(ctx, v)
	if o.Unverified < int64(v.segments) || time.Since(began) > margin {
		t.Errorf("got %+v after %v", o, time.Since(began))
	}
	lines := x.lines()
	if last := lines[len(lines)-1]; last[telemetry.Unverified] != float64(o.Unverified) || last["code"] != "unavailable" {
		t.Errorf("got %v", last)
	}
}

// TestTheBoundIsThatOfTheInvocationOrTenMinutes whichever is earlier.
func TestTheBoundIsThatOfTheInvocationOrTenMinutes(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: bound, time.Minute: time.Minute - margin, bound + margin: bound, time.Hour: bound} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if timeout > 0 {
			ctx, cancel = context.WithTimeout(ctx, timeout)
		}
		work, done := withBound(ctx)
		end, _ := work.Deadline()
		if left := time.Until(end); left > want || left < want-time.Minute/2 {
			t.Errorf("with %v: got %v, want %v", timeout, left, want)
		}
		done()
		cancel()
	}
}

// TestAPartThatFailsIsCountedAndTheOthersAreCompared: a stream, a token and a
// whole part cannot be read.
func TestAPartThatFailsIsCountedAndTheOthersAreCompared(t *testing.T) {
	x := newScene(t)
	x.create("ann")
	x.keepCopies()
	v := x.verifier()
	v.segments = 1
	down := errors.New("the table does not answer")
	ids := v.ids
	v.ids = func(ctx context.Context, segment, n int, f func(string) error) error {
		return errors.Join(ids(ctx, segment, n, f), down)
	}
	v.compare.Store = downFor{v.compare.Store, "user/ann", down}
	if o, _ := x.run(t.Context(), v); o.Unverified != 2 || o.Streams < 2 || o.Tokens < 2 {
		t.Errorf("got %+v, want 2 unverified and the other streams\n%s", o, &x.log)
	}
}

// TestPartsAreInAnotherOrderEachDay: a run that reaches its bound must not leave
// out the same parts every day.
func TestPartsAreInAnotherOrderEachDay(t *testing.T) {
	v := &verifier{segments: 100}
	one, other := v.parts(), v.parts()
	if slices.Equal(one, other) {
		t.Error("two runs have the same order")
	}
	all := map[part]bool{}
	for _, p := range one {
		all[p] = true
	}
	if len(one) != 200 || len(all) != 200 {
		t.Errorf("got %d parts, %d different, want 200", len(one), len(all))
	}
}
