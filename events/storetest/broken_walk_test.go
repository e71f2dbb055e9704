package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"apitoken/events"
)

// brokenWalks has stores that break one promise of events.Streams each.
var brokenWalks = []breach{
	{"a walk skips a record between two stretches", "AWalkReturnsEachRecordOnce", "the records of a walk in stretches of", changeStretch(func(st events.Stretch) events.Stretch {
		if st.More && len(st.Records) > 1 {
			st.Records = st.Records[:len(st.Records)-1]
		}
		return st
	})},
	{"a walk returns the newest records first", "AWalkReturnsEachRecordOnce", "the records of a walk in stretches of", changeStretch(func(st events.Stretch) events.Stretch {
		if n := len(st.Records); n > 0 && st.Records[0].Stream == st.Records[n-1].Stream {
			slices.Reverse(st.Records)
		}
		return st
	})},
	{"a walk mixes streams", "AWalkReturnsEachRecordOnce", "comes after the records of another stream", changeStretch(func(st events.Stretch) events.Stretch {
		slices.SortStableFunc(st.Records, func(a, b events.Record) int { return int(a.Seq) - int(b.Seq) })
		return st
	})},
	{"a walk does not move", "AWalkReturnsEachRecordOnce", "where this one began", changeStretch(func(st events.Stretch) events.Stretch {
		st.Next = ""
		return st
	})},
	{"a walk begins again after a record that was removed", "AWalkGoesOnWhileStreamsChange", "does not follow the record before it", func(_ *testing.T, b *broken) {
		var last events.Stretch
		b.walk = func(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
			if n := len(last.Records); after != "" && n > 0 {
				rs, err := b.Store.History(ctx, last.Records[n-1].Stream, last.Records[n-1].Seq-1, 1)
				if err == nil && (len(rs) == 0 || rs[0].Seq != last.Records[n-1].Seq) {
					last = events.Stretch{}
					after = ""
				}
			}
			st, err := b.Store.Walk(ctx, after, limit)
			last = st
			return st, err
		}
	}},
	{"a walk ends at a damaged record", "AWalkReturnsARecordThatCannotBeDecodedAsDamaged", "the records beside one that cannot be decoded: got", changeStretch(func(st events.Stretch) events.Stretch {
		if len(st.Damaged) > 0 {
			return events.Stretch{}
		}
		return st
	})},
	{"a walk leaves out a damaged record", "AWalkReturnsARecordThatCannotBeDecodedAsDamaged", "the damaged records of a walk: got", changeStretch(func(st events.Stretch) events.Stretch {
		st.Damaged = nil
		return st
	})},
	{"a walk begins again at an unknown place", "APlaceOfAnotherStoreIsRefused", "Walk after", func(_ *testing.T, b *broken) {
		b.walk = func(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
			st, err := b.Store.Walk(ctx, after, limit)
			if errors.Is(err, events.ErrPlace) {
				return b.Store.Walk(ctx, "", limit)
			}
			return st, err
		}
	}},
}

func changeStretch(change func(events.Stretch) events.Stretch) func(*testing.T, *broken) {
	return func(_ *testing.T, b *broken) {
		b.walk = func(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
			st, err := b.Store.Walk(ctx, after, limit)
			return change(st), err
		}
	}
}
