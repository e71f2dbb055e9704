package token

import (
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/name"
)

// changed returns the state after n creations at the time at, each revoked at the
// same time.
func changed(s State, n int, at time.Time) State {
	for _, f := range several(n, "c", time.Time{}) {
		s = Fold(s, f, at)
		s = Fold(s, events.TokenRevoked{TokenID: f.(events.TokenCreated).TokenID, Owner: "ann"}, at)
	}
	return s
}

func TestTheChangeRateCountsTheChangesOfAFixedHour(t *testing.T) {
	late := hour.Add(time.Hour - 1) // the last nanosecond of the hour
	elsewhere := time.FixedZone("", 5*3600+1800)
	for name, c := range map[string]struct {
		given State
		rate  int
		at    time.Time
		by    Maker
		code  string
	}{
		"the first change":               {State{}, 1, noon, Maker{Owner: "ann"}, ""},
		"one below the rate":             {changed(State{}, 4, noon), 5, noon, Maker{Owner: "ann"}, ""},
		"at the rate":                    {changed(State{}, 5, noon), 5, noon, Maker{Owner: "ann"}, CodeRateExceeded},
		"above a rate that was lowered":  {changed(State{}, 5, noon), 2, noon, Maker{Owner: "ann"}, CodeRateExceeded},
		"below a rate that was raised":   {changed(State{}, 5, noon), 6, noon, Maker{Owner: "ann"}, ""},
		"without a rate":                 {changed(State{}, 400, noon), 0, noon, Maker{Owner: "ann"}, ""},
		"the last instant of the hour":   {changed(State{}, 5, hour), 5, late, Maker{Owner: "ann"}, CodeRateExceeded},
		"the next hour":                  {changed(State{}, 5, late), 5, late.Add(1), Maker{Owner: "ann"}, ""},
		"the hours of UTC, not of zones": {changed(State{}, 5, hour), 5, hour.Add(40 * time.Minute).In(elsewhere), Maker{Owner: "ann"}, CodeRateExceeded},
		"the same hour of the next day":  {changed(State{}, 5, noon), 5, noon.Add(day), Maker{Owner: "ann"}, ""},
		"two hours, each below the rate": {changed(changed(State{}, 4, hour.Add(-1)), 4, noon), 5, noon, Maker{Owner: "ann"}, ""},
		"another maker, the same owner":  {changed(State{}, 5, noon), 5, noon, Maker{Owner: "bob", MayCreate: true}, CodeRateExceeded},
		"an operator":                    {changed(State{}, 5, noon), 5, noon, Maker{Owner: Operator, Operator: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := Decide(c.given, ann(func(create *Create) {
				create.Policy.ChangeRate, create.At, create.By = c.rate, c.at, c.by
			}))
			if c.code == "" {
				if err != nil || len(facts) != 1 {
					t.Errorf("got %v, %v, want a token", facts, err)
				}
				return
			}
			end := time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)
			r := refusal(t, err, c.code)
			if !r.RetryAt.Equal(end) || facts != nil {
				t.Errorf("got %v and retry at %v, want no facts and %v", facts, r.RetryAt, end)
			}
			if !strings.Contains(r.Detail, "2026-11-21T12:00:00Z") || !strings.Contains(r.Detail, "2026-11-21T13:00:00Z") {
				t.Errorf("the refusal does not name the hour: %s", r.Detail)
			}
		})
	}
}

// TestOnlyTheRateRefusalHasATimeToRetry: at the token limit a retry does not help.
func TestOnlyTheRateRefusalHasATimeToRetry(t *testing.T) {
	s := given(noon, several(5, "l", time.Time{})...)
	_, err := Decide(s, ann(func(c *Create) { c.Policy.ChangeRate = 5 }))
	if r := refusal(t, err, CodeLimitReached); !r.RetryAt.IsZero() {
		t.Errorf("got %v, want no time", r.RetryAt)
	}
}

// TestRevocationsAndExpiriesAreNeverRefusedAndNotCounted, in an hour that is full.
func TestRevocationsAndExpiriesAreNeverRefusedAndNotCounted(t *testing.T) {
	s := given(noon, append(several(2, "l", time.Time{}), several(3, "e", noon.Add(1))...)...)
	policy := Policy{TokenLimit: 50, ChangeRate: 5}
	at := noon.Add(time.Minute)
	for _, v := range s.Tokens[:2] {
		facts, err := Decide(s, Revoke{At: at, Policy: policy, By: Maker{Owner: "ann"}, ID: v.ID, Owner: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			s = Fold(s, f, at)
		}
	}
	if len(s.Tokens) != 0 || s.Version != 10 || s.ChangesAt(at) != 5 {
		t.Errorf("got %d tokens, version %d and %d changes, want none, 10 and 5", len(s.Tokens), s.Version, s.ChangesAt(at))
	}
	next := hour.Add(time.Hour)
	if s = Fold(given(noon, owned("AAAAAAAA", time.Time{})), events.TokenRevoked{TokenID: "AAAAAAAA"}, next); s.ChangesAt(next) != 0 {
		t.Errorf("a revocation in the next hour is counted %d times", s.ChangesAt(next))
	}
}

// TestAnOperatorUsesUpNoRate: an operator's creations leave the user's count as it
// is, in the same hour and in the next.
func TestAnOperatorUsesUpNoRate(t *testing.T) {
	by := func(creator, id string) events.Fact {
		return events.TokenCreated{TokenID: id, Owner: "ann", Creator: creator}
	}
	s := given(noon, by("ann", "AAAAAAAA"), by(Operator, "BBBBBBBB"), by("admin", "CCCCCCCC"))
	if s.ChangesAt(noon) != 2 {
		t.Errorf("got %d changes, want 2", s.ChangesAt(noon))
	}
	if s = Fold(s, by(Operator, "DDDDDDDD"), noon.Add(time.Hour)); s.ChangesAt(noon) != 2 || s.ChangesAt(noon.Add(time.Hour)) != 0 {
		t.Errorf("got %d and %d changes, want 2 and none in the next hour", s.ChangesAt(noon), s.ChangesAt(noon.Add(time.Hour)))
	}
	if name.ValidOwner(Operator) == nil {
		t.Error("a user can have the key of an operator")
	}
}

// TestOneCommandIsOneChange, also if it records expiries.
func TestOneCommandIsOneChange(t *testing.T) {
	s := given(noon.Add(-day), several(4, "e", noon)...)
	facts, err := Decide(s, ann(nil))
	if err != nil || len(facts) != 5 {
		t.Fatalf("got %d facts, %v, want four expiries and a token", len(facts), err)
	}
	for _, f := range facts {
		s = Fold(s, f, noon)
	}
	if s.ChangesAt(noon) != 1 {
		t.Errorf("got %d changes, want 1", s.ChangesAt(noon))
	}
}

// TestCheckRefusesWithoutAState what Decide refuses in every state, with the same
// refusal, and nothing else.
func TestCheckRefusesWithoutAState(t *testing.T) {
	full := given(noon, several(5, "l", time.Time{})...)
	for name, c := range map[string]struct {
		command Command
		code    string
	}{
		"a control character":     {ann(func(c *Create) { c.Name = "\n" }), CodeInvalidField},
		"no user":                 {ann(func(c *Create) { c.Owner = "" }), CodeInvalidField},
		"another user's":          {ann(func(c *Create) { c.Owner = "bob" }), CodePermissionDenied},
		"a user with more":        {ann(func(c *Create) { c.Owner, c.By.MayCreate, c.By.LacksActions = "bob", true, true }), CodeDeniedByOwner},
		"beyond the scopes":       {ann(func(c *Create) { c.By.Scopes = []string{"GET /"} }), CodeScopeExceeds},
		"beyond the ranges":       {ann(func(c *Create) { c.By.SourceIPs = prefixes("192.0.2.0/24") }), CodeSourceIPsExceed},
		"revoking another user's": {Revoke{At: noon, By: Maker{Owner: "bob", MayCreate: true, MayEdit: true}, ID: "lAa00000", Owner: "ann"}, CodePermissionDenied},
	} {
		early := refusal(t, Check(c.command), c.code)
		for _, s := range []State{{}, full} {
			_, err := Decide(s, c.command)
			if late := refusal(t, err, c.code); *late != *early {
				t.Errorf("%s: Check refuses with %+v, Decide with %+v", name, early, late)
			}
		}
	}
	for name, c := range map[string]Command{
		"at the limit":    ann(func(c *Create) { c.Policy.TokenLimit = 0 }),
		"in the past":     ann(func(c *Create) { c.ExpiresAt = noon.Add(-1) }),
		"a missing token": Revoke{At: noon, By: Maker{Owner: "ann"}, ID: "XXXXXXXX", Owner: "ann"},
	} {
		if err := Check(c); err != nil {
			t.Errorf("%s: got %v, want that only the state and the time decide", name, err)
		}
	}
}
