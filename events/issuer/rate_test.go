package issuer_test

import (
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// createAndRevoke makes a token and ends it, which is one counted change.
func (s *scene) createAndRevoke(owner string) {
	s.Helper()
	made, _ := s.create(person(owner), "", token.Wish{})
	if err := s.Revoke(s.Context(), person(owner), made.ID); err != nil {
		s.Fatal(err)
	}
}

// created counts the creations in the log of an owner, by the start of the hour.
func (s *scene) created(owner string) map[time.Time]int {
	s.Helper()
	hours := map[time.Time]int{}
	for _, r := range s.checkedLog(owner) {
		if r.Type == "TokenCreated" {
			hours[r.At.Truncate(time.Hour)]++
		}
	}
	return hours
}

// TestRateIs300AnHourUnlessTheSettingsSayOtherwise: the hour is a fixed one, and
// another user has an own count.
func TestRateIs300AnHourUnlessTheSettingsSayOtherwise(t *testing.T) {
	s := newScene(t)
	s.wait(59 * time.Minute)
	for range 300 {
		s.createAndRevoke("ann")
	}
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	if got := refusalCode(t, err); got != token.CodeRateExceeded {
		t.Errorf("change 301: got %q, want %s", got, token.CodeRateExceeded)
	}
	if r, _ := errors.AsType[*events.Refusal](err); !r.RetryAt.Equal(start.Add(time.Hour)) {
		t.Errorf("retry at %v, want the end of the hour", r.RetryAt)
	}
	s.createAndRevoke("bob")
	s.wait(time.Minute)
	s.createAndRevoke("ann")
	s.changeRate(1)
	if _, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{}); refusalCode(t, err) != token.CodeRateExceeded {
		t.Errorf("with a lower rate: got %v, want %s", err, token.CodeRateExceeded)
	}
	s.changeRate(0)
	for range 310 {
		s.createAndRevoke("ann")
	}
}

// TestRevokeIsNeverRefusedByTheRate, not even with a rate that one create fills.
func TestRevokeIsNeverRefusedByTheRate(t *testing.T) {
	s := newScene(t)
	s.changeRate(5)
	var made []issuer.Token
	for range 5 {
		one, _ := s.create(person("ann"), "", token.Wish{})
		made = append(made, one)
	}
	s.changeRate(1)
	for _, one := range made {
		if err := s.Revoke(t.Context(), person("ann"), one.ID); err != nil {
			t.Errorf("revoking: %v", err)
		}
	}
	if s.state("ann").ChangesAt(s.now()) != 5 {
		t.Errorf("got %d changes, want the 5 creations only", s.state("ann").ChangesAt(s.now()))
	}
}

// TestRateIgnoresAClockThatRunsBackwards: the records of a stream keep their
// times, so the hour of the last record counts on.
func TestRateIgnoresAClockThatRunsBackwards(t *testing.T) {
	s := newScene(t)
	s.changeRate(2)
	s.createAndRevoke("ann")
	s.createAndRevoke("ann")
	s.wait(-2 * time.Hour)
	if _, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{}); refusalCode(t, err) != token.CodeRateExceeded {
		t.Errorf("got %v, want %s", err, token.CodeRateExceeded)
	}
}

// TestRateHoldsUnderConcurrentChanges: creates and revokes run at the same time,
// and the writes fail in every way. Exactly as many creates as the rate take
// effect in the hour, and in the next hour again.
func TestRateHoldsUnderConcurrentChanges(t *testing.T) {
	const rate, callers = 7, 8
	faults := []storetest.Fault{storetest.None, storetest.None, storetest.None, storetest.Unanswered, storetest.Unapplied, storetest.Late}
	s := newScene(t)
	s.changeRate(rate)
	f := s.useFaulty(func(op storetest.Op) storetest.Fault {
		if op != storetest.OpCommit {
			return storetest.None
		}
		return faults[mathrand.N(len(faults))]
	})
	for range 2 {
		stop, landed := landRepeatedly(t.Context(), f)
		var group sync.WaitGroup
		var refused atomic.Int64
		for range callers {
			group.Go(func() {
				for s.changeUntilRefused(person("ann")) {
				}
				refused.Add(1)
			})
		}
		group.Wait()
		stop()
		<-landed
		f.Land(t.Context())
		s.wait(time.Hour)
		if refused.Load() != callers {
			t.Errorf("%d callers were refused, want %d", refused.Load(), callers)
		}
	}
	hours := s.created("ann")
	if len(hours) != 2 || hours[start] != rate || hours[start.Add(time.Hour)] != rate {
		t.Errorf("got %v creations by hour, want %d in each of two", hours, rate)
	}
}

// changeUntilRefused makes a token and revokes it. It returns false when the rate
// refuses the creation.
func (s *scene) changeUntilRefused(by guard.Principal) bool {
	made, _, err := s.Create(s.Context(), by, "", token.Wish{})
	r, refused := errors.AsType[*events.Refusal](err)
	switch {
	case refused && r.Code == token.CodeRateExceeded:
		return false
	case refused && r.Code == token.CodeLimitReached: // revokes without an answer are not repeated
		s.revokeAll(by)
	case errors.Is(err, issuer.ErrBusy):
	case err != nil:
		s.Errorf("creating: %v", err)
		return false
	default:
		_ = s.Revoke(s.Context(), by, made.ID) // a token that is left makes the limit revoke all
	}
	return true
}

func (s *scene) revokeAll(by guard.Principal) {
	for _, v := range s.state(by.Owner).Tokens {
		_ = s.Revoke(s.Context(), by, v.ID)
	}
}
