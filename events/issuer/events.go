package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// EventsPage is a part of the events of all streams: as published, all events of one
// stream together, the oldest first. A page may have fewer events than the limit,
// or none, and More.
type EventsPage struct {
	Events  []events.Message
	Damaged []string     // the ids of records that are left out because they are damaged
	More    bool         // there may be more events
	Next    events.Place // the after of the next page, if More
}

// AllEvents returns the events of all streams after a place, those of the settings
// included; "" is the beginning. A limit below 1 means DefaultLimit; a limit above
// MaxLimit means MaxLimit. The promises of events.Streams hold for the pages. The
// caller must hold view.
//
// A record that cannot be decoded or lacks the MAC of this service is left out and
// named in Damaged, so it does not hide the events after it. Records past their
// retention are skipped. AllEvents reads no heads.
func (i *Issuer) AllEvents(ctx context.Context, by guard.Principal, after events.Place, limit int) (EventsPage, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return EventsPage{}, err
	}
	if !may(by, set, settings.ActionView) {
		return EventsPage{}, &events.Refusal{
			Code: token.CodePermissionDenied, Detail: `reading the events of all users needs the permission view on the realm "security"`,
		}
	}
	st, err := i.store.Walk(ctx, after, pageSize(limit))
	switch {
	case errors.Is(err, events.ErrPlace):
		return EventsPage{}, fmt.Errorf("reading the events of all users: %w", err)
	case err != nil:
		return EventsPage{}, fmt.Errorf("reading the events of all users: %w", busyUnlessDamaged(err))
	}
	return i.eventsOf(ctx, st), nil
}

// eventsOf checks the MAC of a record before its retention, because something else
// may have written the retention.
func (i *Issuer) eventsOf(ctx context.Context, st events.Stretch) EventsPage {
	p := EventsPage{Events: []events.Message{}, More: st.More, Next: st.Next}
	var first error
	leaveOut := func(id string, err error) {
		p.Damaged = append(p.Damaged, id)
		if first == nil {
			first = err
		}
	}
	for _, d := range st.Damaged {
		leaveOut(d.ID(), d)
	}
	now := i.now()
	for _, r := range st.Records {
		m := r.Message()
		if err := m.CheckMAC(i.keys); err != nil {
			leaveOut(m.ID, err)
		} else if !r.Gone(now) {
			p.Events = append(p.Events, m)
		}
	}
	if first != nil {
		i.log.LogAttrs(ctx, slog.LevelError, "damaged records were left out of the events of all users",
			slog.Int("records", len(p.Damaged)), slog.Any("error", first))
	}
	return p
}
