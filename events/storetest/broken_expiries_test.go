package storetest

import (
	"context"
	"testing"
	"time"

	"apitoken/events"
)

// brokenExpiries has stores that break one promise of events.Expiries each.
var brokenExpiries = []breach{
	{"the last instant of a period is left out", "ExpiringTokensAreFoundByTheirExpiry", "the tokens of an hour: got", func(_ *testing.T, b *broken) {
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			return b.Store.Expiring(ctx, kind, from, to.Add(-time.Microsecond), f)
		}
	}},
	{"the first instant after a period is returned", "ExpiringTokensAreFoundByTheirExpiry", "the tokens of an hour: got", func(_ *testing.T, b *broken) {
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			return b.Store.Expiring(ctx, kind, from, to.Add(time.Microsecond), f)
		}
	}},
	{"the error of a page is ignored", "ExpiringTokensAreFoundByTheirExpiry", "Expiring after an error of its function", func(_ *testing.T, b *broken) {
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			return b.Store.Expiring(ctx, kind, from, to, func(es []events.Expiring) error { f(es); return nil })
		}
	}},
	{"an earlier expiry stays in the index", "ExpiriesFollowEveryChangeOfAToken", "after a change to a later expiry: still", keepExpiries},
	{"only the first page comes", "ExpiringTokensComeInPages", "the number of tokens that expire: still", func(_ *testing.T, b *broken) {
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			once := false
			return b.Store.Expiring(ctx, kind, from, to, func(es []events.Expiring) error {
				if once {
					return nil
				}
				once = true
				return f(es)
			})
		}
	}},
	{"a page has no bound", "ExpiringTokensComeInPages", "a page has", func(_ *testing.T, b *broken) {
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			var all []events.Expiring
			if err := b.Store.Expiring(ctx, kind, from, to, func(es []events.Expiring) error { all = append(all, es...); return nil }); err != nil {
				return err
			}
			return f(all)
		}
	}},
	{"a note ignores the sequence", "ANoteOfAWarningLastsUntilTheNextChange", "the notes of other sequences: still", func(_ *testing.T, b *broken) {
		b.note = func(ctx context.Context, id string, _ uint64, days int) error {
			v, _, err := b.Store.Token(ctx, id)
			if err != nil {
				return nil
			}
			return b.Store.NoteWarning(ctx, id, v.Seq, days)
		}
	}},
	{"a note is dropped", "ANoteOfAWarningLastsUntilTheNextChange", "the note: still", func(_ *testing.T, b *broken) {
		b.note = func(context.Context, string, uint64, int) error { return nil }
	}},
	{"a note outlives a change", "ANoteOfAWarningLastsUntilTheNextChange", "the note after a change: still", func(_ *testing.T, b *broken) {
		notes := map[string]int{}
		b.note = func(ctx context.Context, id string, seq uint64, days int) error {
			if v, _, err := b.Store.Token(ctx, id); err == nil && v.Seq == seq {
				notes[id] = days
			}
			return b.Store.NoteWarning(ctx, id, seq, days)
		}
		b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			return b.Store.Expiring(ctx, kind, from, to, func(es []events.Expiring) error {
				for i := range es {
					es[i].Warned = notes[es[i].TokenID]
				}
				return f(es)
			})
		}
	}},
}

// keepExpiries returns each expiry that a token ever had.
func keepExpiries(_ *testing.T, b *broken) {
	seen := map[events.Expiring]bool{}
	b.expiring = func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
		var all []events.Expiring
		err := b.Store.Expiring(ctx, kind, from, to, func(es []events.Expiring) error {
			for _, e := range es {
				seen[e] = true
			}
			return nil
		})
		for e := range seen {
			all = append(all, e)
		}
		if err != nil || len(all) == 0 {
			return err
		}
		return f(all)
	}
}
