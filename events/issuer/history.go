package issuer

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// scanPage is how many records are read at least at a time: a token's few
// records may lie far apart in its owner's stream.
const scanPage = 100

// HistoryPage is a part of a history, oldest first, as it was published.
// Records past their retention are left out, so the beginning may be missing.
type HistoryPage struct {
	Events []events.Message
	More   bool   // there are more
	Next   uint64 // where to go on, if More
}

// TokenEvents is what happened to one token, whether or not it has ended: its
// events with a sequence above after, at most limit (none: DefaultLimit; cut to
// MaxLimit). Refused like Get.
func (i *Issuer) TokenEvents(ctx context.Context, by guard.Principal, id string, after uint64, limit int) (HistoryPage, error) {
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return HistoryPage{}, err
	}
	if t.First > 0 {
		after = max(after, t.First-1)
	}
	about := func(r events.Record) bool { return r.Subject() == id }
	return i.history(ctx, events.UserStream(t.Owner), after, t.Seq, limit, about)
}

// UserEvents is what happened to all tokens of an owner, as TokenEvents. To
// callers who may not view others, every other owner is refused, whether there
// is one or not.
func (i *Issuer) UserEvents(ctx context.Context, by guard.Principal, owner string, after uint64, limit int) (HistoryPage, error) {
	if err := token.ValidOwner(owner); err != nil {
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
	return i.history(ctx, events.UserStream(owner), after, math.MaxUint64, limit, func(events.Record) bool { return true })
}

// history reads a stream from after to last for the records that are wanted.
// It looks for one more than it returns, to know whether there are more.
func (i *Issuer) history(ctx context.Context, s events.Stream, after, last uint64, limit int, want func(events.Record) bool) (HistoryPage, error) {
	limit, now := pageSize(limit), i.now()
	size := max(limit+1, scanPage)
	found := []events.Message{}
	for more := true; more && after < last && len(found) <= limit; {
		rs, err := i.store.History(ctx, s, after, size)
		if err != nil {
			return HistoryPage{}, fmt.Errorf("reading the history of stream %s: %w: %w", s, ErrBusy, err)
		}
		for _, r := range rs {
			if r.Seq <= last && !r.Gone(now) && want(r) {
				found = append(found, r.Message())
			}
			after = r.Seq
		}
		more = len(rs) == size
	}
	if len(found) <= limit {
		return HistoryPage{Events: found}, nil
	}
	return HistoryPage{Events: slices.Clip(found[:limit]), More: true, Next: found[limit-1].Seq}, nil
}
