package token

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

var editor = Maker{Owner: "bob", MayEdit: true, MayDelete: true}

func TestSuspendMarksEveryLiveToken(t *testing.T) {
	s := given(noon.Add(-day), owned("AAAAAAAA", noon), owned("BBBBBBBB", noon.Add(tick)), owned("CCCCCCCC", time.Time{}))
	facts, err := Decide(s, Suspend{At: noon, By: editor, Owner: "ann", Reason: "lost laptop"})
	want := []events.Fact{
		events.TokenExpired{TokenID: "AAAAAAAA", Owner: "ann", ExpiresAt: instant.Of(noon)},
		events.UserSuspended{Owner: "ann", Reason: "lost laptop", TokenIDs: []string{"BBBBBBBB", "CCCCCCCC"}},
	}
	if err != nil || !reflect.DeepEqual(facts, want) {
		t.Fatalf("got %+v, %v, want %+v", facts, err, want)
	}
	after := given(noon, append([]events.Fact{owned("AAAAAAAA", noon), owned("BBBBBBBB", noon.Add(tick)), owned("CCCCCCCC", time.Time{})}, facts...)...)
	for _, v := range Effect(s, after, facts, noon, 0).Changed[1:] {
		if !v.Suspended || v.Seq != 5 || v.StateAt(noon) != events.StateDisabled {
			t.Errorf("the view of a live token is %+v, want the mark and the sequence 5", v)
		}
	}
	if again, err := Decide(after, Suspend{At: noon, By: editor, Owner: "ann"}); err != nil || again != nil {
		t.Errorf("again: got %v, %v, want no facts", again, err)
	}
}

func TestReinstateBringsBackWhatDidNotEnd(t *testing.T) {
	s := given(noon, owned("AAAAAAAA", time.Time{}), owned("BBBBBBBB", time.Time{}), owned("CCCCCCCC", noon.Add(time.Hour)), events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"},
		events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA", "BBBBBBBB", "CCCCCCCC"}}, events.TokenRevoked{TokenID: "BBBBBBBB", Owner: "ann"})
	facts, err := Decide(s, Reinstate{At: noon.Add(time.Hour), By: editor, Owner: "ann", Reason: "found"})
	if err != nil || len(facts) != 2 || !reflect.DeepEqual(facts[1], events.Fact(events.UserReinstated{Owner: "ann", Reason: "found", TokenIDs: []string{"AAAAAAAA"}})) {
		t.Fatalf("got %+v, %v, want an expiry and the reinstatement of AAAAAAAA", facts, err)
	}
	for _, f := range facts {
		s = Fold(s, f, noon.Add(time.Hour))
	}
	if v := s.Tokens[0]; len(s.Tokens) != 1 || v.Suspended || !v.Disabled || s.Suspended {
		t.Errorf("got %+v, want one token that is disabled and not suspended", s)
	}
	if again, err := Decide(s, Reinstate{At: noon, By: editor, Owner: "ann"}); err != nil || again != nil {
		t.Errorf("again: got %v, %v, want no facts", again, err)
	}
}

func TestSuspensionRefusals(t *testing.T) {
	self := editor
	self.Owner = "ann"
	for name, c := range map[string]struct {
		command Command
		code    string
	}{
		"itself":                    {Suspend{By: self, Owner: "ann"}, CodeSelfSuspension},
		"reinstating itself":        {Reinstate{By: self, Owner: "ann"}, CodeSelfSuspension},
		"offboarding itself":        {Offboard{By: self, Owner: "ann"}, CodeSelfSuspension},
		"without delete":            {Offboard{By: Maker{Owner: "bob", MayEdit: true}, Owner: "ann"}, CodePermissionDenied},
		"the last editor":           {Suspend{By: editor, Owner: "ann", LastEditor: true}, CodeLastEditHolder},
		"the last editor, operator": {Suspend{By: Maker{Operator: true}, Owner: "ann", LastEditor: true}, CodeLastEditHolder},
		"offboarding the last one":  {Offboard{By: editor, Owner: "ann", LastEditor: true}, CodeLastEditHolder},
		"no owner":                  {Suspend{By: editor, Owner: "local:ann"}, "invalid_field"},
		"a control in the reason":   {Suspend{By: editor, Owner: "ann", Reason: "a\nb"}, "invalid_field"},
		"the longest reason":        {Suspend{By: editor, Owner: "ann", Reason: strings.Repeat("r", 512)}, ""},
		"a longer reason":           {Suspend{By: editor, Owner: "ann", Reason: strings.Repeat("r", 513)}, "invalid_field"},
		"an owner without tokens":   {Suspend{By: editor, Owner: "zoe"}, ""},
	} {
		if _, err := Decide(State{}, c.command); codeOf(err) != c.code || (err != nil) != (c.code != "") {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
}

// TestASuspendedOwnerGetsNoToken: revoking still works.
func TestASuspendedOwnerGetsNoToken(t *testing.T) {
	s := given(noon, owned("AAAAAAAA", time.Time{}), events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA"}})
	for _, change := range []func(*Create){nil, func(c *Create) { c.By = Maker{Owner: Operator, Operator: true} }, func(c *Create) { c.By = Maker{Owner: "bob", MayCreate: true} }} {
		_, err := Decide(s, ann(change))
		refusal(t, err, CodeUserSuspended)
	}
	if facts, err := Decide(s, Revoke{At: noon, By: Maker{Owner: "ann"}, ID: "AAAAAAAA", Owner: "ann"}); err != nil || len(facts) != 1 {
		t.Errorf("revoke: got %v, %v, want the end of the token", facts, err)
	}
}

// fullOwner has 51 live tokens, as after a recovery, and 25 expiries that are not
// recorded.
func fullOwner() State {
	return given(noon.Add(-day), append(several(25, "e", noon.Add(-time.Hour)), several(51, "l", time.Time{})...)...)
}

// commitFits makes the commit of the facts, which has at most 100 items.
func commitFits(t *testing.T, s State, facts []events.Fact) State {
	t.Helper()
	k, err := events.ParseKeys("a:" + strings.Repeat("QUFB", 11))
	if err != nil {
		t.Fatal(err)
	}
	after := s
	for _, f := range facts {
		after = Fold(after, f, noon)
	}
	b, err := EncodeState(after)
	if err != nil {
		t.Fatal(err)
	}
	effect := Effect(s, after, facts, noon, day)
	if _, err := events.NewCommit(k, events.UserStream("ann"), events.Head{Version: s.Version}, events.Meta{At: noon}, facts, StateV, b, effect); err != nil {
		t.Error(err)
	}
	return after
}

func TestOffboardingAFullOwnerTakesSteps(t *testing.T) {
	s := fullOwner()
	var ended []int
	for range 10 {
		facts, err := Decide(s, Offboard{At: noon, By: editor, Owner: "ann", Reason: "left"})
		if err != nil {
			t.Fatal(err)
		}
		if len(facts) == 0 {
			break
		}
		n := 0
		for _, f := range facts {
			if r, ok := f.(events.TokenRevoked); ok {
				n++
				if r.Cause != events.CauseOffboarding {
					t.Errorf("the cause is %q", r.Cause)
				}
			}
		}
		ended = append(ended, n)
		s = commitFits(t, s, facts)
	}
	if !reflect.DeepEqual(ended, []int{0, 40, 11}) || len(s.Tokens) != 0 || !s.Suspended {
		t.Errorf("the steps ended %v tokens, %d are left, suspended %v; want 0, 40, 11 and none", ended, len(s.Tokens), s.Suspended)
	}
	if facts := reinstate(s, Reinstate{At: noon, Owner: "ann"}); len(facts) != 1 {
		t.Errorf("reinstating: got %v", facts)
	}
}

func TestExpireRecordsPastExpiriesOnly(t *testing.T) {
	s := given(noon.Add(-day), append(several(60, "e", noon), several(2, "l", noon.Add(tick))...)...)
	for _, want := range []int{49, 11, 0} {
		facts, err := Decide(s, Expire{At: noon, Owner: "ann"})
		if err != nil || len(facts) != want {
			t.Fatalf("got %d facts, %v, want %d", len(facts), err, want)
		}
		if want > 0 {
			s = commitFits(t, s, facts)
		}
	}
	if len(s.Tokens) != 2 {
		t.Errorf("%d tokens are left, want 2", len(s.Tokens))
	}
}

func TestOwnerLimits(t *testing.T) {
	limit := func(n *int) Command {
		return SetLimit{At: noon, By: Maker{Owner: "ann", MayEdit: true}, Owner: "ann", Limit: n}
	}
	seven := given(noon, events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(7)})
	for name, c := range map[string]struct {
		given   State
		command Command
		want    []events.Fact
		code    string
	}{
		"the lowest":   {State{}, limit(new(0)), []events.Fact{events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(0)}}, ""},
		"the highest":  {State{}, limit(new(50)), []events.Fact{events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(50)}}, ""},
		"a lower one":  {State{}, limit(new(-1)), nil, "invalid_field"},
		"a higher one": {State{}, limit(new(51)), nil, "invalid_field"},
		"as it is":     {seven, limit(new(7)), nil, ""},
		"the setting":  {seven, limit(nil), []events.Fact{events.OwnerLimitChanged{Owner: "ann"}}, ""},
		"none, again":  {State{}, limit(nil), nil, ""},
		"its own":      {State{}, SetLimit{By: Maker{Owner: "ann"}, Owner: "ann", Limit: new(7)}, nil, CodePermissionDenied},
		"no owner":     {State{}, SetLimit{By: Maker{Operator: true}, Owner: "gid:7", Limit: new(7)}, nil, "invalid_field"},
	} {
		got, err := Decide(c.given, c.command)
		if codeOf(err) != c.code || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v, %q", name, got, err, c.want, c.code)
		}
	}
	full := Fold(given(noon, several(5, "l", time.Time{})...), events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(6)}, noon)
	if _, err := Decide(full, ann(nil)); err != nil {
		t.Errorf("with an own limit above the setting: got %v", err)
	}
	_, err := Decide(Fold(full, events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(5)}, noon), ann(func(c *Create) { c.Policy.TokenLimit = 50 }))
	if r := refusal(t, err, CodeLimitReached); r.Limit.TokenLimit != 5 {
		t.Errorf("with an own limit below the setting: got %+v", r.Limit)
	}
}

// TestARecoveryFindsAPlace at every limit, but never for more than 51 tokens and
// never for a user.
func TestARecoveryFindsAPlace(t *testing.T) {
	recovery := ann(func(c *Create) {
		c.By, c.Recovery, c.Policy.TokenLimit = Maker{Owner: Operator, Operator: true}, true, 0
	})
	if _, err := Decide(given(noon, several(50, "l", time.Time{})...), recovery); err != nil {
		t.Errorf("with 50 live tokens: got %v", err)
	}
	_, err := Decide(given(noon, several(51, "l", time.Time{})...), recovery)
	refusal(t, err, CodeLimitReached)
	recovery.By = Maker{Owner: "ann"}
	_, err = Decide(State{}, recovery)
	refusal(t, err, CodeLimitReached)
}

// TestARecoveryLivesForAnHour at least: a maximum lifetime of a second would lock
// everyone out, for no one could use a token to change the settings.
func TestARecoveryLivesForAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		maximum, want time.Duration
		by            Maker
	}{
		"a second":           {time.Second, time.Hour, Maker{Owner: Operator, Operator: true}},
		"more than an hour":  {2 * time.Hour, 2 * time.Hour, Maker{Owner: Operator, Operator: true}},
		"no maximum":         {0, 0, Maker{Owner: Operator, Operator: true}},
		"not by an operator": {time.Second, time.Second, Maker{Owner: "ann"}},
	} {
		facts, err := Decide(State{}, ann(func(r *Create) { r.By, r.Recovery, r.Policy.Expiration = c.by, true, c.maximum }))
		if err != nil {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		var want time.Time
		if c.want > 0 {
			want = noon.Add(c.want)
		}
		if got := facts[0].(events.TokenCreated).ExpiresAt.Time; !got.Equal(want) {
			t.Errorf("%s: the token expires at %v, want %v", name, got, want)
		}
	}
}
