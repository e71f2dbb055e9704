package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"apitoken/events"
)

// months is the number of months in which monthsAreListed has tokens. It is more
// than a store may read in one call.
const months = 40

// monthsAreListed has a token in each of many months, in the future, where no
// other check has tokens. Each token must be in exactly one page, whether or not
// tokens in between match, and each page must move.
func monthsAreListed(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y := x.other()
	start := time.Date(x.now.Year(), x.now.Month()+2, 1, 0, 0, 0, 0, time.UTC)
	lists := map[string][]events.View{}
	for n := range months {
		owner := []*scene{x, y}[n%2]
		v := owner.plain(start.AddDate(0, n, n%28))
		owner.mint(v)
		state := events.StateActive
		if n%4 > 1 {
			state = events.StateRevoked
			v.Ended, v.EndedAt = events.EndedRevoked, x.now
			owner.write(events.Effect{Changed: []events.View{v}})
		}
		for _, list := range []string{"all", string(state), owner.owner, owner.owner + string(state)} {
			lists[list] = append(lists[list], v)
		}
	}
	revoked := []events.TokenState{events.StateRevoked}
	q := events.Query{Now: start.AddDate(0, months, 0), After: events.Position{At: start.Add(-time.Microsecond)}}
	for _, limit := range []int{1, 2, 100} {
		for _, owners := range [][]string{nil, {x.owner}, {x.owner, y.owner}} {
			list, want := "", lists["all"]
			if len(owners) == 1 {
				list, want = x.owner, lists[x.owner]
			}
			q.Limit, q.Owners, q.States = limit, owners, nil
			read := func() []string { return ids(x.list(q, x.owner, y.owner)) }
			eventually(x, fmt.Sprintf("the tokens of %d months in pages of %d", months, limit), ids(want), read)
			q.States = revoked
			eventually(x, fmt.Sprintf("the revoked tokens of %d months in pages of %d", months, limit), ids(lists[list+string(events.StateRevoked)]), read)
		}
	}
}

// pagesNameOnlyTheirOwners: for a query with owners, the position where the next
// page begins is that of a token of these owners, also if tokens of other owners
// are before and after it.
func pagesNameOnlyTheirOwners(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y, z := x.other(), x.other()
	var own []events.View
	for n := range 4 {
		for m, owner := range []*scene{z, x, z, y, z} {
			v := owner.plain(x.now.Add(time.Duration(10*n+m-100) * time.Second))
			owner.mint(v)
			if n%2 == 0 && owner != z {
				v.Ended, v.EndedAt = events.EndedRevoked, x.now
				owner.write(events.Effect{Changed: []events.View{v}})
			}
			if owner != z {
				own = append(own, v)
			}
		}
	}
	named := func(owners []string, at events.Position) bool {
		return slices.ContainsFunc(own, func(v events.View) bool { return slices.Contains(owners, v.Owner) && v.Position() == at })
	}
	for _, owners := range [][]string{{x.owner}, {x.owner, y.owner}} {
		for _, states := range [][]events.TokenState{nil, {events.StateActive}, {events.StateRevoked}, {events.StateExpired}} {
			q := events.Query{Owners: owners, States: states, Now: x.now, Limit: 1}
			want := slices.DeleteFunc(slices.Clone(own), func(v events.View) bool { return !q.Matches(v) })
			eventually(x, "tokens among those of another owner", ids(want), func() []string { return ids(x.list(q, owners...)) })
			for more := true; more; {
				p, err := x.Tokens(x.ctx, q)
				if err != nil {
					x.Fatalf("Tokens: %v", err)
				}
				if p.More && !named(owners, p.Next) {
					x.Fatalf("the next page of %v begins at %v, which is no token of these owners", owners, p.Next)
				}
				q.After, more = p.Next, p.More
			}
		}
	}
}

// statesFollowEachCommit changes one token again and again. Each state that it
// leaves must not list it any more.
func statesFollowEachCommit(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.plain(x.now.Add(-time.Hour))
	x.mint(v)
	for _, step := range []struct {
		state  events.TokenState
		change func(*events.View)
	}{
		{events.StateActive, func(*events.View) {}},
		{events.StateDisabled, func(v *events.View) { v.Disabled = true }},
		{events.StateDisabled, func(v *events.View) { v.Disabled, v.Suspended = false, true }},
		{events.StateActive, func(v *events.View) { v.Suspended = false }},
		{events.StateExpired, func(v *events.View) { v.ExpiresAt = x.now }},
		{events.StateActive, func(v *events.View) { v.ExpiresAt = x.now.Add(time.Hour) }},
		{events.StateRevoked, func(v *events.View) {
			v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, x.now, x.now.Add(time.Microsecond)
		}},
	} {
		step.change(&v)
		x.write(events.Effect{Changed: []events.View{v}})
		for _, state := range []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked} {
			var want []string
			if state == step.state {
				want = []string{v.ID}
			}
			for _, owners := range [][]string{{x.owner}, nil} {
				q := events.Query{Owners: owners, States: []events.TokenState{state}, Now: x.now, After: events.Position{At: v.CreatedAt.Add(-time.Microsecond)}, Limit: 10}
				eventually(x, fmt.Sprintf("the %s tokens after a change to %s", state, step.state), want, func() []string { return ids(x.list(q, x.owner)) })
			}
		}
	}
}
