package storetest

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// session returns a session of the owner with a value in every field that a session has.
func (x *scene) session(at time.Time) events.View {
	return events.View{
		ID: newID(), Owner: x.owner, Creator: x.owner, Name: "Ann Ö. ✓",
		Verifier:  events.Verifier{Kid: "k1", MAC: []byte("0123456789abcdef0123456789abcdef")},
		CreatedAt: at, ExpiresAt: at.Add(12 * time.Hour), Scopes: []string{"GET /v1/*"},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}, First: 1, Seq: 1,
		Kind: events.KindSession, Via: events.ViaToken, Permissions: []string{"view", "edit"}, MakesUntil: at.Add(13*time.Hour + time.Microsecond),
		From: newID(), UI: true,
	}
}

// sessionFacts are facts about the sessions of the effect.
func sessionFacts(e events.Effect) (facts []events.Fact) {
	for _, v := range e.Minted {
		facts = append(facts, events.SessionOpened{TokenID: v.ID, Owner: v.Owner, Via: v.Via, ExpiresAt: instant.Of(v.ExpiresAt), Verifier: v.Verifier})
	}
	for _, v := range e.Changed {
		facts = append(facts, events.SessionClosed{TokenID: v.ID, Owner: v.Owner, Cause: events.CauseUser})
	}
	return facts
}

// sessionsAreApart has an owner with tokens and sessions that were made at the same
// instants: the two streams, lists and periods of expiries do not see each other.
func sessionsAreApart(t testing.TB, s events.Store) {
	x := newScene(t, s)
	y := x.ofSessions()
	var tokens, sessions []events.View
	for n := range 3 {
		at := x.now.Add(time.Duration(n) * time.Second)
		token, session := x.plain(at), y.session(at)
		token.ExpiresAt = session.ExpiresAt
		tokens, sessions = append(tokens, token), append(sessions, session)
	}
	x.mint(tokens...)
	y.mint(sessions...)
	for n := range sessions {
		got, _ := y.token(sessions[n].ID)
		equal(y, "a session", got, sessions[n])
	}
	equal(x, "the version of the tokens", x.head().Version, 3)
	equal(y, "the state of the sessions", string(y.head().State), "sessions of "+x.owner)
	equal(y, "the records of the sessions", len(y.history(2)), 3)
	for what, owners := range map[string][]string{"of the owner": {x.owner}, "of all owners": nil} {
		for kind, want := range map[string][]events.View{"": tokens, events.KindSession: sessions} {
			q := events.Query{Kind: kind, Owners: owners, Now: x.now.Add(time.Minute), After: events.Position{At: x.now.Add(-time.Microsecond)}, Limit: 2}
			eventually(x, "the list "+what+" of the kind "+kind, listed(want), func() []events.View { return listed(x.list(q, x.owner)) })
			q.After = want[0].Position()
			eventually(x, "the list "+what+" after the first of the kind "+kind, listed(want[1:]), func() []events.View { return listed(x.list(q, x.owner)) })
		}
	}
	for kind, want := range map[string][]events.View{"": tokens, events.KindSession: sessions} {
		eventually(x, "what expires, of the kind "+kind, slices.Sorted(slices.Values(ids(want))), func() (got []string) {
			err := x.Expiring(x.ctx, kind, x.now, x.now.AddDate(1, 0, 0), func(page []events.Expiring) error {
				for _, e := range page {
					if e.Owner == x.owner {
						got = append(got, e.TokenID)
					}
				}
				return nil
			})
			if err != nil {
				x.Fatalf("Expiring: %v", err)
			}
			slices.Sort(got)
			return got
		})
	}
}

// listed are the views without what a list need not have.
func listed(vs []events.View) (out []events.View) {
	for _, v := range vs {
		v.Verifier = events.Verifier{}
		out = append(out, v)
	}
	return out
}

// sessionsEnd ends one of two sessions: the lists and the expiries follow, and a walk
// returns its records.
func sessionsEnd(t testing.TB, s events.Store) {
	x := newScene(t, s).ofSessions()
	first, second := x.session(x.now), x.session(x.now.Add(time.Second))
	x.mint(first, second)
	ended := first
	ended.Seq, ended.Ended, ended.EndedAt, ended.KeepUntil = 3, events.EndedRevoked, x.now.Add(time.Minute), x.now.Add(time.Hour)
	x.write(events.Effect{Changed: []events.View{ended}})
	got, _ := x.token(first.ID)
	equal(x, "the ended session", got, ended)
	for state, want := range map[events.TokenState]events.View{events.StateActive: second, events.StateRevoked: ended} {
		q := events.Query{
			Kind: events.KindSession, Owners: []string{x.owner}, States: []events.TokenState{state},
			Now: x.now.Add(2 * time.Minute), After: events.Position{At: x.now.Add(-time.Microsecond)}, Limit: 10,
		}
		eventually(x, "the sessions that are "+string(state), listed([]events.View{want}), func() []events.View { return listed(x.list(q, x.owner)) })
	}
	walked := 0
	for after, more := events.Place(""), true; more; {
		st, err := x.Walk(x.ctx, after, 1000)
		if err != nil {
			x.Fatalf("Walk: %v", err)
		}
		for _, r := range st.Records {
			if r.Stream == x.stream() {
				walked++
			}
		}
		after, more = st.Next, st.More
	}
	equal(x, "the records of the sessions in a walk", walked, 3)
}

// sessionsAreCollected removes the view of an ended session past its retention, and no
// other one.
func sessionsAreCollected(t testing.TB, s events.Store) {
	x := newScene(t, s).ofSessions()
	gone, kept, live := x.ended(x.session(x.now.Add(-13*time.Hour)), -time.Minute), x.ended(x.session(x.now.Add(-13*time.Hour)), time.Hour), x.session(x.now)
	x.mint(gone, kept, live)
	x.collect()
	for v, there := range map[string]bool{gone.ID: false, kept.ID: true, live.ID: true} {
		if _, _, err := x.Token(x.ctx, v); (err == nil) != there {
			x.Errorf("session %s after the collection: got %v, want it there: %v", v, err, there)
		}
	}
	q := events.Query{Kind: events.KindSession, Owners: []string{x.owner}, States: events.AllStates(), Now: x.now, Limit: 10}
	eventually(x, "the listed sessions after the collection", 2, func() int { return len(x.list(q, x.owner)) })
}
