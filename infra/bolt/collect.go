package bolt

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

var _ events.Collector = (*Store)(nil)

// A collection takes turns with the writers of the service: it looks at few entries
// in one read transaction, and removes few items in one write transaction.
const (
	maxLook   = 1000
	maxRemove = 100

	// restFactor is how much longer a collection pauses than its last step worked. So
	// it takes a fifth of a core at most. A step that waits for other writes does not
	// work: otherwise a busy service would collect less than it writes. A step takes a
	// few milliseconds. On a machine with too much to do it takes far longer, but only
	// because it waits for a processor. So a pause is at most maxRest.
	restFactor = 4
	maxRest    = 100 * time.Millisecond
)

// Collect implements events.Collector. It also removes nothing whose message is in
// the outbox, no record that is newer than its head, and nothing that cannot be
// decoded.
func (s *Store) Collect(ctx context.Context, now time.Time) (done events.Collected, err error) {
	var sessions int
	defer func() { done.Views += sessions }()
	for _, kind := range []struct {
		name    string
		find    finder
		removed *int
	}{
		{"records", goneRecords, &done.Records},
		{"views", goneViews(""), &done.Views},
		{"sessions", goneViews(events.KindSession), &sessions},
		{"replies", goneReplies, &done.Replies},
		{"notices", goneNotices, &done.Notices},
	} {
		if *kind.removed, err = s.collect(ctx, kind.find, now); err != nil {
			return done, fmt.Errorf("removing %s past their retention: %w", kind.name, err)
		}
	}
	return done, nil
}

// finder looks at the entries of one bucket from a key on. It stops after maxLook
// entries or maxRemove removals.
type finder func(tx *bbolt.Tx, from []byte, now time.Time) part

// part is what a finder has found.
type part struct {
	removals [][]item // each with the entries to delete; their values are not set
	first    []byte   // the key at which the first removal was found
	next     []byte   // where the following part begins; nil: there is none
}

// collect removes what the finder finds in the whole bucket.
func (s *Store) collect(ctx context.Context, find finder, now time.Time) (removed int, err error) {
	for from := []byte{}; from != nil; {
		began := time.Now()
		var p part
		err := s.read(ctx, func(tx *bbolt.Tx) error {
			p = find(tx, from, now)
			return nil
		})
		worked := time.Since(began)
		if err == nil && len(p.removals) > 0 {
			var more time.Duration
			p, more, err = s.remove(ctx, find, p.first, now)
			removed, worked = removed+len(p.removals), worked+more
		}
		if err == nil {
			err = rest(ctx, min(restFactor*worked, maxRest))
		}
		if err != nil {
			return removed, err
		}
		from = p.next
	}
	return removed, nil
}

// remove finds the removals again and deletes them, because a write may have come
// between. worked is how long that took in the goroutine that writes. If it fails,
// nothing counts as removed.
func (s *Store) remove(ctx context.Context, find finder, from []byte, now time.Time) (p part, worked time.Duration, err error) {
	var began time.Time
	err = s.do(&job{
		ctx: ctx,
		admit: func(tx *bbolt.Tx) error {
			began = time.Now()
			if p = find(tx, from, now); len(p.removals) == 0 {
				return errNothing
			}
			return nil
		},
		apply: func(tx *bbolt.Tx) error {
			err := deleteAll(tx, p.removals)
			worked = time.Since(began)
			return err
		},
	})
	if err != nil {
		return part{}, 0, err
	}
	return p, worked, nil
}

func deleteAll(tx *bbolt.Tx, removals [][]item) error {
	for _, r := range removals {
		for _, i := range r {
			if err := tx.Bucket(i.bucket).Delete(i.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// look calls judge for the entries of a bucket from a key on. judge returns the
// entries to delete, nil for an entry that stays, and the key to go on at, nil for
// the next one. That key must be higher than the key of the entry.
func look(bucket *bbolt.Bucket, from []byte, judge func(k, v []byte) (delete []item, seek []byte)) (p part) {
	c := bucket.Cursor()
	k, v := c.Seek(from)
	for looked := 0; k != nil; looked++ {
		if looked == maxLook || len(p.removals) == maxRemove {
			p.next = bytes.Clone(k)
			return p
		}
		entries, seek := judge(k, v)
		if entries != nil {
			if p.first == nil {
				p.first = bytes.Clone(k)
			}
			p.removals = append(p.removals, entries)
		}
		if seek != nil {
			k, v = c.Seek(seek)
		} else {
			k, v = c.Next()
		}
	}
	return p
}

// goneRecords finds the beginning of each stream. From the first record that must
// stay on, it looks at no later record of the stream: a log loses only its beginning.
func goneRecords(tx *bbolt.Tx, from []byte, now time.Time) part {
	records := tx.Bucket(recordBucket)
	var stream events.Stream
	var head events.Head
	return look(records, from, func(k, v []byte) ([]item, []byte) {
		st, seq, ok := splitRecordKey(k)
		if !ok {
			return nil, nil
		}
		end := append(recordKey(st, math.MaxUint64), 0)
		if st != stream || stream == "" {
			stream = st
			if first, _ := records.Cursor().Seek(recordKey(st, 0)); !bytes.Equal(first, k) {
				return nil, end // an earlier record stays
			}
			var err error
			if head, err = headOf(tx, st); err != nil {
				return nil, end
			}
		}
		if seq > head.Version || !goneRecord(tx, st, seq, k, v, now) {
			return nil, end
		}
		return []item{{recordBucket, bytes.Clone(k), nil}}, nil
	})
}

// goneRecord reports whether a record is past its retention and was sent.
func goneRecord(tx *bbolt.Tx, st events.Stream, seq uint64, k, v []byte, now time.Time) bool {
	r, err := decodeRecord(st, seq, v)
	return err == nil && r.Gone(now) && !inOutbox(tx, outboxKey(r.At, recordKind, k))
}

func inOutbox(tx *bbolt.Tx, key []byte) bool {
	found, _ := tx.Bucket(outboxBucket).Cursor().Seek(key)
	return bytes.Equal(found, key)
}

// goneViews finds the views of ended tokens of a kind, with their uses and index
// entries. The index is short, so it is read in place of the views. An entry that does
// not follow from its view removes nothing.
func goneViews(kind string) finder {
	return func(tx *bbolt.Tx, from []byte, now time.Time) part {
		tokens, in := tx.Bucket(tokenBucket), indexesOf(kind)
		l := &list{kind: kind}
		return look(tx.Bucket(in.order), from, func(k, value []byte) ([]item, []byte) {
			if indexed, ok := stateIn(value); !ok || indexed.StateAt(now) != events.StateGone {
				return nil, nil
			}
			v, damaged := listedView(tokens, entry{list: l, rest: k, value: value})
			if damaged != nil {
				return nil, nil
			}
			return []item{
				{tokenBucket, []byte(v.ID), nil},
				{in.order, bytes.Clone(k), nil},
				{in.owner, ownerKey(v.Owner, v.Position()), nil},
			}, nil
		})
	}
}

func goneReplies(tx *bbolt.Tx, from []byte, now time.Time) part {
	return look(tx.Bucket(replyBucket), from, func(k, v []byte) ([]item, []byte) {
		var i replyItem
		if decode(v, &i) != nil || now.Before(i.At.time().Add(events.ReplyValid)) {
			return nil, nil
		}
		return []item{{replyBucket, bytes.Clone(k), nil}}, nil
	})
}

func goneNotices(tx *bbolt.Tx, from []byte, now time.Time) part {
	return look(tx.Bucket(noticeBucket), from, func(k, v []byte) ([]item, []byte) {
		n, ok := readNoticeEntry(v)
		if !ok || now.Before(n.keepUntil) || inOutbox(tx, n.outboxKey(k)) {
			return nil, nil
		}
		return []item{{noticeBucket, bytes.Clone(k), nil}}, nil
	})
}
