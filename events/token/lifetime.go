package token

import (
	"math"
	"strconv"
	"strings"
	"time"

	"apitoken/events/secret"
)

// day is 24 hours: lifetimes ignore the calendar and daylight saving.
const day = 24 * time.Hour

const lifetimeForms = "a whole number above zero and one unit, like 180D: " +
	"Y (365 days), M (30 days), w or W (weeks), d or D (days), h or H (hours), m (minutes), s or S (seconds)"

// ParseLifetime reads a lifetime in VAST's grammar: one ASCII whole number above
// zero and one unit. "M" is 30 days and "m" is one minute. The refusal is
// invalid_field on expires_in and quotes the beginning of the text.
//
// Source of the grammar: VAST's "apitoken create --expiry-date".
func ParseLifetime(text string) (time.Duration, error) {
	number := strings.TrimRight(text, "YMwWdDhHmsS")
	unit := unitOf(text[len(number):])
	if unit == 0 || !digits(number) {
		return 0, invalid(fieldExpiresIn, "the lifetime %s is invalid; allowed: %s", secret.Quote(text), lifetimeForms)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, invalid(fieldExpiresIn, "the lifetime %s is too long; at most %dY is allowed", secret.Quote(text), math.MaxInt64/int64(365*day))
	}
	if n == 0 {
		return 0, invalid(fieldExpiresIn, "the lifetime %s is zero; allowed: %s", secret.Quote(text), lifetimeForms)
	}
	return time.Duration(n) * unit, nil
}

// unitOf returns the length of a unit, zero for an unknown unit.
func unitOf(unit string) time.Duration {
	switch unit {
	case "Y":
		return 365 * day
	case "M":
		return 30 * day
	case "w", "W":
		return 7 * day
	case "d", "D":
		return day
	case "h", "H":
		return time.Hour
	case "m":
		return time.Minute
	case "s", "S":
		return time.Second
	}
	return 0
}

// formatLifetime writes a duration of whole seconds in the form of ParseLifetime,
// in the largest of days, hours, minutes and seconds that is exact.
func formatLifetime(d time.Duration) string {
	for _, unit := range []string{"D", "H", "m"} {
		if d%unitOf(unit) == 0 {
			return strconv.FormatInt(int64(d/unitOf(unit)), 10) + unit
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// digits reports whether the text has only ASCII digits, one or more. strconv
// alone would accept a sign.
func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
