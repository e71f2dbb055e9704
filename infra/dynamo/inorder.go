package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"
)

// InOrder is a store for a relay that sends directly after a commit. The index of unsent
// messages may have a record before it has the record before that one. Pending then
// keeps the later one back until its predecessor was sent, for a minute at most: an
// entry that another program has removed from the index must not stop a stream.
type InOrder struct {
	*Store
	Now func() time.Time // default time.Now
}

var _ events.Outbox = InOrder{}

// keptBack is the age at which a record is no longer kept back. An index lags much less.
const keptBack = time.Minute

// Pending is Store.Pending with one more consistent read, of the predecessors that are
// not in its result.
func (s InOrder) Pending(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
	ms, damaged := s.Store.Pending(ctx, olderThan, limit)
	if len(ms) == 0 {
		return ms, damaged
	}
	waiting, err := s.waiting(ctx, ms)
	if err != nil {
		return nil, fmt.Errorf("reading the messages before the unsent ones: %w", err)
	}
	held := map[events.Stream]bool{}
	return slices.DeleteFunc(ms, func(m events.Message) bool {
		held[m.Stream] = m.Stream != "" && (held[m.Stream] || waiting[m.ID])
		return held[m.Stream]
	}), damaged
}

// waiting returns the ids of the messages with a predecessor that is not sent and not
// among the messages.
func (s InOrder) waiting(ctx context.Context, ms []events.Message) (map[string]bool, error) {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	last := map[events.Stream]uint64{} // the sequence of the message before
	after := map[string]string{}       // the message after a predecessor, by the predecessor's name
	var keys []item.Item
	for _, m := range ms {
		if m.Stream != "" && m.Seq > 1 && last[m.Stream] != m.Seq-1 && now().Sub(m.Time) < keptBack {
			key, err := item.RecordKey(m.Stream, m.Seq-1)
			if err != nil {
				return nil, err
			}
			keys, after[item.Name(key)] = append(keys, key), m.ID
		}
		last[m.Stream] = m.Seq
	}
	its, err := s.batchGet(ctx, keys, true)
	waiting := map[string]bool{}
	for _, it := range its {
		if item.Unsent(it) {
			waiting[after[item.Name(it)]] = true
		}
	}
	return waiting, err
}
