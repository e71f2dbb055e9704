package issuer

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/name"
	"apitoken/events/token"
)

// scanPage is the minimum number of records to read at a time: the few records of
// one token may be far apart in its owner's stream.
const scanPage = 100

// maxScan is the number of records after which a call stops to read, with the page
// that it has: the records of a busy owner may be millions. Its last read may take
// more than maxScan.
const maxScan = 2000

// HistoryPage is a part of a history: events as published, the oldest first.
// Records past their retention are skipped, so the beginning of a history may be
// missing. A page may have fewer events than the limit, or none, and More.
type HistoryPage struct {
	Events []events.Message
	More   bool   // there are more events
	Next   uint64 // the after of the next page, if More
}

// TokenEvents returns the events of one token, live or ended, with a sequence
// greater than after. A limit below 1 means DefaultLimit; a limit above MaxLimit
// means MaxLimit. A missing token and another user's token that the caller may
// not view are not_found, as in Get.
func (i *Issuer) TokenEvents(ctx context.Context, by guard.Principal, id string, after uint64, limit int) (HistoryPage, error) {
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return HistoryPage{}, err
	}
	if t.First > 0 {
		after = max(after, t.First-1)
	}
	about := func(m events.Message) bool { return m.Subject == id }
	return i.history(ctx, t.Stream(), after, t.Seq, limit, about)
}

// UserEvents returns the events of all tokens of an owner; after and limit are
// those of TokenEvents. A caller who may not view other users' tokens gets the
// same refusal for every other owner, known or unknown.
func (i *Issuer) UserEvents(ctx context.Context, by guard.Principal, owner string, after uint64, limit int) (HistoryPage, error) {
	return i.eventsOfOwner(ctx, by, owner, events.UserStream(owner), after, limit)
}

// SessionEvents is UserEvents for the sessions of an owner.
func (i *Issuer) SessionEvents(ctx context.Context, by guard.Principal, owner string, after uint64, limit int) (HistoryPage, error) {
	return i.eventsOfOwner(ctx, by, owner, events.SessionStream(owner), after, limit)
}

func (i *Issuer) eventsOfOwner(ctx context.Context, by guard.Principal, owner string, s events.Stream, after uint64, limit int) (HistoryPage, error) {
	if err := name.ValidOwner(owner); err != nil {
		return HistoryPage{}, fmt.Errorf("reading the history of a user: %w", err)
	}
	set, err := i.settingsFor(ctx, by, owner)
	if err != nil {
		return HistoryPage{}, err
	}
	if !mayView(by, set, owner) {
		return HistoryPage{}, &events.Refusal{
			Code: token.CodePermissionDenied, Field: "user",
			Detail: `reading the history of another user needs the permission view on the realm "security"`,
		}
	}
	return i.history(ctx, s, after, math.MaxUint64, limit, func(events.Message) bool { return true })
}

// history reads the records after the sequence after, up to last and to the head,
// and returns those that accept selects. It looks for one record more than it
// returns, to know whether there are more, or stops after maxScan records. A record without the MAC of this
// service is a fault. history checks the MAC of a record before it skips the
// record, because something else may have written its retention or its subject.
func (i *Issuer) history(ctx context.Context, s events.Stream, after, last uint64, limit int, accept func(events.Message) bool) (HistoryPage, error) {
	head, err := readHead(ctx, i.store, i.keys, s)
	if err != nil {
		return HistoryPage{}, err
	}
	last = min(last, head.Version)
	limit, now := pageSize(limit), i.now()
	size := max(limit+1, scanPage)
	found := []events.Message{}
	more, scanned := true, 0
	for more && after < last && len(found) <= limit && scanned < maxScan {
		rs, err := i.store.History(ctx, s, after, size)
		if err != nil {
			return HistoryPage{}, fmt.Errorf("reading the history of stream %s: %w", s, busyUnlessDamaged(err))
		}
		for _, r := range rs {
			m := r.Message()
			if after = r.Seq; after > last {
				break
			}
			if err := m.CheckMAC(i.keys); err != nil {
				return HistoryPage{}, fmt.Errorf("reading the history of stream %s: %w", s, err)
			}
			if !r.Gone(now) && accept(m) {
				found = append(found, m)
			}
		}
		more, scanned = len(rs) == size, scanned+len(rs)
	}
	switch {
	case len(found) <= limit && more && after < last:
		return HistoryPage{Events: found, More: true, Next: after}, nil
	case len(found) <= limit:
		return HistoryPage{Events: found}, nil
	}
	return HistoryPage{Events: slices.Clip(found[:limit]), More: true, Next: found[limit-1].Seq}, nil
}
