package token

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

const (
	// maxExpired is the largest number of expiries that a command records, other
	// than Expire. Later commands record the other expiries.
	maxExpired = 20

	// maxFacts is the largest number of facts that end tokens in one commit. Each
	// needs a record and a view, and with the head there are at most 100 items in a
	// DynamoDB transaction.
	maxFacts = 49
)

// Check refuses a command that no state of the owner's tokens allows: one with
// wrong fields, or one that the maker may not give. The error is an
// *events.Refusal. A caller of Decide calls Check before it reads the owner's
// stream: a command that the maker may not give must read nothing of another user,
// because the time of the answer would show how many tokens that user has. Check
// ignores the members that are known only later: the time, the id, the verifier.
func Check(c Command) error {
	switch c := c.(type) {
	case Create:
		return c.check()
	case Update:
		return c.check()
	case Rotate:
		return c.check()
	case Revoke:
		return c.check()
	case Suspend:
		return c.check()
	case Reinstate:
		return c.check()
	case Offboard:
		return c.check()
	case SetLimit:
		return c.check()
	case RevokeShown, Expire:
		return nil
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}

// Decide returns the facts that a command leads to, in order: first the expiries
// that have passed and are not yet recorded, then the wanted change. A command
// that changes nothing leads to no facts, not even to expiries. The error is an
// *events.Refusal. Wrong fields are refused first, then commands that the maker
// may not give (both as Check does), then commands that a limit forbids.
func Decide(s State, c Command) ([]events.Fact, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	facts, at, err := decide(s, c)
	if _, sweep := c.(Expire); err != nil || len(facts) == 0 || sweep {
		return facts, err
	}
	return append(unrecorded(s, at, min(maxExpired, maxFacts-len(facts))), facts...), nil
}

// decide returns the wanted change, and the time of the command.
func decide(s State, c Command) (facts []events.Fact, at time.Time, err error) {
	switch c := c.(type) {
	case Create:
		facts, err = create(s, c)
		return facts, c.At, err
	case Update:
		facts, err = updated(s, c)
		return facts, c.At, err
	case Rotate:
		facts, err = rotate(s, c)
		return facts, c.At, err
	case Revoke:
		facts, err = revoke(s, c)
		return facts, c.At, err
	case RevokeShown:
		return revokeShown(s, c), c.At, nil
	case Suspend:
		facts, err = suspend(s, c)
		return facts, c.At, err
	case Reinstate:
		return reinstate(s, c), c.At, nil
	case Offboard:
		facts, err = offboard(s, c)
		return facts, c.At, err
	case SetLimit:
		return setLimit(s, c), c.At, nil
	case Expire:
		return unrecorded(s, c.At, maxFacts), c.At, nil
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}

// unrecorded returns the expiries that have passed and are not yet recorded, at
// most this number of them.
func unrecorded(s State, now time.Time, most int) (facts []events.Fact) {
	for _, v := range s.Tokens {
		if v.StateAt(now) == events.StateExpired && len(facts) < most {
			facts = append(facts, events.TokenExpired{TokenID: v.ID, Owner: v.Owner, ExpiresAt: instant.Of(v.ExpiresAt)})
		}
	}
	return facts
}

// changeable returns the live token that a command changes. The checks are in
// this order, so that a caller with an old entry first learns that the token has
// ended.
func changeable(s State, id string, ifMatch []uint64, at time.Time) (events.View, error) {
	v, ok := s.Find(id)
	switch {
	case !ok:
		return v, NotFound()
	case !v.LiveAt(at):
		return v, Ended(v.ExpiresAt)
	case s.Suspended:
		return v, suspendedOwner()
	}
	return v, checkMatch(v, ifMatch)
}

// checkMatch refuses a command that was given for another state of the token.
func checkMatch(v events.View, ifMatch []uint64) error {
	if ifMatch == nil || slices.Contains(ifMatch, v.Seq) {
		return nil
	}
	return VersionConflict()
}
