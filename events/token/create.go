package token

import (
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
)

// lastYear is the last one that RFC 3339 can write, in UTC.
const lastYear = 9999

const defaultNameEnd = "_api_token"

// checkFields refuses what is wrong whoever asks.
func (c Create) checkFields() error {
	if err := ValidOwner(c.Owner); err != nil {
		return err
	}
	if err := checkText(fieldName, c.Name, MaxName); err != nil {
		return err
	}
	if err := checkText(fieldDescription, c.Description, MaxDescription); err != nil {
		return err
	}
	if err := ValidScopes(c.Scopes); err != nil {
		return err
	}
	if err := validSourceIPs(c.SourceIPs); err != nil {
		return err
	}
	switch {
	case !c.ExpiresAt.IsZero() && c.ExpiresIn != 0:
		return invalid(fieldExpiresIn, "expiration_time and expires_in are both given; give one of them")
	case c.ExpiresIn < 0:
		return invalid(fieldExpiresIn, "the lifetime is negative")
	case c.ExpiresAt.UTC().Year() > lastYear:
		return invalid(fieldExpirationTime, "the expiration time lies beyond the year %d in UTC", lastYear)
	}
	return nil
}

// checkDelegation refuses a token that could do more than the one it is made
// with, or be used from more places.
func (c Create) checkDelegation() error {
	switch {
	case c.By.Operator:
		return nil
	case !Within(c.Scopes, c.By.Scopes):
		return refuse(CodeScopeExceeds, fieldScopes, "the token that you use is limited to scopes; a token made with it needs scopes, each within one of those")
	case !rangesWithin(c.SourceIPs, c.By.SourceIPs):
		return refuse(CodeSourceIPsExceed, fieldSourceIPs, "the token that you use is limited to source ranges; a token made with it needs ranges, each within one of those")
	}
	return nil
}

// expiry is when the token will end, zero for never. What was asked for is
// taken as it is or refused. Only the default is cut, to the maker's expiry.
func (c Create) expiry() (time.Time, error) {
	maximum, makers := c.maximum(), c.makersExpiry()
	expires := c.asked()
	if expires.IsZero() {
		expires = earlier(maximum, makers)
	}
	switch {
	case expires.IsZero():
		return time.Time{}, nil
	case !expires.After(c.At):
		return time.Time{}, refuse(CodeExpiryInPast, fieldExpirationTime, "the token would expire at %s, which is not in the future", expires.Format(time.RFC3339Nano))
	case !maximum.IsZero() && expires.After(maximum):
		return time.Time{}, refuse(CodeExpiryTooLate, c.expiryField(), "a token may live for %s at most, which is until %s",
			formatLifetime(c.Policy.Expiration), maximum.Format(time.RFC3339Nano))
	case !makers.IsZero() && expires.After(makers):
		return time.Time{}, refuse(CodeExpiryOutlives, c.expiryField(), "the token that you use expires at %s; one made with it may not live longer",
			makers.Format(time.RFC3339Nano))
	}
	return expires, nil
}

// asked is the expiry that the command names, zero if it names none.
func (c Create) asked() time.Time {
	if c.ExpiresIn != 0 {
		return utc(c.At.Add(c.ExpiresIn))
	}
	return utc(c.ExpiresAt)
}

// expiryField is the member of the request that gave the expiry.
func (c Create) expiryField() string {
	if c.ExpiresIn != 0 {
		return fieldExpiresIn
	}
	return fieldExpirationTime
}

// maximum is the latest expiry that the policy allows, and its default; zero
// if it sets none.
func (c Create) maximum() time.Time {
	if c.Policy.Expiration == 0 {
		return time.Time{}
	}
	return utc(c.At.Add(c.Policy.Expiration))
}

// makersExpiry is the latest expiry that the maker's own token allows, zero if
// it sets none: nobody prolongs an expiring token by making a child of it.
func (c Create) makersExpiry() time.Time {
	if c.By.Operator || c.By.MayCreate || c.By.Owner != c.Owner {
		return time.Time{}
	}
	return utc(c.By.ExpiresAt)
}

func (c Create) fact(expires time.Time) events.TokenCreated {
	return events.TokenCreated{
		TokenID: c.ID, Owner: c.Owner, Creator: c.By.Owner,
		Name: c.name(), Description: c.Description, ExpiresAt: expires,
		Scopes: append([]string(nil), c.Scopes...), SourceIPs: append([]netip.Prefix(nil), c.SourceIPs...),
		Verifier: events.Verifier{Kid: c.Verifier.Kid, MAC: slices.Clone(c.Verifier.MAC)},
	}
}

// name is the one given, or the default that VAST documents; an owner that is
// too long for it is cut.
func (c Create) name() string {
	if c.Name != "" {
		return c.Name
	}
	return cutAtRune(c.Owner, MaxName-len(defaultNameEnd)) + defaultNameEnd
}

// checkSize refuses a token whose texts each keep their cap and are too much together.
func checkSize(f events.TokenCreated, at time.Time) error {
	b, _ := encode(viewOf(f, 1, at)) // texts, numbers and times that RFC 3339 can write: all of it encodes
	if len(b) > MaxView {
		return refuse(CodeStateTooLarge, "", "the token's texts, scopes and source ranges take %d bytes together, %d are allowed", len(b), MaxView)
	}
	return nil
}
