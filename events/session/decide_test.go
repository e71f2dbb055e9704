package session

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// TestASessionEndsInTimeWhateverIsAsked: 12 hours at most, and what is asked if that is
// earlier.
func TestASessionEndsInTimeWhateverIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Time
		want  time.Time
	}{
		"nothing":         {time.Time{}, noon.Add(MaxLife)},
		"an hour":         {noon.Add(time.Hour), noon.Add(time.Hour)},
		"12 hours":        {noon.Add(MaxLife), noon.Add(MaxLife)},
		"a day":           {noon.Add(24 * time.Hour), noon.Add(MaxLife)},
		"a microsecond":   {noon.Add(time.Microsecond), noon.Add(time.Microsecond)},
		"nanoseconds too": {noon.Add(time.Hour + 999), noon.Add(time.Hour)},
	} {
		s := given(t, opening(id(1), noon, func(o *Open) { o.Until = c.until }))
		v, _ := s.Find(id(1))
		if !v.ExpiresAt.Equal(c.want) || !v.MakesUntil.IsZero() {
			t.Errorf("%s: the session ends at %s and makes until %s, want %s and no bound", name, v.ExpiresAt, v.MakesUntil, c.want)
		}
	}
	for _, past := range []time.Time{noon, noon.Add(-time.Second), noon.Add(999)} {
		refusal(t, State{}, opening(id(1), noon, func(c *Open) { c.Until = past }), token.CodeExpiryInPast)
	}
}

// TestABoundSessionMakesNothingThatOutlivesIt: the bound is the end after the cut to 12
// hours. A session from a token keeps the expiry of the token, which may be later.
func TestABoundSessionMakesNothingThatOutlivesIt(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Open)
		want   time.Time
	}{
		"an exchange":                      {func(c *Open) { c.Via, c.Bound, c.Until = events.ViaExchange, true, noon.Add(time.Hour) }, noon.Add(time.Hour)},
		"an exchange of a long JWT":        {func(c *Open) { c.Via, c.Bound, c.Until = events.ViaExchange, true, noon.Add(24*time.Hour) }, noon.Add(MaxLife)},
		"an exchange without an end":       {func(c *Open) { c.Via, c.Bound = events.ViaExchange, true }, noon.Add(MaxLife)},
		"a token that lives a month":       {func(c *Open) { withToken("L7k8ljIC")(c); c.MakesUntil = noon.AddDate(0, 1, 0) }, noon.AddDate(0, 1, 0)},
		"a token that never expires":       {withToken("L7k8ljIC"), time.Time{}},
		"a person at an identity provider": {func(*Open) {}, time.Time{}},
		"a person with a password":         {func(c *Open) { c.Via, c.Issuer = events.ViaPassword, "" }, time.Time{}},
	} {
		v, _ := given(t, opening(id(1), noon, c.change)).Find(id(1))
		if !v.MakesUntil.Equal(c.want) {
			t.Errorf("%s: it makes until %s, want %s", name, v.MakesUntil, c.want)
		}
	}
}

func TestASessionIsSealedAsWhatItIs(t *testing.T) {
	c := opening(id(1), noon, withToken("L7k8ljIC"), func(c *Open) {
		c.Scopes, c.SourceIPs, c.UI, c.Permissions = []string{"GET /v1/*"}, append(c.SourceIPs, net), true, []string{"view"}
	})
	v, _ := given(t, c).Find(id(1))
	if v.Kind != events.KindSession || v.Via != events.ViaToken || v.From != "L7k8ljIC" || !v.UI || !slices.Equal(v.Permissions, []string{"view"}) ||
		!slices.Equal(v.Scopes, c.Scopes) || !slices.Equal(v.SourceIPs, c.SourceIPs) || v.Owner != "ann" || v.Creator != "ann" || v.Stream() != events.SessionStream("ann") {
		t.Errorf("the view is %+v", v)
	}
}

// TestTheOldestSessionEndsForTheTwentyFirst: with exactly 20 live ones before.
func TestTheOldestSessionEndsForTheTwentyFirst(t *testing.T) {
	var s State
	at := noon
	for n := range MaxSessions {
		s = mustRun(t, s, opening(id(n), at))
		at = at.Add(time.Second)
	}
	same(t, "live sessions", s.Live(at), MaxSessions)
	s, facts, e := run(t, s, opening(id(20), at))
	same(t, "the end for one more", closed(facts), []string{id(0) + " replaced"})
	same(t, "live sessions", s.Live(at), MaxSessions)
	if len(e.Changed) != 1 || e.Changed[0].ID != id(0) || e.Changed[0].Ended != events.EndedRevoked || !e.Changed[0].EndedAt.Equal(at) {
		t.Errorf("the view of the oldest became %+v", e.Changed)
	}
	if _, found := s.Find(id(0)); found {
		t.Error("the state still has the oldest session")
	}
}

// TestATokenTakesNoPlaceOfAPerson: a token or a JWT that leaked opens as many sessions as
// it can, and the person still has all sessions and signs in.
func TestATokenTakesNoPlaceOfAPerson(t *testing.T) {
	as := func(via string) func(*Open) {
		return func(c *Open) {
			if c.Via = via; via == events.ViaToken {
				withToken("L7k8ljIC")(c)
			}
		}
	}
	people, others := []string{events.ViaOIDC, events.ViaPassword}, []string{events.ViaToken, events.ViaExchange}
	var s State
	at := noon.Truncate(time.Hour)
	for n, via := range people {
		s = mustRun(t, s, opening(id(90+n), at, as(via)))
	}
	for n := range MaxSignIns {
		s = mustRun(t, s, opening(id(n), at.Add(time.Second), as(others[n%2])))
	}
	for _, via := range others {
		refusal(t, s, opening(id(50), at.Add(time.Minute), as(via)), CodeSignInRate)
	}
	for n := range MaxSignIns - len(people) {
		s = mustRun(t, s, opening(id(60+n), at.Add(time.Minute), as(people[n%2])))
		if _, found := s.Find(id(90)); found != (n < MaxSessions-2) {
			t.Errorf("after %d more sign-ins the first session is there: %v", n+1, found)
		}
		same(t, "live sessions", s.Live(at.Add(time.Minute)), MaxSessions)
	}
	refusal(t, s, opening(id(50), at.Add(time.Minute), as(people[0])), CodeSignInRate)
	s = mustRun(t, s, opening(id(52), at.Add(time.Hour), as(others[0])))
	same(t, "sign-ins in the next hour", s.SignIns+s.Others, 1)
	for n, via := range others { // with 20 sessions of the person one of them ends, and no second one
		s = mustRun(t, s, opening(id(53+n), at.Add(time.Hour), as(via)))
	}
	same(t, "live sessions", s.Live(at.Add(time.Hour)), MaxSessions)
	alive := 0
	for _, v := range s.Sessions {
		if v.LiveAt(at.Add(time.Hour)) && isPerson(v.Via) {
			alive++
		}
	}
	same(t, "live sessions of the person", alive, MaxSessions-1)
}

// TestAnExpiredSessionIsRecordedAndTakesNoPlace: the 20 sessions of the morning are past
// their end, so none is replaced.
func TestAnExpiredSessionIsRecordedAndTakesNoPlace(t *testing.T) {
	var s State
	for n := range MaxSessions {
		s = mustRun(t, s, opening(id(n), noon.Add(time.Duration(n)*time.Second)))
	}
	s, facts, e := run(t, s, opening(id(20), noon.Add(MaxLife+5*time.Second)))
	want := []string{id(0) + " expired", id(1) + " expired", id(2) + " expired", id(3) + " expired", id(4) + " expired", id(5) + " expired"}
	same(t, "the ends", closed(facts), want)
	same(t, "live sessions", s.Live(noon.Add(MaxLife+5*time.Second)), 15)
	for n, v := range e.Changed {
		if v.Ended != events.EndedExpired || !v.EndedAt.Equal(v.ExpiresAt) || !v.EndedAt.Equal(noon.Add(MaxLife+time.Duration(n)*time.Second)) {
			t.Errorf("the view of an expired session is %+v", v)
		}
	}
	s, facts, _ = run(t, s, Expire{At: noon.Add(2 * MaxLife), Owner: "ann"})
	same(t, "the ends of the sweep", len(closed(facts)), 14)
	same(t, "sessions in the state", len(s.Sessions), 1)
}

// TestTheThirtyFirstSignInOfAnHourWaits: the hour is one of the day, and the refusal says
// when it ends.
func TestTheThirtyFirstSignInOfAnHourWaits(t *testing.T) {
	var s State
	for n := range MaxSignIns {
		s = mustRun(t, s, opening(id(n), noon.Add(time.Duration(n)*time.Minute)))
	}
	r := refusal(t, s, opening(id(30), noon.Add(59*time.Minute)), CodeSignInRate)
	if end := noon.Truncate(time.Hour).Add(time.Hour); !r.RetryAt.Equal(end) {
		t.Errorf("try again at %s, want %s", r.RetryAt, end)
	}
	s = mustRun(t, s, Close{At: noon.Add(59 * time.Minute), ID: id(29), Owner: "ann", Cause: events.CauseSignOut})
	refusal(t, s, opening(id(30), noon.Add(59*time.Minute)), CodeSignInRate)
	s = mustRun(t, s, opening(id(30), noon.Truncate(time.Hour).Add(time.Hour)))
	same(t, "sign-ins in the next hour", s.SignIns, 1)
}

func TestOnlyALiveSessionIsClosed(t *testing.T) {
	s := given(t, opening(id(1), noon), opening(id(2), noon.Add(time.Second)))
	at := noon.Add(time.Minute)
	for _, cause := range []events.Cause{events.CauseSignOut, events.CauseUser, events.CauseAdmin, events.CausePossession} {
		after, facts, e := run(t, s, Close{At: at, ID: id(1), Owner: "ann", Cause: cause})
		same(t, "the end", closed(facts), []string{id(1) + " " + string(cause)})
		same(t, "the changed view", e.Changed[0].StateAt(at), events.StateRevoked)
		refusal(t, after, Close{At: at, ID: id(1), Owner: "ann", Cause: cause}, token.CodeNotFound)
	}
	refusal(t, s, Close{At: noon.Add(MaxLife), ID: id(1), Owner: "ann", Cause: events.CauseUser}, token.CodeNotFound)
	refusal(t, s, Close{At: at, ID: id(1), Owner: "ann", Cause: events.CauseUser, IfMatch: []uint64{2}}, token.CodeVersionConflict)
	run(t, s, Close{At: at, ID: id(1), Owner: "ann", Cause: events.CauseUser, IfMatch: []uint64{7, 1}})
}

// TestASuspensionEndsEverySessionAndBarsNewOnes, and a second one changes nothing.
func TestASuspensionEndsEverySessionAndBarsNewOnes(t *testing.T) {
	s := given(t, opening(id(1), noon), opening(id(2), noon.Add(time.Hour)))
	at := noon.Add(MaxLife)
	s, facts, e := run(t, s, Suspend{At: at, Owner: "ann", Reason: "left"})
	same(t, "the ends", closed(facts), []string{id(1) + " expired", id(2) + " suspended"})
	same(t, "the suspension", facts[1], events.UserSuspended{Owner: "ann", Reason: "left"})
	same(t, "the changed views", len(e.Changed), 2)
	refusal(t, s, opening(id(3), at), token.CodeUserSuspended)
	_, facts, _ = run(t, s, Suspend{At: at, Owner: "ann"})
	same(t, "the facts of a second suspension", len(facts), 0)
	s, facts, _ = run(t, s, Reinstate{At: at, Owner: "ann"})
	same(t, "the end of the suspension", facts, []events.Fact{events.UserReinstated{Owner: "ann"}})
	_, facts, _ = run(t, s, Reinstate{At: at, Owner: "ann"})
	same(t, "the facts of a second reinstatement", len(facts), 0)
	s = mustRun(t, s, opening(id(3), at))
	same(t, "sessions after the suspension", s.Live(at), 1)
}

// TestAUserWithoutSessionsIsBarredToo: the suspension comes before the first sign-in.
func TestAUserWithoutSessionsIsBarredToo(t *testing.T) {
	s := given(t, Suspend{At: noon, Owner: "ann"})
	refusal(t, s, opening(id(1), noon), token.CodeUserSuspended)
}

// TestASessionEndsWithWhatBacksIt: each row is the token that opened the session, as it
// is now.
func TestASessionEndsWithWhatBacksIt(t *testing.T) {
	scoped := func(c *Open) {
		withToken("L7k8ljIC")(c)
		c.Scopes, c.SourceIPs, c.MakesUntil = []string{"GET /v1/*"}, append(c.SourceIPs, net), noon.AddDate(0, 1, 0)
	}
	is := func(change func(*events.View)) []events.View {
		v := events.View{ID: "L7k8ljIC", Owner: "ann", Scopes: []string{"GET /v1/*"}, ExpiresAt: noon.AddDate(0, 1, 0)}
		v.SourceIPs = append(v.SourceIPs, net)
		change(&v)
		return []events.View{v}
	}
	for name, c := range map[string]struct {
		tokens []events.View
		ends   bool
	}{
		"as it was":                {is(func(*events.View) {}), false},
		"another name":             {is(func(v *events.View) { v.Name = "x" }), false},
		"more scopes":              {is(func(v *events.View) { v.Scopes = append(v.Scopes, "POST /x") }), false},
		"no scopes":                {is(func(v *events.View) { v.Scopes = nil }), false},
		"a later expiry":           {is(func(v *events.View) { v.ExpiresAt = v.ExpiresAt.Add(1e9) }), false},
		"no expiry":                {is(func(v *events.View) { v.ExpiresAt = time.Time{} }), false},
		"fewer scopes":             {is(func(v *events.View) { v.Scopes = []string{"GET /v1/a"} }), true},
		"fewer addresses":          {is(func(v *events.View) { v.SourceIPs[0] = netip.MustParsePrefix("192.0.2.0/25") }), true},
		"an earlier expiry":        {is(func(v *events.View) { v.ExpiresAt = v.ExpiresAt.Add(-1e9) }), true},
		"an expiry before its end": {is(func(v *events.View) { v.ExpiresAt = noon.Add(time.Hour) }), true},
		"gone":                     {nil, true},
		"only another token":       {is(func(v *events.View) { v.ID = "JhxND7ci" }), true},
	} {
		s := given(t, opening(id(1), noon, scoped), opening(id(2), noon))
		_, facts, _ := run(t, s, CloseUnbacked{At: noon.Add(time.Minute), Owner: "ann", Cause: events.CauseUser, Tokens: c.tokens})
		var want []string
		if c.ends {
			want = []string{id(1) + " user"}
		}
		same(t, name, closed(facts), want)
	}
}

// TestARotationEndsTheSessionsOfOlderSecrets, and neither the one that rotated, nor one of
// the new secret. The clocks of the machines that open sessions do not matter.
func TestARotationEndsTheSessionsOfOlderSecrets(t *testing.T) {
	tokens := []events.View{{ID: "L7k8ljIC", Owner: "ann"}, {ID: "JhxND7ci", Owner: "ann"}}
	after := func(rotation uint64) func(*Open) {
		return func(c *Open) { withToken("L7k8ljIC")(c); c.OpenedAfter = rotation }
	}
	s := given(t, opening(id(1), noon, after(0)), opening(id(2), noon.Add(time.Minute), after(4)), opening(id(3), noon.Add(time.Minute), withToken("JhxND7ci")),
		opening(id(4), noon.Add(time.Hour), after(4)), opening(id(5), noon.Add(time.Hour)), opening(id(6), noon.Add(-time.Hour), after(7)))
	c := CloseUnbacked{At: noon.Add(2 * time.Hour), Owner: "ann", Cause: events.CauseAdmin, Tokens: tokens, Rotated: "L7k8ljIC", Rotation: 7, Keep: id(2)}
	for _, row := range []struct {
		rotation uint64
		keep     string
		want     []string
	}{
		{7, id(2), []string{id(1) + " admin", id(4) + " admin"}},
		{7, "", []string{id(1) + " admin", id(2) + " admin", id(4) + " admin"}},
		{4, "", []string{id(1) + " admin"}},
		{8, id(6), []string{id(1) + " admin", id(2) + " admin", id(4) + " admin"}},
	} {
		c.Rotation, c.Keep = row.rotation, row.keep
		_, facts, _ := run(t, s, c)
		same(t, "the ends by rotation "+fmt.Sprint(row.rotation)+", kept "+row.keep, closed(facts), row.want)
	}
}

func TestWhatCannotBeStoredOpensNoSession(t *testing.T) {
	for name, change := range map[string]func(*Open){
		"no owner":            func(c *Open) { c.Owner = "" },
		"an owner of no form": func(c *Open) { c.Owner = "WORLD:x" },
		"no way":              func(c *Open) { c.Via = "" },
		"another way":         func(c *Open) { c.Via = "saml" },
		"a name with a bell":  func(c *Open) { c.Name = "Ann\a" },
		"a long name":         func(c *Open) { c.Name = strings.Repeat("a", MaxName+1) },
		"a long issuer":       func(c *Open) { c.Issuer = strings.Repeat("a", MaxIssuer+1) },
		"a scope of no form":  func(c *Open) { c.Scopes = []string{"GET"} },
	} {
		refusal(t, State{}, opening(id(1), noon, change), token.CodeInvalidField)
		_ = name
	}
}

func mustRun(t testing.TB, s State, c Command) State {
	t.Helper()
	s, _, _ = run(t, s, c)
	return s
}
