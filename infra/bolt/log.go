package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

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
	for range recordsAfter(tx, st, 0) {
		return events.Head{}, events.ErrHeadMissing
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
		for seq, b := range recordsAfter(tx, st, after) {
			r, err := decodeRecord(st, seq, b)
			if err != nil {
				return err
			}
			if rs = append(rs, r); len(rs) == limit {
				break
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return rs, fmt.Errorf("reading stream %s: %w", st, err)
	}
	return rs, nil
}

// recordsAfter returns the stored records of a stream with Seq > after, ascending.
// It skips keys that recordKey does not make: something other than this service
// wrote them, and no record can have such a key.
func recordsAfter(tx *bbolt.Tx, st events.Stream, after uint64) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		start := recordKey(st, after)
		prefix := start[:len(start)-seqLen]
		c := tx.Bucket(recordBucket).Cursor()
		for k, b := c.Seek(start); bytes.HasPrefix(k, prefix); k, b = c.Next() {
			if _, seq, ok := splitRecordKey(k); ok && seq > after && !yield(seq, b) {
				return
			}
		}
	}
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

// encoder collects the items of a write.
type encoder struct {
	items []item
	err   error
}

func (e *encoder) put(bucket, key []byte, value any) {
	b, err := encode(value)
	e.err = errors.Join(e.err, err)
	e.items = append(e.items, item{bucket, key, b})
}

func (e *encoder) mark(bucket, key []byte) { e.items = append(e.items, item{bucket, key, nil}) }

func (e *encoder) putViews(vs []events.View) {
	for _, v := range vs {
		e.put(tokenBucket, []byte(v.ID), itemOfView(v))
		index, in := indexValue(v), indexesOf(v.Kind)
		e.items = append(e.items,
			item{in.order, appendPosition(nil, v.Position()), index},
			item{in.owner, ownerKey(v.Owner, v.Position()), index})
		if due := dueKey(v); due != nil {
			e.items = append(e.items, item{in.due, due, dueValue(v.Owner, 0)})
		}
	}
}

// itemsOf encodes a commit. It runs in the goroutine of the caller, because all
// writes wait for the goroutine that writes.
func itemsOf(c events.Commit) ([]item, error) {
	e := &encoder{}
	e.put(headBucket, []byte(c.Stream()), itemOfHead(c.Head()))
	for _, r := range c.Records() {
		key := recordKey(r.Stream, r.Seq)
		e.put(recordBucket, key, itemOfRecord(r))
		e.mark(outboxBucket, outboxKey(r.At, recordKind, key))
	}
	e.putViews(c.Effect().Minted)
	e.putViews(c.Effect().Changed)
	if r := c.Effect().Reply; r != nil {
		e.put(replyBucket, []byte(r.Key), replyItem{Sealed: r.Sealed, At: instantOf(r.At)})
	}
	return e.items, e.err
}

func putAll(tx *bbolt.Tx, items []item) error {
	for _, i := range items {
		b := tx.Bucket(i.bucket)
		if bytes.Equal(i.bucket, tokenBucket) {
			if err := dropDue(tx, i.key); err != nil {
				return err
			}
			use, _, err := splitToken(b.Get(i.key))
			if err != nil {
				use = nil // there is no token yet, or its value was damaged and is replaced
			}
			i.value = joinToken(use, i.value)
		}
		if err := b.Put(i.key, i.value); err != nil {
			return err
		}
	}
	return nil
}
