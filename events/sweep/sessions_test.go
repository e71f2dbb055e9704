package sweep_test

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/sweep"
)

// TestTheEndOfASessionIsRecordedAndNotWarnedAbout: also if a warning came at once for a
// token that lives as long.
func TestTheEndOfASessionIsRecordedAndNotWarnedAbout(t *testing.T) {
	s := newScene(t)
	s.apply(settings.Change{WarningDays: &[]int{1}})
	opened, _, err := s.OpenSession(t.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaPassword})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at   time.Duration
		want sweep.Result
	}{{0, sweep.Result{}}, {session.MaxLife - time.Microsecond, sweep.Result{}}, {session.MaxLife, sweep.Result{Expired: 1}}, {2 * session.MaxLife, sweep.Result{}}} {
		s.at(step.at)
		if r := s.run(); r != step.want {
			t.Errorf("a run after %v: got %+v, want %+v", step.at, r, step.want)
		}
	}
	rs, err := s.store.History(t.Context(), events.SessionStream("ann"), 0, 10)
	if err != nil || len(rs) != 2 || rs[1].Type != "SessionClosed" || rs[1].Actor == "ann" {
		t.Errorf("the history is %v, %v", rs, err)
	}
	v, _, err := s.store.Token(t.Context(), opened.ID)
	if err != nil || v.Ended != events.EndedExpired || !v.EndedAt.Equal(opened.ExpiresAt) {
		t.Errorf("the view is %+v, %v", v, err)
	}
}
