package token

import (
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/name"
)

const defaultNameEnd = "_api_token"

// check refuses a creation that no state of the owner's tokens allows.
func (c Create) check() error {
	if err := c.checkFields(); err != nil {
		return err
	}
	if err := c.By.checkHandOut(c.Owner); err != nil {
		return err
	}
	return c.By.checkBounds(c.Scopes, c.SourceIPs)
}

// checkFields refuses fields that are wrong for every maker.
func (c Create) checkFields() error {
	if err := name.ValidOwner(c.Owner); err != nil {
		return err
	}
	return c.Wish.check()
}

// expires returns the time when the token will end, zero for never. A wanted
// expiry is accepted unchanged or refused. Only the default is shortened, to the
// expiry of the maker's token.
func (c Create) expires() (time.Time, error) {
	maximum, makers := c.maximum(), c.By.latestExpiry(c.Owner)
	expires := c.Wish.expiry(c.At)
	if expires.IsZero() {
		expires = earlier(maximum, makers)
	}
	switch {
	case expires.IsZero():
		return time.Time{}, nil
	case !expires.After(c.At):
		return time.Time{}, refuse(CodeExpiryInPast, fieldExpirationTime, "the token would expire at %s, which is not in the future; the expiration time must be after %s",
			expires.Format(time.RFC3339Nano), c.At.Format(time.RFC3339Nano))
	case !maximum.IsZero() && expires.After(maximum):
		return time.Time{}, refuse(CodeExpiryTooLate, c.expiryField(), "the token would expire at %s, which is too late; the maximum lifetime is %s, until %s",
			expires.Format(time.RFC3339Nano), formatLifetime(c.Policy.Expiration), maximum.Format(time.RFC3339Nano))
	case !makers.IsZero() && expires.After(makers):
		return time.Time{}, refuse(CodeExpiryOutlives, c.expiryField(), "the token would expire at %s, which is too late; it must not be after %s, when the token that you use expires",
			expires.Format(time.RFC3339Nano), makers.Format(time.RFC3339Nano))
	}
	return expires, nil
}

// maximum is the latest expiry that the policy allows, which is also the default
// expiry. It is zero if the policy has no limit.
func (c Create) maximum() time.Time {
	if c.Policy.Expiration == 0 {
		return time.Time{}
	}
	return utc(c.At.Add(c.Policy.Expiration))
}

func (c Create) fact(expires time.Time) events.TokenCreated {
	return events.TokenCreated{
		TokenID: c.ID, Owner: c.Owner, Creator: c.By.Owner,
		Name: c.name(), Description: c.Description, ExpiresAt: expires,
		Scopes: append([]string(nil), c.Scopes...), SourceIPs: append([]netip.Prefix(nil), c.SourceIPs...),
		Verifier: events.Verifier{Kid: c.Verifier.Kid, MAC: slices.Clone(c.Verifier.MAC)},
	}
}

// name returns the wanted name, or else the default name that VAST documents. The
// default has only the beginning of an owner key that is too long for it.
func (c Create) name() string {
	if c.Name != "" {
		return c.Name
	}
	return cutAtRune(c.Owner, MaxName-len(defaultNameEnd)) + defaultNameEnd
}

// checkSize refuses a token that has a view above MaxView, although each of its
// members is within its own limit.
func checkSize(f events.TokenCreated, at time.Time) error {
	b, _ := encode(viewOf(f, 1, at)) // no error: texts, numbers, and times that RFC 3339 can write
	if len(b) > MaxView {
		return refuse(CodeStateTooLarge, "", "the token's texts, scopes and source ranges have %d bytes together; at most %d are allowed", len(b), MaxView)
	}
	return nil
}
