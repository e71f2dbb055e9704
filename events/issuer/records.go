package issuer

import (
	"context"
	"fmt"
	"sort"
	"time"

	"apitoken/events"
)

// readPage is the maximum number of records that a recordReader has in memory.
const readPage = 500

// recordReader reads the records of one stream that are not past their retention at
// the time now. A record without the MAC of this service is a fault, also if the
// record says that it is past its retention.
type recordReader struct {
	log    events.Log
	keys   events.Keys
	stream events.Stream
	now    time.Time
}

// each calls f for the records after a sequence up to last, until f returns false.
// Each record continues the one before. Only the beginning may be missing; a gap
// later is a fault.
func (r recordReader) each(ctx context.Context, after, last uint64, f func(events.Record) (more bool, err error)) error {
	var before events.Record
	for after < last {
		rs, err := r.read(ctx, after, min(readPage, int(last-after)))
		if err != nil {
			return err
		}
		for _, rec := range rs {
			if after = rec.Seq; after > last {
				break
			}
			if rec.Gone(r.now) {
				continue
			}
			if before.Seq > 0 && (rec.Seq != before.Seq+1 || rec.Prev != before.Hash) {
				return fmt.Errorf("record %s: %w: it does not continue from record %d", rec.ID(), events.ErrDamaged, before.Seq)
			}
			before = rec
			if more, err := f(rec); err != nil || !more {
				return err
			}
		}
		if len(rs) == 0 {
			break
		}
	}
	if before.Seq > 0 && before.Seq < last {
		return fmt.Errorf("stream %s: %w: it has no record %d", r.stream, events.ErrDamaged, before.Seq+1)
	}
	return nil
}

// oldest returns the time of the first record after a sequence and up to the head,
// or the time of the head if there is none. It reads a few records of many: if a
// record is kept, all later records are.
func (r recordReader) oldest(ctx context.Context, after uint64, head events.Head) (time.Time, error) {
	at := head.At
	var failed error
	sort.Search(int(head.Version-after), func(n int) bool {
		if failed != nil {
			return true
		}
		rs, err := r.read(ctx, after+uint64(n), 1)
		if failed = err; err != nil || len(rs) == 0 || rs[0].Seq > head.Version || rs[0].Gone(r.now) {
			return false
		}
		at = rs[0].At
		return true
	})
	return at, failed
}

// read reads records and checks their MACs.
func (r recordReader) read(ctx context.Context, after uint64, limit int) ([]events.Record, error) {
	rs, err := r.log.History(ctx, r.stream, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the history of stream %s: %w", r.stream, busyUnlessDamaged(err))
	}
	for _, rec := range rs {
		if err := rec.Message().CheckMAC(r.keys); err != nil {
			return nil, fmt.Errorf("reading the history of stream %s: %w", r.stream, err)
		}
	}
	return rs, nil
}
