package token

import (
	"net/netip"
	"time"

	"apitoken/events/name"
)

// lastYear is the last year that RFC 3339 can write, in UTC.
const lastYear = 9999

// Wish has the members that a caller wants for a token. At most one of ExpiresAt
// and ExpiresIn is set.
type Wish struct {
	Name        string // empty: OWNER_api_token
	Description string // may be empty
	ExpiresAt   time.Time
	ExpiresIn   time.Duration
	Scopes      []string       // none: all calls that the owner may make
	SourceIPs   []netip.Prefix // canonical, as ParseSourceIPs returns them; none: all addresses
}

// check refuses fields that are wrong for every caller.
func (w Wish) check() error {
	if err := name.CheckText(fieldName, w.Name, MaxName); err != nil {
		return err
	}
	if err := name.CheckText(fieldDescription, w.Description, MaxDescription); err != nil {
		return err
	}
	if err := ValidScopes(w.Scopes); err != nil {
		return err
	}
	if err := validSourceIPs(w.SourceIPs); err != nil {
		return err
	}
	switch {
	case !w.ExpiresAt.IsZero() && w.ExpiresIn != 0:
		return invalid(fieldExpiresIn, "expires_in and expiration_time are both given; only one of them is allowed")
	case w.ExpiresIn < 0:
		return invalid(fieldExpiresIn, "the lifetime is negative; it must be above zero")
	case w.ExpiresAt.UTC().Year() > lastYear:
		return invalid(fieldExpirationTime, "the expiration time is after the year %d (UTC), the last year that is allowed", lastYear)
	}
	return nil
}

// expiry returns the wanted end of the token, zero if the caller wants none. A
// lifetime begins at the time start.
func (w Wish) expiry(start time.Time) time.Time {
	if w.ExpiresIn != 0 {
		return utc(start.Add(w.ExpiresIn))
	}
	return utc(w.ExpiresAt)
}

// expiryField is the member of the request that gave the expiry.
func (w Wish) expiryField() string {
	if w.ExpiresIn != 0 {
		return fieldExpiresIn
	}
	return fieldExpirationTime
}
