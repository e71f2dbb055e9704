package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
)

// warnAll warns about the tokens that expire before the earliest warning. It looks at no
// session: a session lives for hours.
func (r *run) warnAll(ctx context.Context) error {
	earliest := 0
	for _, d := range r.days {
		earliest = max(earliest, d)
	}
	if earliest == 0 {
		return nil
	}
	from := r.now.Add(time.Microsecond) // a token that expires now is no longer warned about
	return r.Store.Expiring(ctx, "", from, from.Add(before(earliest)), func(page []events.Expiring) error {
		var due []events.Expiring
		for _, e := range page {
			if d := nearest(r.days, e.ExpiresAt, r.now); d > 0 && (e.Warned == 0 || e.Warned > d) {
				due = append(due, e)
			}
		}
		return r.each(ctx, due, r.warn)
	})
}

// before is the time from a warning to the expiry.
func before(days int) time.Duration { return time.Duration(days) * 24 * time.Hour }

// nearest returns the number of days of the last warning whose time has come, and 0
// if none has.
func nearest(days []int, expires, now time.Time) (d int) {
	for _, n := range days {
		if !now.Before(expires.Add(-before(n))) && (d == 0 || n < d) {
			d = n
		}
	}
	return d
}

// warn warns about the token of an entry, from its sealed view. A disabled token and
// one of a suspended owner are warned about: both may work again. A warning whose time
// was not after the creation is not sent: the creator has just chosen the expiry. All
// that was handled is noted, so that the next run need not read the view.
func (r *run) warn(ctx context.Context, e events.Expiring) error {
	v, err := r.viewOf(ctx, e.TokenID)
	if err != nil || !v.LiveAt(r.now) || !v.ExpiresAt.Equal(e.ExpiresAt) {
		return err // an entry without an agreeing view is old
	}
	d := nearest(r.days, v.ExpiresAt, r.now)
	if v.ExpiresAt.Add(-before(d)).After(v.CreatedAt) {
		if err := r.notify(ctx, v, d); err != nil {
			return err
		}
		r.count(func(c *Result) { c.Warned++ })
	}
	return r.Store.NoteWarning(ctx, v.ID, v.Seq, d)
}

// viewOf returns the view of a token. Without a view it returns an ended one.
func (r *run) viewOf(ctx context.Context, id string) (events.View, error) {
	v, _, err := r.Store.Token(ctx, id)
	if errors.Is(err, events.ErrNotFound) {
		return events.View{Ended: events.EndedRevoked}, nil
	}
	if err == nil {
		err = v.Check(r.Keys)
	}
	if err != nil {
		return events.View{}, fmt.Errorf("reading the token: %w", err)
	}
	return v, nil
}

func (r *run) notify(ctx context.Context, v events.View, days int) error {
	m, err := events.NewNotice(events.Expires(v, days), r.now)
	if err != nil {
		return err
	}
	return r.Store.Notify(ctx, m)
}
