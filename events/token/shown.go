package token

import (
	"apitoken/events"
	"apitoken/events/instant"
)

// revokeShown compares the verifier again, because the token may have got another
// secret since the guard compared it. Neither a change rate nor a suspension
// matters: to end a secret is always allowed.
func revokeShown(s State, c RevokeShown) []events.Fact {
	v, found := s.Find(c.ID)
	if !found || !v.LiveAt(c.At) {
		return nil
	}
	now := clock(c.At, c.Now)
	switch {
	case !c.Outgoing && v.Verifier.Equal(c.Shown):
		return []events.Fact{events.TokenRevoked{TokenID: c.ID, Owner: c.Owner, Cause: events.CausePossession}}
	case c.Outgoing && v.Outgoing.Equal(c.Shown) && v.OutgoingAt(now):
		return []events.Fact{events.TokenUpdated{TokenID: c.ID, Owner: c.Owner, PreviousSecretUntil: instant.Of(now)}}
	}
	return nil
}
