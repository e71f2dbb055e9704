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

const (
	lifetimeForms = "a whole number above zero and one unit, like 180D: " + units
	units         = "Y (365 days), M (30 days), w or W (weeks), d or D (days), h or H (hours), m (minutes), s or S (seconds)"
)

// ParseLifetime reads a lifetime in VAST's grammar: one ASCII whole number above
// zero and one unit. "M" is 30 days and "m" is one minute. The refusal is
// invalid_field on expires_in and quotes the beginning of the text.
//
// Source of the grammar: VAST's "apitoken create --expiry-date".
func ParseLifetime(text string) (time.Duration, error) {
	d, inRange, ok := parseDuration(text)
	switch {
	case !ok:
		return 0, invalid(fieldExpiresIn, "the lifetime %s is invalid; allowed: %s", secret.Quote(text), lifetimeForms)
	case !inRange:
		return 0, invalid(fieldExpiresIn, "the lifetime %s is too long; at most %dY is allowed", secret.Quote(text), math.MaxInt64/int64(365*day))
	case d == 0:
		return 0, invalid(fieldExpiresIn, "the lifetime %s is zero; allowed: %s", secret.Quote(text), lifetimeForms)
	}
	return d, nil
}

// ParseGrace reads how long an outgoing secret passes: a text as for ParseLifetime,
// or zero, with or without a unit. The refusal is invalid_field on grace and quotes
// the beginning of the text.
func ParseGrace(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	d, inRange, ok := parseDuration(text)
	if !ok || !inRange || d > MaxGrace {
		return 0, invalid(fieldGrace, "the grace %s is invalid; allowed: 0, or a whole number and one unit, at most %s, like 24H: %s", secret.Quote(text), FormatLifetime(MaxGrace), units)
	}
	return d, nil
}

// parseDuration reads one ASCII whole number and one unit. inRange is false if the
// duration is too long for a time.Duration.
func parseDuration(text string) (d time.Duration, inRange, ok bool) {
	number := strings.TrimRight(text, "YMwWdDhHmsS")
	unit := unitOf(text[len(number):])
	if unit == 0 || !digits(number) {
		return 0, false, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, false, true
	}
	return time.Duration(n) * unit, true, true
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

// FormatLifetime writes a duration of whole seconds in the form of ParseLifetime,
// in the largest of days, hours, minutes and seconds that is exact.
func FormatLifetime(d time.Duration) string {
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
