package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"apitoken/events"
)

// brokenOutbox has stores that break one promise of events.Outbox each.
var brokenOutbox = []breach{
	{"the outbox reverses each stream", "TheOutboxKeepsEachStreamsOrder", "one stream's messages: still", func(_ *testing.T, b *broken) {
		b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
			ms, err := b.Store.Pending(ctx, olderThan, limit)
			slices.Reverse(ms)
			return ms, err
		}
	}},
	{"the outbox returns messages that are not older", "TheOutboxReturnsOlderMessagesOnly", "the messages older than the first: got", func(_ *testing.T, b *broken) {
		b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
			return b.Store.Pending(ctx, olderThan.Add(time.Microsecond), limit)
		}
	}},
	{"the outbox stops at a damaged message", "AMessageThatCannotBeReadDelaysOnlyItsStream", "the messages before the one", func(_ *testing.T, b *broken) {
		b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
			ms, err := b.Store.Pending(ctx, olderThan, limit)
			if err != nil {
				return nil, err
			}
			return ms, nil
		}
	}},
	{"the outbox goes on after a damaged message", "AMessageThatCannotBeReadDelaysOnlyItsStream", "the messages before the one", func(_ *testing.T, b *broken) {
		var before []events.Message
		b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
			ms, err := b.Store.Pending(ctx, olderThan, limit)
			if err != nil {
				return before, err
			}
			before = append(before, ms...)
			return ms, nil
		}
	}},
	{"a notice is put twice", "ANoticeIsPutOnce", "the notice: still", func(_ *testing.T, b *broken) {
		var all []events.Message
		b.notify = func(_ context.Context, m events.Message) error { all = append(all, m); return nil }
		b.pending = func(context.Context, time.Time, int) ([]events.Message, error) { return all, nil }
	}},
	{"a second notice is an error", "ANoticeIsPutOnceByRacingWriters", "Notify beside others with the same notice: ", func(_ *testing.T, b *broken) {
		var once sync.Once
		b.notify = func(ctx context.Context, m events.Message) error {
			err := events.ErrConflict
			once.Do(func() { err = b.Store.Notify(ctx, m) })
			return err
		}
	}},
}
