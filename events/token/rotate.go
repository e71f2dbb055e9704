package token

import (
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

const (
	// MaxGrace is the longest life of an outgoing secret.
	MaxGrace = 365 * day

	// selfGrace is the shortest grace of a token that rotates itself: if the answer
	// is lost, the caller has only the outgoing secret. It is also the time in which
	// such a token does not rotate itself again.
	selfGrace = 5 * time.Minute
)

func (c Rotate) check() error {
	if err := c.By.checkCredential(); err != nil {
		return err
	}
	switch {
	case c.Grace == nil:
	case *c.Grace < 0 || *c.Grace > MaxGrace:
		return invalid(fieldGrace, "the grace is %s; allowed: 0s to %s", FormatLifetime(*c.Grace), FormatLifetime(MaxGrace))
	case c.self() && *c.Grace < selfGrace:
		return refuse(CodeGraceTooShort, fieldGrace, "the grace is %s; a token that rotates itself needs at least %s, because an answer may be lost", FormatLifetime(*c.Grace), FormatLifetime(selfGrace))
	}
	return c.By.checkHandOut(c.Owner, "")
}

// self reports whether the token rotates itself.
func (c Rotate) self() bool { return !c.By.Operator && c.By.Owner == c.Owner && c.By.TokenID == c.ID }

// rotate needs no free place below the token limit.
func rotate(s State, c Rotate) ([]events.Fact, error) {
	v, err := changeable(s, c.ID, c.IfMatch, c.At)
	if err != nil {
		return nil, err
	}
	if err := c.checkToken(s, v); err != nil {
		return nil, err
	}
	if err := c.By.checkActing(s, c.At); err != nil { // after checkToken: a race of two rotations is rotated_recently
		return nil, err
	}
	if err := checkRate(s, c.Policy, c.By, c.At); err != nil {
		return nil, err
	}
	return []events.Fact{events.TokenRotated{
		TokenID: c.ID, Owner: c.Owner, Self: c.self(),
		PreviousSecretUntil: instant.Of(earlier(clock(c.At, c.Now).Add(c.grace()), v.ExpiresAt)),
		Verifier:            events.Verifier{Kid: c.Verifier.Kid, MAC: slices.Clone(c.Verifier.MAC)},
	}}, nil
}

// clock is the time of the clock when a command runs. The time of a stream never
// runs backwards, so after a clock was fast once, a command's time is in the future
// for the guard. An outgoing secret that ends now must not pass until then.
func clock(at, now time.Time) time.Time { return earlier(at, now) }

// checkToken refuses the rotation of a token that goes beyond the maker's token,
// and of a token that has just rotated itself.
func (c Rotate) checkToken(s State, v events.View) error {
	if err := c.CheckView(v); err != nil {
		return err
	}
	if again := s.Notes[c.ID].SelfRotatedAt.Add(selfGrace); c.self() && c.At.Before(again) {
		return refuse(CodeRotatedRecently, "", "the token has just rotated itself; repeat that rotation with its Idempotency-Key, or rotate again at %s", instant.Format(again))
	}
	return nil
}

// CheckView refuses a maker that may not get a secret of the token with this view,
// as Decide does. A caller that returns the secret of an earlier rotation again
// calls it in place of Decide.
func (c Rotate) CheckView(v events.View) error { return c.By.checkSecret(v) }

func (c Rotate) grace() time.Duration {
	switch {
	case c.Grace != nil:
		return *c.Grace
	case c.self():
		return max(c.Policy.RotationGrace, selfGrace)
	}
	return c.Policy.RotationGrace
}
