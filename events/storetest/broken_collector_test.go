package storetest

import (
	"context"
	"testing"
	"time"

	"apitoken/events"
)

// late gives the collector a wrong clock. A clock that is late by less than zero removes
// too little.
func late(by time.Duration) func(*testing.T, *broken) {
	return func(_ *testing.T, b *broken) {
		right := b.collect
		b.collect = func(ctx context.Context, now time.Time) (events.Collected, error) { return right(ctx, now.Add(by)) }
	}
}

// alsoRemoving removes an item after each collection.
func alsoRemoving(key func(*broken, events.Commit) string) func(*testing.T, *broken) {
	return func(t *testing.T, b *broken) {
		var last events.Commit
		commit, collect := b.commit, b.collect
		b.commit = func(ctx context.Context, c events.Commit) error {
			last = c
			return commit(ctx, c)
		}
		b.collect = func(ctx context.Context, now time.Time) (events.Collected, error) {
			done, err := collect(ctx, now)
			b.PutItem(t, key(b, last), nil)
			return done, err
		}
	}
}

// brokenCollector has stores that break one promise of events.Store about its
// retention each.
var brokenCollector = []breach{
	{"a record is removed too early", "ALogLosesOnlyItsBeginningAndNoHead", "the records that are not past their retention: got", late(2 * time.Hour)},
	{"a record is removed too late", "ALogLosesOnlyItsBeginningAndNoHead", "the records that are not past their retention: got", late(-3 * time.Hour)},
	{"a record after one that stays is removed", "ALogLosesOnlyItsBeginningAndNoHead", "the records that are not past their retention: got",
		alsoRemoving(func(b *broken, c events.Commit) string { return b.RecordKey(c.Stream(), c.Head().Version) })},
	{"a head is removed", "ALogLosesOnlyItsBeginningAndNoHead", "has records and no head",
		alsoRemoving(func(b *broken, c events.Commit) string { return b.HeadKey(c.Stream()) })},
	{"a view is removed too early", "OnlyViewsPastTheirRetentionAreRemoved", "not found", late(2 * time.Hour)},
	{"a view is removed too late", "OnlyViewsPastTheirRetentionAreRemoved", "the view of an ended token past its retention: got", late(-time.Hour)},
	{"a reply is removed too early", "OnlyRepliesThatAreNoLongerValidAreRemoved", "a valid reply: got", late(time.Hour)},
	{"a reply is removed too late", "OnlyRepliesThatAreNoLongerValidAreRemoved", "a reply that is no longer valid: got", late(-time.Hour)},
	{"a notice is removed too early", "OnlyNoticesThatMayBePutAgainAreRemoved", "the notices that can be put again: still", late(48 * time.Hour)},
	{"a notice is removed too late", "OnlyNoticesThatMayBePutAgainAreRemoved", "the notices that can be put again: still", late(-48 * time.Hour)},
}
