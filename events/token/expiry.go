package token

import (
	"time"

	"apitoken/events/instant"
)

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
