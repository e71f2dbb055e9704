package token

import (
	"time"

	"apitoken/events/instant"
)

// lifetime has the limits of a token's expiry.
type lifetime struct {
	from    time.Time     // the creation of the token
	now     time.Time     // the time of the command
	maximum time.Duration // of the policy; zero: none
	makers  time.Time     // the latest expiry that the maker's token allows; zero: any
}

// latest is the latest expiry that the policy allows, zero if it has no limit.
func (l lifetime) latest() time.Time {
	if l.maximum == 0 {
		return time.Time{}
	}
	return instant.Cut(l.from.Add(l.maximum))
}

// check refuses an expiry beyond the limits. Zero is never. field is the member
// of the request that gave the expiry.
func (l lifetime) check(expires time.Time, field string) error {
	latest := l.latest()
	switch {
	case !expires.IsZero() && !expires.After(l.now):
		return refuse(CodeExpiryInPast, field, "the token would expire at %s, which is not in the future; the expiration time must be after %s",
			instant.Format(expires), instant.Format(l.now))
	case outlives(expires, latest):
		return refuse(CodeExpiryTooLate, field, "the token would %s, which is too late; the maximum lifetime is %s, until %s",
			whenExpires(expires), FormatLifetime(l.maximum), instant.Format(latest))
	case outlives(expires, l.makers):
		return refuse(CodeExpiryOutlives, field, "the token would %s, which is too late; it must not be after %s, when the token that you use expires",
			whenExpires(expires), instant.Format(l.makers))
	}
	return nil
}

func whenExpires(expires time.Time) string {
	if expires.IsZero() {
		return "never expire"
	}
	return "expire at " + instant.Format(expires)
}

// ParseExpirationTime reads the time when a token shall expire, for
// Wish.ExpiresAt. The refusal names what is wrong with the text and does not quote
// it. In a Wish the zero time means "never". So the zero time and all times before
// it are refused here, like every other past time.
func ParseExpirationTime(text string) (time.Time, error) {
	at, err := instant.Parse(text)
	if err != nil {
		return time.Time{}, invalid(fieldExpirationTime, "the value of expiration_time is invalid: %s; allowed: RFC 3339, like 2030-01-20T00:00:00Z", err)
	}
	if first := (time.Time{}); !at.After(first) {
		return time.Time{}, refuse(CodeExpiryInPast, fieldExpirationTime, "the expiration time is not after %s and so not in the future", instant.Format(first))
	}
	return at, nil
}
