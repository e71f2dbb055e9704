package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/instant"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// expiryForms are the forms of --expiry-date, for help texts.
const expiryForms = "when the token expires: a number and a unit, Y, M (30 days), W, D, H, m (minutes) or S; a day like 2027-01-31, to its end in UTC; or an instant like 2027-01-31T12:00:00Z"

// isInstant reports whether a text is meant as an instant and not as a lifetime: a
// lifetime has neither a colon nor two hyphens.
func isInstant(text string) bool { return strings.Contains(text, ":") || strings.Count(text, "-") > 1 }

// expiryInstant reads an instant of RFC 3339. Its error for a text of another form
// does not name a member of the request, because the user gave a flag.
func expiryInstant(text string) (time.Time, error) {
	if _, err := instant.Parse(text); err != nil {
		return time.Time{}, err
	}
	return token.ParseExpirationTime(text)
}

// isDay reports whether a text has the form of a day, like 2027-01-31.
func isDay(text string) bool { return day.MatchString(text) }

var day = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// formsUnless returns the allowed forms, for the end of an error. A text of the right
// form needs them not: its error is about a value, like day 30 of February.
func formsUnless(text, forms string) string {
	if wellFormed.MatchString(text) {
		return ""
	}
	return "; allowed: " + forms
}

var wellFormed = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$`)

// endOfDay is the last second of a day in UTC, so that the expiry is shown with the
// day that the user gave.
const endOfDay = "T23:59:59Z"

// expiryText is the message with the instant when a new token expires. The user
// can see in it that a lifetime was mistyped, and how a day was read. given is the
// value of --expiry-date.
func expiryText(expires httpapi.Time, given string) string {
	switch {
	case expires.IsZero():
		return "the token does not expire"
	case isDay(given):
		return "the token expires at the end of that day in UTC, at " + console.FormatTime(expires.Time)
	}
	return "the token expires at " + console.FormatTime(expires.Time)
}

// expiryDate reads the value of --expiry-date: an instant, a day or a lifetime.
func expiryDate(text string) (at httpapi.Time, lifetime string, err error) {
	if isDay(text) {
		text += endOfDay
	}
	if isInstant(text) {
		if at.Time, err = expiryInstant(text); err != nil {
			return at, "", console.Usagef("--expiry-date: %s%s", err, formsUnless(text, "a day like 2027-01-31, an instant like 2027-01-31T12:00:00Z, or a lifetime like 30D"))
		}
		return at, "", nil
	}
	if _, err := token.ParseLifetime(text); err != nil {
		return at, "", console.Usagef("--expiry-date: %s; a day like 2027-01-31 and an instant like 2027-01-31T12:00:00Z are also allowed", err)
	}
	return at, text, nil
}

// confirm asks the user whether the unit M is right, for a token that is created
// now.
func (o *create) confirm(ctx context.Context, e *console.Env) error {
	if !asksAboutMonths(e, o.expiry, o.yes) {
		return nil
	}
	return confirmMonths(ctx, e, o.expiry, time.Now(), "no token was created")
}

// asksAboutMonths reports whether a command asks the user about the unit M. M means
// months of 30 days, and is easily typed in place of m, minutes. A command does not
// ask if standard input is not a terminal, or after --yes.
func asksAboutMonths(e *console.Env, expiry string, yes bool) bool {
	return !yes && strings.HasSuffix(expiry, "M") && e.Interactive()
}

// confirmMonths asks the user whether a lifetime from this time in months is right.
// refused is the error after another answer than y.
func confirmMonths(ctx context.Context, e *console.Env, expiry string, from time.Time, refused string) error {
	life, err := token.ParseLifetime(expiry)
	if err != nil {
		return console.Usagef("--expiry-date: %s", err)
	}
	at := httpapi.Time{Time: from.Add(life).UTC().Truncate(time.Second)}
	yes, err := e.Confirm(ctx, fmt.Sprintf("%s means months of 30 days: the token would expire at %s. The unit of minutes is m. Continue?", expiry, console.FormatTime(at.Time)))
	if err == nil && !yes {
		err = errors.New(refused)
	}
	return err
}
