package token

import (
	"fmt"
	"time"

	"apitoken/events"
)

// maxExpired is the largest number of expiries that one command records. It
// keeps a commit far below the 100 items of a DynamoDB transaction. Later
// commands record the other expiries.
const maxExpired = 20

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
	case Revoke:
		return c.check()
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}

// Decide returns the facts that a command leads to, in order: first the expiries
// that have passed and are not yet recorded, then the wanted change. The error is
// an *events.Refusal. Wrong fields are refused first, then commands that the
// maker may not give (both as Check does), then commands that a limit forbids.
func Decide(s State, c Command) ([]events.Fact, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case Create:
		created, err := create(s, c)
		if err != nil {
			return nil, err
		}
		return append(unrecorded(s, c.At), created), nil
	case Revoke:
		revoked, err := revoke(s, c)
		if err != nil {
			return nil, err
		}
		return append(unrecorded(s, c.At), revoked), nil
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}

// unrecorded returns the expiries that have passed and are not yet recorded, at
// most maxExpired of them.
func unrecorded(s State, now time.Time) (facts []events.Fact) {
	for _, v := range s.Tokens {
		if v.StateAt(now) == events.StateExpired && len(facts) < maxExpired {
			facts = append(facts, events.TokenExpired{TokenID: v.ID, Owner: v.Owner, ExpiresAt: v.ExpiresAt})
		}
	}
	return facts
}

func create(s State, c Create) (events.Fact, error) {
	expires, err := c.expires()
	if err != nil {
		return nil, err
	}
	created := c.fact(expires)
	if err := checkSize(created, c.At); err != nil {
		return nil, err
	}
	if err := checkLimit(s, c); err != nil {
		return nil, err
	}
	if err := checkRate(s, c.Policy, c.By, c.At); err != nil {
		return nil, err
	}
	return created, nil
}

// checkLimit counts the tokens that are live at the time of the command. An
// expired token does not count, even if its expiry is not yet recorded.
func checkLimit(s State, c Create) error {
	live := s.Live(c.At)
	if live < c.Policy.TokenLimit {
		return nil
	}
	r := refuse(CodeLimitReached, "", "the user has %d live tokens; at most %d are allowed", live, c.Policy.TokenLimit)
	r.Limit = &events.LimitReached{TokenLimit: c.Policy.TokenLimit, Live: live, SoonestExpiry: s.SoonestExpiry(c.At)}
	return r
}

func (c Revoke) check() error {
	if !c.By.allowed(c.Owner, c.By.MayDelete) {
		return refuse(CodePermissionDenied, "", `revoking another user's token needs the permission delete on the realm "security"`)
	}
	return nil
}

// revoke ends live tokens only, because an expired token has already ended. No
// change rate applies, and the revocation is not counted.
func revoke(s State, c Revoke) (events.Fact, error) {
	v, ok := s.Find(c.ID)
	if !ok || !v.LiveAt(c.At) {
		return nil, NotFound()
	}
	return events.TokenRevoked{TokenID: v.ID, Owner: v.Owner}, nil
}
