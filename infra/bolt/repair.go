package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

var _ events.Repairs = (*Store)(nil)

// Newer implements events.Repairs.
func (s *Store) Newer(ctx context.Context, st events.Stream, after uint64, limit int) (ns []events.Newer, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		for seq, b := range recordsAfter(tx, st, after) {
			if ns = append(ns, newerOf(st, seq, b)); len(ns) == limit {
				break
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", st, err)
	}
	return ns, nil
}

func newerOf(st events.Stream, seq uint64, value []byte) events.Newer {
	n := events.Newer{Seq: seq, Stored: bytes.Clone(value)}
	n.Record, n.Damaged = decodeRecord(st, seq, value)
	return n
}

// Remove implements events.Repairs.
func (s *Store) Remove(ctx context.Context, st events.Stream, base uint64, n events.Newer) error {
	key := recordKey(st, n.Seq)
	err := s.do(&job{
		ctx:   ctx,
		admit: func(tx *bbolt.Tx) error { return admitRemoval(tx, st, base, key, n) },
		apply: func(tx *bbolt.Tx) error { return removeRecord(tx, key) },
	})
	if err != nil {
		return fmt.Errorf("removing record %d of stream %s at version %d: %w", n.Seq, st, base, err)
	}
	return nil
}

func admitRemoval(tx *bbolt.Tx, st events.Stream, base uint64, key []byte, n events.Newer) error {
	h, err := headOf(tx, st)
	if err != nil && !errors.Is(err, events.ErrHeadMissing) {
		return err
	}
	was, ours := n.Stored.([]byte)
	is := tx.Bucket(recordBucket).Get(key)
	if h.Version != base || !ours || is == nil || !bytes.Equal(is, was) {
		return events.ErrConflict
	}
	return nil
}

// removeRecord looks through the whole outbox: the time in a planted entry need
// not be the time in the record, and an entry without its record would block the
// outbox.
func removeRecord(tx *bbolt.Tx, key []byte) error {
	outbox := tx.Bucket(outboxBucket)
	var entries [][]byte
	c := outbox.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if kind, name := splitOutboxKey(k); kind == recordKind && bytes.Equal(name, key) {
			entries = append(entries, bytes.Clone(k))
		}
	}
	for _, k := range entries {
		if err := outbox.Delete(k); err != nil {
			return err
		}
	}
	return tx.Bucket(recordBucket).Delete(key)
}

// Advance implements events.Repairs.
func (s *Store) Advance(ctx context.Context, a events.Advance) error {
	e := &encoder{}
	e.put(headBucket, []byte(a.Stream()), itemOfHead(a.Head()))
	e.putViews(a.Views())
	err := e.err
	if err == nil {
		err = s.do(&job{
			ctx: ctx,
			admit: func(tx *bbolt.Tx) error {
				h, err := headOf(tx, a.Stream())
				if err == nil && h.Version != a.Base() {
					err = events.ErrConflict
				}
				return err
			},
			apply: func(tx *bbolt.Tx) error { return putAll(tx, e.items) },
		})
	}
	if err != nil {
		return fmt.Errorf("writing a newer head of stream %s at version %d: %w", a.Stream(), a.Base(), err)
	}
	return nil
}
