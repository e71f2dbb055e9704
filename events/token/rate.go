package token

import "time"

// counted adds one change at the time at. The hours are fixed: they begin with
// the hours of the day in UTC. A change of an operator is not counted. So an
// attacker with a user's token cannot stop the operator, and the operator does
// not use up the user's rate.
func (s State) counted(maker string, at time.Time) State {
	if maker == Operator {
		return s
	}
	s.Changes = s.ChangesAt(at) + 1
	s.Hour = hourOf(at)
	return s
}

// ChangesAt is the number of counted changes in the hour of the time at. The time
// of a stream never runs backwards. So after a clock was fast once, the changes
// count in that later hour until the clock reaches it.
func (s State) ChangesAt(at time.Time) int {
	if !s.Hour.Equal(hourOf(at)) {
		return 0
	}
	return s.Changes
}

// hourOf returns the start of the hour.
func hourOf(at time.Time) time.Time { return utc(at).Truncate(time.Hour) }

// checkRate refuses a change above the change rate of the policy. The commands
// that end tokens do not call it, so that no rate delays a revocation.
func checkRate(s State, p Policy, m Maker, at time.Time) error {
	n := s.ChangesAt(at)
	if p.ChangeRate == 0 || n < p.ChangeRate || m.Operator {
		return nil
	}
	begin, end := hourOf(at), hourOf(at).Add(time.Hour)
	r := refuse(CodeRateExceeded, "", "the user's tokens had %d changes since %s; at most %d in an hour are allowed; try again at %s",
		n, begin.Format(time.RFC3339), p.ChangeRate, end.Format(time.RFC3339))
	r.RetryAt = end
	return r
}
