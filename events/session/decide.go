package session

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/token"
)

// Decide returns the facts that a command leads to, in order: first the expiries that
// have passed and are not yet recorded, then the wanted change. A command that changes
// nothing leads to no facts, not even to expiries. The error is an *events.Refusal.
func Decide(s State, c Command) ([]events.Fact, error) {
	facts, at, err := decide(s, c)
	if err != nil || len(facts) == 0 {
		return nil, err
	}
	if _, sweep := c.(Expire); sweep {
		return facts, nil
	}
	return append(unrecorded(s, at), facts...), nil
}

// decide returns the wanted change, and the time of the command. All its facts fit into
// one commit, because a state has at most MaxSessions sessions and those that were put
// back.
func decide(s State, c Command) (facts []events.Fact, at time.Time, err error) {
	switch c := c.(type) {
	case Open:
		facts, err = open(s, c)
		return facts, c.At, err
	case Close:
		facts, err = closeOne(s, c)
		return facts, c.At, err
	case CloseUnbacked:
		return closings(s.selected(c.At, c.selects), c.Cause), c.At, nil
	case Suspend:
		return suspend(s, c), c.At, nil
	case Reinstate:
		return reinstate(s, c), c.At, nil
	case Expire:
		return unrecorded(s, c.At), c.At, nil
	}
	panic(fmt.Sprintf("session: command of unknown type %T", c))
}

// unrecorded returns the expiries that have passed and are not yet recorded.
func unrecorded(s State, now time.Time) (facts []events.Fact) {
	for _, v := range s.Sessions {
		if !v.LiveAt(now) {
			facts = append(facts, events.SessionClosed{TokenID: v.ID, Owner: v.Owner, Cause: events.CauseExpired, ExpiresAt: instant.Of(v.ExpiresAt)})
		}
	}
	return facts
}

func closeOne(s State, c Close) ([]events.Fact, error) {
	v, found := s.Find(c.ID)
	switch {
	case !found || !v.LiveAt(c.At):
		return nil, token.NotFound()
	case c.IfMatch != nil && !slices.Contains(c.IfMatch, v.Seq):
		return nil, token.VersionConflict()
	}
	return closings([]events.View{v}, c.Cause), nil
}

func (c CloseUnbacked) selects(v events.View) bool {
	switch {
	case v.From == "":
		return false
	case v.From == c.Rotated && v.ID != c.Keep && v.Rotated < c.Rotation:
		return true
	}
	backs := func(t events.View) bool { return t.ID == v.From && !token.Exceeds(v, t) }
	return !slices.ContainsFunc(c.Tokens, backs)
}

// suspend ends the sessions in the same commit, so a sign-in at the same time loses: it
// decides again from a state that bars it.
func suspend(s State, c Suspend) []events.Fact {
	if s.Suspended {
		return nil
	}
	facts := []events.Fact{events.UserSuspended{Owner: c.Owner, Reason: c.Reason}}
	every := func(events.View) bool { return true }
	return append(facts, closings(s.selected(c.At, every), events.CauseSuspended)...)
}

func reinstate(s State, c Reinstate) []events.Fact {
	if !s.Suspended {
		return nil
	}
	return []events.Fact{events.UserReinstated{Owner: c.Owner, Reason: c.Reason}}
}

// selected returns the live sessions that accept selects.
func (s State) selected(now time.Time, accept func(events.View) bool) (vs []events.View) {
	for _, v := range s.Sessions {
		if v.LiveAt(now) && accept(v) {
			vs = append(vs, v)
		}
	}
	return vs
}

func closings(vs []events.View, cause events.Cause) (facts []events.Fact) {
	for _, v := range vs {
		facts = append(facts, events.SessionClosed{TokenID: v.ID, Owner: v.Owner, Cause: cause})
	}
	return facts
}
