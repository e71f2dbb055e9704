package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"apitoken/events"
)

// brokenRepairs has stores that break one promise of events.Repairs each.
var brokenRepairs = []breach{
	{"a removal ignores the head", "ANewerRecordIsRemovedOnlyIfNothingChanged", "Remove at another version: got <nil>", func(_ *testing.T, b *broken) {
		b.remove = func(ctx context.Context, s events.Stream, _ uint64, n events.Newer) error {
			h, err := b.Store.Head(ctx, s)
			if err != nil {
				return err
			}
			return b.Store.(events.Repairs).Remove(ctx, s, h.Version, n)
		}
	}},
	{"a removal ignores a change", "ANewerRecordIsRemovedOnlyIfNothingChanged", "Remove of a record that has changed: got <nil>", func(_ *testing.T, b *broken) {
		b.remove = func(ctx context.Context, s events.Stream, base uint64, n events.Newer) error {
			repairs := b.Store.(events.Repairs)
			now, err := repairs.Newer(ctx, s, n.Seq-1, 1)
			if err != nil || len(now) == 0 {
				return errors.Join(err, events.ErrConflict)
			}
			return repairs.Remove(ctx, s, base, now[0])
		}
	}},
	{"newer records that cannot be decoded are left out", "AnUndecodableNewerRecordIsReturned", "Newer with an empty item at 7: got []", func(_ *testing.T, b *broken) {
		b.newer = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Newer, error) {
			ns, err := b.Store.(events.Repairs).Newer(ctx, s, after, limit)
			return slices.DeleteFunc(ns, func(n events.Newer) bool { return n.Record.Type == "" }), err
		}
	}},
	{"an advance writes nothing", "AHeadAdvancesOnlyFromItsBase", "Advance after the head has moved: got <nil>", func(_ *testing.T, b *broken) {
		b.advance = func(context.Context, events.Advance) error { return nil }
	}},
	{"an advance ignores its base", "AHeadAdvancesOnlyFromItsBase", "the view after a refused Advance: got", func(t *testing.T, b *broken) {
		b.advance = func(ctx context.Context, a events.Advance) error {
			err := b.Store.(events.Repairs).Advance(ctx, a)
			if errors.Is(err, events.ErrConflict) {
				b.SetHeadVersion(t, a.Stream(), a.Base())
				err = b.Store.(events.Repairs).Advance(ctx, a)
			}
			return err
		}
	}},
}
