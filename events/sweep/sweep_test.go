package sweep_test

import (
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/sweep"
	"apitoken/events/token"
)

// TestOnlyTheNearestWarningThatHasComeIsSent has one token in each row, and runs the
// sweep at these times after its creation.
func TestOnlyTheNearestWarningThatHasComeIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		lives time.Duration
		runs  []time.Duration
		want  []string // at each run, separated by blanks
	}{
		"each warning and the expiry": {100 * day, []time.Duration{69 * day, 70 * day, 71 * day, 93 * day, 99 * day, 100*day - 1000, 100 * day, 101 * day},
			[]string{"", "30", "", "7", "1", "", "expired", ""}},
		"a microsecond before a warning":          {100 * day, []time.Duration{70*day - time.Microsecond, 70 * day}, []string{"", "30"}},
		"a missed run":                            {100 * day, []time.Duration{94 * day, 98 * day, 99 * day}, []string{"7", "", "1"}},
		"missed for 40 days":                      {100 * day, []time.Duration{59 * day, 99*day + time.Hour}, []string{"", "1"}},
		"missed until after the expiry":           {100 * day, []time.Duration{141 * day, 142 * day}, []string{"expired", ""}},
		"all warnings before the creation":        {time.Hour, []time.Duration{0, time.Minute, time.Hour}, []string{"", "", "expired"}},
		"30 and 7 days before the creation":       {5 * day, []time.Duration{0, day, 4 * day}, []string{"", "", "1"}},
		"a warning at the creation":               {30 * day, []time.Duration{0, 22 * day, 23 * day}, []string{"", "", "7"}},
		"a warning a moment after the creation":   {30*day + time.Second, []time.Duration{0, time.Second}, []string{"", "30"}},
		"the last warning that has come is first": {31 * day, []time.Duration{30 * day}, []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			made := s.create("ann", c.lives)
			s.took(made.ID)
			for i, at := range c.runs {
				s.at(at)
				s.run()
				s.expect("the run after "+at.String(), made, strings.Fields(c.want[i])...)
			}
		})
	}
}

func TestATokenWithoutAnExpiryIsLeftAlone(t *testing.T) {
	s := newScene(t)
	made := s.create("ann", 0)
	s.took(made.ID)
	s.at(4000 * day)
	if r := s.run(); r != (sweep.Result{}) {
		t.Errorf("got %+v", r)
	}
	s.expect("the run", made)
}

// TestTokensThatDoNotPassNow: a disabled token and one of a suspended owner may work
// again, so they are warned about. A revoked token is not.
func TestTokensThatDoNotPassNow(t *testing.T) {
	s := newScene(t)
	disabled, suspended, revoked := s.create("ann", 100*day), s.create("bob", 100*day), s.create("cy", 100*day)
	s.update(disabled, token.Update{Enabled: new(false)})
	s.grantEdit("admin")
	if _, err := s.Suspend(t.Context(), person("admin"), "bob", "left"); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), person("cy"), revoked.ID); err != nil {
		t.Fatal(err)
	}
	for _, made := range []issuer.Token{disabled, suspended, revoked} {
		s.took(made.ID)
	}
	s.at(95 * day)
	s.run()
	s.expect("a disabled token", disabled, "7")
	s.expect("a token of a suspended owner", suspended, "7")
	s.expect("a revoked token", revoked)
	s.at(100 * day)
	if r := s.run(); r.Expired != 2 {
		t.Errorf("got %+v, want two expiries", r)
	}
	s.expect("the disabled token at its expiry", disabled, "expired")
	s.expect("the token of the suspended owner at its expiry", suspended, "expired")
	s.expect("the revoked token at its expiry", revoked)
}

func (s *scene) grantEdit(user string) {
	s.Helper()
	s.apply(settings.Grant{User: user, Actions: []string{settings.ActionEdit}})
}

// TestAMovedExpiryIsWarnedAboutAgain, and each expiry has each warning only once,
// also if it comes back.
func TestAMovedExpiryIsWarnedAboutAgain(t *testing.T) {
	s := newScene(t)
	made := s.create("ann", 100*day)
	s.took(made.ID)
	s.at(94 * day)
	s.run()
	s.expect("the first expiry", made, "7")
	s.expireAt(made, 465*day)
	s.run()
	s.expect("moved by a year", made)
	s.at(459 * day)
	s.run()
	s.expect("a week before the second expiry", made, "7")
	s.expireAt(made, 462*day)
	s.run()
	s.expect("moved to an earlier time", made, "7")
	s.expireAt(made, 465*day)
	s.run()
	s.expect("moved back", made)
	s.at(465 * day)
	s.run()
	s.expect("the expiry", made, "expired")
}

// TestOtherChangesRepeatNoWarning: a change of the view removes the note, so only
// the id of the notice prevents a second warning.
func TestOtherChangesRepeatNoWarning(t *testing.T) {
	s := newScene(t)
	s.warningDays(365, 7)
	made := s.create("ann", 400*day)
	s.took(made.ID)
	s.at(36 * day)
	s.run()
	s.expect("a year before", made, "365")
	s.at(300 * day)
	s.update(made, token.Update{Wish: token.Wish{Name: "other"}, Given: token.Members{Name: true}})
	s.run()
	s.expect("after a change", made)
}

func TestChangedSettingsHoldAtTheNextRun(t *testing.T) {
	s := newScene(t)
	made := s.create("ann", 100*day)
	s.took(made.ID)
	s.at(71 * day)
	s.run()
	s.expect("the default", made, "30")
	s.warningDays(30, 14, 7, 1)
	s.at(86 * day)
	s.run()
	s.expect("a new warning", made, "14")
	s.warningDays(30)
	s.at(94 * day)
	s.run()
	s.expect("fewer warnings", made)
	s.warningDays(30, 5)
	s.run()
	s.expect("a warning whose time has not come", made)
	s.warningDays(30, 8)
	s.run()
	s.expect("a new warning whose time has come", made, "8")
	s.warningDays()
	s.at(99 * day)
	if r := s.run(); r.Warned != 0 {
		t.Errorf("without warnings: got %+v", r)
	}
	s.at(100 * day)
	s.run()
	s.expect("the expiry without warnings", made, "expired")
}

// TestAnEarlierWarningDoesNotFollowALaterOne: the settings then have only a warning
// whose time was before the one that was sent.
func TestAnEarlierWarningDoesNotFollowALaterOne(t *testing.T) {
	s := newScene(t)
	s.warningDays(7)
	made := s.create("ann", 100*day)
	s.took(made.ID)
	s.at(94 * day)
	s.run()
	s.expect("a week before", made, "7")
	s.warningDays(30)
	s.run()
	s.expect("with a warning of 30 days in its place", made)
}

// TestAnExpiryIsRecordedAndEverythingAgrees: the view, the list, the state of the
// owner and the time of removal.
func TestAnExpiryIsRecordedAndEverythingAgrees(t *testing.T) {
	s := newScene(t)
	made := s.create("ann", day)
	kept := s.create("ann", 2*day)
	s.at(day)
	if r := s.run(); r.Expired != 1 || r.Faults != 0 {
		t.Errorf("got %+v", r)
	}
	v := s.view(made.ID)
	if v.Ended != events.EndedExpired || !v.EndedAt.Equal(made.ExpiresAt) || !v.KeepUntil.Equal(made.ExpiresAt.Add(400*day)) {
		t.Errorf("got %+v", v)
	}
	for state, want := range map[events.TokenState]string{events.StateExpired: made.ID, events.StateActive: kept.ID} {
		page, err := s.List(t.Context(), person("ann"), issuer.ListQuery{Owners: []string{"ann"}, States: []events.TokenState{state}, Limit: 10})
		if err != nil || len(page.Tokens) != 1 || page.Tokens[0].ID != want {
			t.Errorf("the %s tokens: got %+v, %v, want %s", state, page.Tokens, err, want)
		}
	}
	if r := s.run(); r != (sweep.Result{}) {
		t.Errorf("the next run: got %+v, want that it does nothing", r)
	}
}

// TestManyExpiriesOfAnOwner are more than one commit has room for.
func TestManyExpiriesOfAnOwner(t *testing.T) {
	s := newScene(t)
	limit := 50
	s.apply(settings.Change{TokenLimit: &limit})
	for range limit {
		s.create("ann", day)
	}
	s.at(day)
	if r := s.run(); r.Expired != limit || r.Faults != 0 {
		t.Errorf("got %+v, want %d expiries", r, limit)
	}
	rs, err := s.store.History(t.Context(), events.UserStream("ann"), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	expired := map[string]int{}
	for _, r := range rs {
		if r.Type == "TokenExpired" {
			expired[r.Subject()]++
		}
	}
	if len(expired) != limit {
		t.Errorf("%d tokens are recorded as expired, want %d", len(expired), limit)
	}
	for id, n := range expired {
		if n != 1 {
			t.Errorf("token %s is recorded as expired %d times", id, n)
		}
	}
}

func TestTheOperatorIsTheActorOfAnExpiry(t *testing.T) {
	s := newScene(t)
	s.create("ann", day)
	s.at(day)
	s.run()
	rs, err := s.store.History(t.Context(), events.UserStream("ann"), 1, 10)
	if err != nil || len(rs) != 1 || rs[0].Type != "TokenExpired" || rs[0].Actor != "API_OPERATOR_DOMAIN:operator" || rs[0].TokenID != "" {
		t.Errorf("got %+v, %v", rs, err)
	}
}
