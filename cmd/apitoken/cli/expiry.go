package cli

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"apitoken/events/instant"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

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

// expiryText is the message with the instant when a new token expires. The user
// can see in it that a lifetime was mistyped.
func expiryText(expires httpapi.Time) string {
	if expires.IsZero() {
		return "the token does not expire"
	}
	return "the token expires at " + formatTime(expires)
}

// confirm asks the user whether the unit M is right. M means months of 30 days,
// and is easily typed in place of m, minutes. It does not ask if standard input
// is not a terminal, or after --yes.
func (o *create) confirm(ctx context.Context, e *env) error {
	if o.yes || !strings.HasSuffix(o.expiry, "M") || !e.interactive() {
		return nil
	}
	life, err := token.ParseLifetime(o.expiry)
	if err != nil {
		return usagef("--expiry-date: %s", err)
	}
	at := httpapi.Time{Time: time.Now().Add(life).UTC().Truncate(time.Second)}
	e.messagef("%s means months of 30 days: the token would expire at %s. The unit of minutes is m. Continue? [y/N]", o.expiry, formatTime(at))
	answer, err := e.readTerminal(ctx, func() (string, error) { return bufio.NewReader(e.in).ReadString('\n') })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("no token was created")
	}
	return nil
}
