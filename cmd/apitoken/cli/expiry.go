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

// instant reads an RFC 3339 instant. One at the zero time of Go would mean
// "never" on the wire, so it is none.
func instant(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err == nil && !at.IsZero()
}

// lifetime says when a token expires, as an instant: so a lifetime that was
// mistyped is seen.
func lifetime(expires httpapi.Time) string {
	if expires.IsZero() {
		return "it does not expire"
	}
	return "it expires at " + stamp(expires)
}

// confirm asks about the unit M: it means months of 30 days, and is easily
// typed where minutes are meant.
func (o *create) confirm(ctx context.Context, e *env) error {
	if o.yes || !strings.HasSuffix(o.expiry, "M") || !e.interactive() {
		return nil
	}
	life, err := token.ParseLifetime(o.expiry)
	if err != nil {
		return usagef("--expiry-date: %s", err)
	}
	at := httpapi.Time{Time: time.Now().Add(life).UTC().Truncate(time.Second)}
	e.tell("%s means months of 30 days: the token would expire at %s. For minutes write m. Go on? [y/N]", o.expiry, stamp(at))
	answer, err := e.answer(ctx, func() (string, error) { return bufio.NewReader(e.in).ReadString('\n') })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("nothing was created")
	}
	return nil
}
