package token

import (
	"fmt"
	"time"

	"apitoken/events"
)

// maxExpired is how many past-due tokens one command states as expired. It
// keeps a commit far below the 100 items of a DynamoDB transaction; the rest
// is stated by the commands that follow.
const maxExpired = 20

// Decide gives the facts that a command brings about, in order: first the ends
// of tokens that are past due, then what was asked for. The error is an
// *events.Refusal. What is wrong with the fields is refused first, then what
// the maker may not do, then what the limits forbid.
func Decide(s State, c Command) ([]events.Fact, error) {
	switch c := c.(type) {
	case Create:
		created, err := create(s, c)
		if err != nil {
			return nil, err
		}
		return append(pastDue(s, c.At), created), nil
	case Revoke:
		revoked, err := revoke(s, c)
		if err != nil {
			return nil, err
		}
		return append(pastDue(s, c.At), revoked), nil
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}

// pastDue states what time has done since the last command.
func pastDue(s State, now time.Time) (facts []events.Fact) {
	for _, v := range s.Tokens {
		if v.StateAt(now) == events.StateExpired && len(facts) < maxExpired {
			facts = append(facts, events.TokenExpired{TokenID: v.ID, Owner: v.Owner, ExpiresAt: v.ExpiresAt})
		}
	}
	return facts
}

func create(s State, c Create) (events.Fact, error) {
	if err := c.checkFields(); err != nil {
		return nil, err
	}
	if !c.By.may(c.Owner, c.By.MayCreate) {
		return nil, refuse(CodePermissionDenied, fieldUser, `making a token for another user takes the permission create on the realm "security"`)
	}
	if err := c.checkDelegation(); err != nil {
		return nil, err
	}
	expires, err := c.expiry()
	if err != nil {
		return nil, err
	}
	created := c.fact(expires)
	if err := checkSize(created, c.At); err != nil {
		return nil, err
	}
	return created, checkLimit(s, c)
}

// checkLimit counts by time: a token that is past due takes no slot, whether
// or not its end was stated.
func checkLimit(s State, c Create) error {
	live := s.Live(c.At)
	if live < c.Policy.TokenLimit {
		return nil
	}
	r := refuse(CodeLimitReached, "", "the user has %d live tokens, %d are allowed", live, c.Policy.TokenLimit)
	r.Limit = &events.LimitReached{TokenLimit: c.Policy.TokenLimit, Live: live, SoonestExpiry: s.SoonestExpiry(c.At)}
	return r
}

// revoke ends live tokens only: an expired one has ended already.
func revoke(s State, c Revoke) (events.Fact, error) {
	if !c.By.may(c.Owner, c.By.MayDelete) {
		return nil, refuse(CodePermissionDenied, "", `revoking another user's token takes the permission delete on the realm "security"`)
	}
	v, ok := s.Find(c.ID)
	if !ok || !v.LiveAt(c.At) {
		return nil, NotFound()
	}
	return events.TokenRevoked{TokenID: v.ID, Owner: v.Owner}, nil
}
