package cli

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// instant reads an instant of RFC 3339. It refuses Go's zero time, which means
// "never" in a request.
func instant(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err == nil && !at.IsZero()
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
