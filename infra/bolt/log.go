package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Head implements events.Log.
func (s *Store) Head(ctx context.Context, st events.Stream) (h events.Head, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		h, err = headOf(tx, st)
		return err
	})
	if err != nil {
		return events.Head{}, fmt.Errorf("reading the head of stream %s: %w", st, err)
	}
	return h, nil
}

// headOf returns the head of a stream. Without a head the stream must not have a
// record.
func headOf(tx *bbolt.Tx, st events.Stream) (events.Head, error) {
	if b := tx.Bucket(headBucket).Get([]byte(st)); b != nil {
		return decodeHead(b)
	}
	first := recordKey(st, 0)
	prefix := first[:len(first)-seqLen]
	if k, _ := tx.Bucket(recordBucket).Cursor().Seek(first); bytes.HasPrefix(k, prefix) {
		return events.Head{}, fmt.Errorf("%w: the stream has records and no head", events.ErrDamaged)
	}
	return events.Head{}, nil
}

// Commit implements events.Log. If it fails because the disk is full, nothing
// was written.
func (s *Store) Commit(ctx context.Context, c events.Commit) error {
	items, err := itemsOf(c)
	if err == nil {
		err = s.do(&job{
			ctx:         ctx,
			admit:       func(tx *bbolt.Tx) error { return admit(tx, c) },
			apply:       func(tx *bbolt.Tx) error { return putAll(tx, items) },
			fillsOutbox: true,
		})
	}
	if err != nil {
		return fmt.Errorf("committing to stream %s at version %d: %w", c.Stream(), c.Base(), err)
	}
	return nil
}

// History implements events.Log.
func (s *Store) History(ctx context.Context, st events.Stream, after uint64, limit int) (rs []events.Record, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		start := recordKey(st, after)
		prefix := start[:len(start)-seqLen]
		c := tx.Bucket(recordBucket).Cursor()
		for k, b := c.Seek(start); len(rs) < limit && bytes.HasPrefix(k, prefix); k, b = c.Next() {
			if bytes.Equal(k, start) {
				continue
			}
			r, err := decodeRecord(k, b)
			if err != nil {
				return fmt.Errorf("record %d: %w", after+uint64(len(rs))+1, err)
			}
			rs = append(rs, r)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", st, err)
	}
	return rs, nil
}

// Reply implements events.Replies.
func (s *Store) Reply(ctx context.Context, key string) (events.Reply, error) {
	var i replyItem
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(replyBucket).Get([]byte(key))
		if b == nil {
			return events.ErrNotFound
		}
		return decode(b, &i)
	})
	if err != nil {
		return events.Reply{}, fmt.Errorf("reading a reply: %w", err)
	}
	return events.Reply{Key: key, Sealed: i.Sealed, At: i.At.time()}, nil
}

// read runs f in a read transaction. The bytes that bbolt returns to f are part
// of the file and become invalid with the end of the transaction. Decoding
// copies them.
func (s *Store) read(ctx context.Context, f func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(f)
}

// admit returns ErrConflict or ErrIDTaken for a commit that must not be
// written: the stream has another version, or a record, a reply or an id exists
// already.
func admit(tx *bbolt.Tx, c events.Commit) error {
	h, err := headOf(tx, c.Stream())
	if err != nil {
		return err
	}
	if h.Version != c.Base() {
		return events.ErrConflict
	}
	for _, r := range c.Records() {
		if tx.Bucket(recordBucket).Get(recordKey(r.Stream, r.Seq)) != nil {
			return events.ErrConflict
		}
	}
	if admits, err := admitsReply(tx, c.Effect()); err != nil || !admits {
		return cmp.Or(err, events.ErrConflict)
	}
	for _, v := range c.Effect().Minted {
		if tx.Bucket(tokenBucket).Get([]byte(v.ID)) != nil {
			return events.ErrIDTaken
		}
	}
	return nil
}

// admitsReply reports whether the commit has no reply, or a reply that may be
// written: no other reply exists under its key, or exactly the expired one.
func admitsReply(tx *bbolt.Tx, e events.Effect) (bool, error) {
	if e.Reply == nil {
		return true, nil
	}
	b := tx.Bucket(replyBucket).Get([]byte(e.Reply.Key))
	if b == nil || e.Expired == nil {
		return b == nil, nil
	}
	var stored replyItem
	err := decode(b, &stored)
	return err == nil && bytes.Equal(stored.Sealed, e.Expired.Sealed), err
}

// item is one value for one bucket. The item of a token has no use: putAll adds
// the stored one.
type item struct{ bucket, key, value []byte }

// itemsOf encodes a commit. It runs in the goroutine of the caller, because all
// writes wait for the goroutine that writes.
func itemsOf(c events.Commit) (items []item, err error) {
	put := func(bucket, key []byte, value any) {
		b, e := encode(value)
		err = errors.Join(err, e)
		items = append(items, item{bucket, key, b})
	}
	mark := func(bucket, key []byte) { items = append(items, item{bucket, key, nil}) }
	put(headBucket, []byte(c.Stream()), itemOfHead(c.Head()))
	for _, r := range c.Records() {
		key := recordKey(r.Stream, r.Seq)
		put(recordBucket, key, itemOfRecord(r))
		mark(outboxBucket, outboxKey(r.At, recordKind, key))
	}
	e := c.Effect()
	for _, v := range append(e.Minted[:len(e.Minted):len(e.Minted)], e.Changed...) {
		put(tokenBucket, []byte(v.ID), itemOfView(v))
		mark(orderBucket, appendPosition(nil, v.Position()))
		mark(ownerBucket, ownerKey(v.Owner, v.Position()))
	}
	if r := e.Reply; r != nil {
		put(replyBucket, []byte(r.Key), replyItem{Sealed: r.Sealed, At: instantOf(r.At)})
	}
	return items, err
}

func putAll(tx *bbolt.Tx, items []item) error {
	for _, i := range items {
		b := tx.Bucket(i.bucket)
		if bytes.Equal(i.bucket, tokenBucket) {
			use, _, err := splitToken(b.Get(i.key))
			if err != nil && b.Get(i.key) != nil {
				return err
			}
			i.value = joinToken(use, i.value)
		}
		if err := b.Put(i.key, i.value); err != nil {
			return err
		}
	}
	return nil
}
