package token

import (
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/scope"
)

func (c Update) check() error {
	if err := c.By.checkCredential(); err != nil {
		return err
	}
	if err := c.Wish.check(); err != nil {
		return err
	}
	if !c.By.allowed(c.Owner, c.By.MayEdit) {
		return refuse(CodePermissionDenied, "", `changing another user's token needs the permission edit on the realm "security"`)
	}
	return nil
}

// updated returns the facts of an update. Disabling is neither refused by the
// change rate nor counted.
func updated(s State, c Update) ([]events.Fact, error) {
	before, err := changeable(s, c.ID, c.IfMatch, c.At)
	if err != nil {
		return nil, err
	}
	if err := c.By.checkActing(s, c.At); err != nil {
		return nil, err
	}
	f := c.fact(before)
	after := before
	update(&after, f)
	if err := c.checkChange(before, after); err != nil {
		return nil, err
	}
	var facts []events.Fact
	if !sameMembers(before, after) {
		facts = append(facts, f)
	}
	if c.enables(before) {
		facts = append(facts, events.TokenEnabled{TokenID: c.ID, Owner: c.Owner})
	}
	if len(facts) > 0 {
		if err := checkRate(s, c.Policy, c.By, c.At); err != nil {
			return nil, err
		}
	}
	if c.Enabled != nil && !*c.Enabled && !before.Disabled {
		facts = append(facts, events.TokenDisabled{TokenID: c.ID, Owner: c.Owner})
	}
	return facts, nil
}

// enables reports whether the update enables a disabled token.
func (c Update) enables(before events.View) bool {
	return c.Enabled != nil && *c.Enabled && before.Disabled
}

// fact returns the members that differ from those of the view.
func (c Update) fact(v events.View) events.TokenUpdated {
	f := events.TokenUpdated{TokenID: c.ID, Owner: c.Owner}
	if name := nameOf(c.Wish, c.Owner); c.Given.Name && name != v.Name {
		f.Name = &name
	}
	if c.Given.Description && c.Description != v.Description {
		f.Description = new(c.Description)
	}
	if c.Given.Scopes && !slices.Equal(c.Scopes, v.Scopes) {
		f.Scopes = new(append([]string{}, c.Scopes...))
	}
	if c.Given.SourceIPs && !slices.Equal(c.SourceIPs, v.SourceIPs) {
		f.SourceIPs = new(append([]netip.Prefix{}, c.SourceIPs...))
	}
	if expires := c.expiry(v.CreatedAt); c.Given.Expiry && !expires.Equal(v.ExpiresAt) {
		f.ExpiresAt, f.NeverExpires = instant.Of(expires), expires.IsZero()
	}
	if now := clock(c.At, c.Now); c.EndOutgoing && v.OutgoingAt(now) {
		f.PreviousSecretUntil = instant.Of(now)
	}
	return f
}

// sameMembers reports whether an update changes nothing.
func sameMembers(a, b events.View) bool {
	return a.Name == b.Name && a.Description == b.Description && a.ExpiresAt.Equal(b.ExpiresAt) && a.OutgoingUntil.Equal(b.OutgoingUntil) &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.SourceIPs, b.SourceIPs)
}

// checkChange refuses a change beyond the powers of the maker or beyond the
// policy. The token must be within the bounds of the maker's token before the
// change and after it.
func (c Update) checkChange(before, after events.View) error {
	if err := c.By.checkToken(before); err != nil {
		return err
	}
	if err := c.By.checkBounds(after.Scopes, after.SourceIPs); err != nil {
		return err
	}
	if err := c.checkExpiry(before, after); err != nil {
		return err
	}
	wider := widens(before, after)
	if wider {
		if err := c.By.checkWiden(c.Owner); err != nil {
			return err
		}
	}
	if wider || c.enables(before) {
		if err := c.By.checkLife(after); err != nil {
			return err
		}
	}
	return CheckSize(after)
}

// checkExpiry refuses a new expiry. An expiry that does not change is accepted,
// even if the policy or the maker's token would not allow it now.
func (c Update) checkExpiry(before, after events.View) error {
	if after.ExpiresAt.Equal(before.ExpiresAt) {
		return nil
	}
	limits := lifetime{from: before.CreatedAt, now: c.At, maximum: c.Policy.Expiration, makers: c.By.latestExpiry(c.Owner)}
	return limits.check(after.ExpiresAt, c.expiryField())
}

// widens reports whether the token may do more after the change, from more
// addresses, or for a longer time. Name, description and whether the token is
// enabled do not matter.
func widens(before, after events.View) bool {
	return !scope.Within(after.Scopes, before.Scopes) || !rangesWithin(after.SourceIPs, before.SourceIPs) || outlives(after.ExpiresAt, before.ExpiresAt)
}

// Exceeds reports whether a session goes beyond a token: in its scopes, its source
// ranges, its end, or the end of what it makes.
func Exceeds(session, t events.View) bool {
	return widens(t, session) || outlives(session.MakesUntil, t.ExpiresAt)
}

// outlives reports whether an expiry is later than another one. Zero is never.
func outlives(expires, than time.Time) bool {
	return !than.IsZero() && (expires.IsZero() || expires.After(than))
}
