package token

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/instant"
)

// remembered has the views after the last command of each instant.
type remembered map[time.Time]map[string]events.View

func (m remembered) note(sc *scene) {
	if len(sc.records) > 0 {
		m[sc.head.At] = maps.Clone(sc.views)
	}
}

// pastOf adds the records after a sequence, up to the last one that changed the
// view of today.
func (sc *scene) pastOf(t *rapid.T, id string, after uint64, at time.Time) *Past {
	today := sc.views[id]
	p := NewPast(today, at)
	for _, r := range sc.records[after:max(after, today.Seq)] {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		p.Add(f, r.Seq, r.At)
	}
	return p
}

// timeAfter is the time of the first record after a sequence, or of the head.
func (sc *scene) timeAfter(after uint64) time.Time {
	if after < uint64(len(sc.records)) {
		return sc.records[after].At
	}
	return sc.head.At
}

// bare is the view without what the past does not have: the seal and the end of the
// retention.
func bare(v events.View) events.View {
	v.Seal, v.KeepUntil = events.Verifier{}, time.Time{}
	return v
}

// public is the part of a view that answers show.
func public(v events.View) events.View {
	v = bare(v)
	v.Seq, v.Rotated, v.Verifier, v.Outgoing = 0, 0, events.Verifier{}, events.Verifier{}
	return v
}

// TestThePastIsWhatItWas draws histories and remembers all views after each
// command. The records from the creation give each of these views. Records from a
// later one give its public part since From, and From is not later than the first
// instant for which the records say the view.
func TestThePastIsWhatItWas(t *testing.T) {
	all := schemas(t)
	drawn := map[string]int{}
	cut := map[bool]int{} // views from a log without its beginning, by whether they are known
	missing := func() (kinds []string) {
		if cut[true] == 0 || cut[false] == 0 {
			kinds = append(kinds, "views from a log without its beginning, both known and unknown ones")
		}
		return append(kinds, undrawn(drawn, "TokenUpdated", "TokenRotated", "TokenDisabled", "TokenEnabled", "UserSuspended", "UserReinstated", "TokenRevoked", "TokenExpired")...)
	}
	checkUntilDrawn(t, missing, func(t *rapid.T) {
		sc, moments := newScene(t, all), remembered{}
		sc.drawn = drawn
		t.Repeat(map[string]func(*rapid.T){
			"create": sc.create, "revoke": sc.revoke, "update": repeated(sc.update), "rotate": repeated(sc.rotate),
			"suspend": sc.suspend, "reinstate": sc.reinstate, "expire": sc.expire, "switch": sc.switchTwice, "offboard": sc.offboard,
			"wait": func(t *rapid.T) {
				sc.now = sc.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "minutes")) * time.Minute)
			},
			"": func(*rapid.T) { moments.note(sc) },
		})
		for _, at := range slices.SortedFunc(maps.Keys(moments), time.Time.Compare) {
			for _, id := range slices.Sorted(maps.Keys(moments[at])) {
				want := moments[at][id]
				whole := sc.pastOf(t, id, want.First-1, at)
				if got := whole.View(); !reflect.DeepEqual(got, bare(want)) || whole.From().After(want.CreatedAt) {
					t.Fatalf("at %v token %s is, since %v,\n%+v\nwant\n%+v", at, id, whole.From(), got, bare(want))
				}
				after := rapid.Uint64Range(want.First, max(want.First, sc.views[id].Seq)).Draw(t, "after")
				p := sc.pastOf(t, id, after, at)
				if at.Before(sc.timeAfter(after)) {
					continue
				}
				known := !at.Before(p.From())
				cut[known]++
				if got := p.View(); known && !reflect.DeepEqual(public(got), public(want)) {
					t.Fatalf("at %v, from the records after %d, token %s is\n%+v\nwant\n%+v", at, after, id, public(got), public(want))
				}
			}
		}
	})
}

// TestThePastOfALogWithoutItsBeginning: a record does not say what a member was
// before it, unless the member has only two values.
func TestThePastOfALogWithoutItsBeginning(t *testing.T) {
	const id = "AAAAAAAA"
	early, first, second, last := noon, noon.Add(time.Hour), noon.Add(2*time.Hour), noon.Add(3*time.Hour)
	today := given(noon.Add(-day), owned(id, time.Time{})).Tokens[0]
	in := func(change func(*events.View)) events.View {
		v := today
		v.Scopes, v.SourceIPs = slices.Clone(v.Scopes), slices.Clone(v.SourceIPs)
		change(&v)
		return v
	}
	expiring := in(func(v *events.View) { v.ExpiresAt, v.OutgoingUntil = last.Add(day), last.Add(time.Hour) })
	for name, test := range map[string]struct {
		today events.View
		facts []events.Fact // at first, at second
		from  time.Time     // zero: every instant is known
		early func(events.View) bool
	}{
		"no change":         {today: today},
		"name":              {today: today, facts: []events.Fact{events.TokenUpdated{TokenID: id, Name: new("a")}}, from: first},
		"name twice":        {today: today, facts: []events.Fact{events.TokenUpdated{TokenID: id, Name: new("a")}, events.TokenUpdated{TokenID: id, Name: new("b")}}, from: first},
		"name, then expiry": {today: today, facts: []events.Fact{events.TokenUpdated{TokenID: id, Name: new("a")}, events.TokenUpdated{TokenID: id, NeverExpires: true}}, from: second},
		"description":       {today: today, facts: []events.Fact{events.TokenUpdated{TokenID: id, Description: new("a")}}, from: first},
		"scopes":            {today: today, facts: []events.Fact{events.TokenUpdated{TokenID: id, Scopes: &[]string{}}}, from: first},
		"ranges":            {today: today, facts: []events.Fact{nil, events.TokenUpdated{TokenID: id, SourceIPs: new(prefixes("192.0.2.0/24"))}}, from: second},
		"rotation":          {today: expiring, facts: []events.Fact{events.TokenRotated{TokenID: id, PreviousSecretUntil: instant.Of(last)}}, from: first},
		"two expiries that may cut the outgoing secret": {
			today: expiring, facts: []events.Fact{events.TokenUpdated{TokenID: id, ExpiresAt: instant.Of(last)}, events.TokenUpdated{TokenID: id, ExpiresAt: instant.Of(last)}}, from: second,
		},
		"disabled":         {today: in(func(v *events.View) { v.Disabled = true }), facts: []events.Fact{events.TokenDisabled{TokenID: id}}, early: func(v events.View) bool { return !v.Disabled }},
		"enabled":          {today: today, facts: []events.Fact{events.TokenEnabled{TokenID: id}}, early: func(v events.View) bool { return v.Disabled }},
		"enabled, disable": {today: in(func(v *events.View) { v.Disabled = true }), facts: []events.Fact{events.TokenEnabled{TokenID: id}, events.TokenDisabled{TokenID: id}}, early: func(v events.View) bool { return v.Disabled }},
		"suspended":        {today: in(func(v *events.View) { v.Suspended = true }), facts: []events.Fact{events.UserSuspended{Owner: "ann", TokenIDs: []string{"BBBBBBBB", id}}}, early: func(v events.View) bool { return !v.Suspended }},
		"reinstated":       {today: today, facts: []events.Fact{events.UserReinstated{Owner: "ann", TokenIDs: []string{id}}}, early: func(v events.View) bool { return v.Suspended }},
		"revoked":          {today: in(func(v *events.View) { v.Ended, v.EndedAt = events.EndedRevoked, first }), facts: []events.Fact{events.TokenRevoked{TokenID: id}}, early: func(v events.View) bool { return v.Ended == "" }},
		"ended before":     {today: in(func(v *events.View) { v.Ended, v.EndedAt = events.EndedRevoked, noon.Add(-time.Hour) }), early: func(v events.View) bool { return v.Ended == events.EndedRevoked }},
		"others": {today: today, facts: []events.Fact{
			events.TokenUpdated{TokenID: "BBBBBBBB", Name: new("a")}, events.OwnerLimitChanged{Owner: "ann"},
		}},
	} {
		past := func(at time.Time) *Past {
			p := NewPast(test.today, at)
			for i, f := range test.facts {
				if f != nil {
					p.Add(f, uint64(10+i), []time.Time{first, second}[i])
				}
			}
			return p
		}
		if got := past(early).From(); !got.Equal(test.from) {
			t.Errorf("%s: known from %v, want %v", name, got, test.from)
		}
		if v := past(early).View(); test.early != nil && !test.early(v) {
			t.Errorf("%s: before the records the view is %+v", name, v)
		}
	}
}

func TestFactsThatNoRuleTellsThePastOfPanic(t *testing.T) {
	for _, f := range []events.Fact{events.SettingsChanged{}, events.PermissionsChanged{}, nil} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("adding %T does not panic", f)
				}
			}()
			NewPast(events.View{ID: "AAAAAAAA"}, noon).Add(f, 1, noon)
		}()
	}
}
