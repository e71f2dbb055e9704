package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Pending implements events.Outbox. The outbox is sorted by time. The times of
// a stream never decrease, so each stream's messages are in order. If Pending cannot
// decode a message, it skips this message and the later ones of the same stream, and
// the error names the message. It also skips a key that outboxKey does not make, and
// the error names the key.
func (s *Store) Pending(ctx context.Context, olderThan time.Time, limit int) (ms []events.Message, err error) {
	var faults error
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		end := appendTime(nil, olderThan)
		blocked := map[events.Stream]bool{}
		c := tx.Bucket(outboxBucket).Cursor()
		for k, b := c.First(); k != nil && len(ms) < limit && bytes.Compare(k, end) < 0; k, b = c.Next() {
			stream := streamAt(k)
			if blocked[stream] {
				continue
			}
			m, err := messageAt(tx, k, b)
			if err != nil {
				faults = errors.Join(faults, err)
				blocked[stream] = stream != ""
				continue
			}
			ms = append(ms, m)
		}
		return nil
	})
	if err := errors.Join(err, faults); err != nil {
		return ms, fmt.Errorf("reading the outbox: %w", err)
	}
	return ms, nil
}

// Oldest returns the time of the oldest message in the outbox, also of one that Pending
// cannot decode. It is the zero time if the outbox is empty.
func (s *Store) Oldest(ctx context.Context) (oldest time.Time, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(outboxBucket).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if len(k) >= timeLen {
				oldest = readTime(k)
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the oldest message of the outbox: %w", err)
	}
	return oldest, nil
}

// streamAt returns the stream of the message under an outbox key, "" for a notice
// and for a key that outboxKey does not make.
func streamAt(key []byte) events.Stream {
	if kind, name := splitOutboxKey(key); kind == recordKind {
		st, _, _ := splitRecordKey(name)
		return st
	}
	return ""
}

func messageAt(tx *bbolt.Tx, key, value []byte) (events.Message, error) {
	switch kind, name := splitOutboxKey(key); kind {
	case noticeKind:
		m, err := decodeNotice(string(name), value)
		if err != nil {
			return m, fmt.Errorf("notice %q: %w", name, err)
		}
		return m, nil
	case recordKind:
		return messageOf(tx, key, name)
	}
	return events.Message{}, malformed(key)
}

// messageOf returns the message of a record, from the keys of its outbox entry and
// of the record.
func messageOf(tx *bbolt.Tx, key, name []byte) (events.Message, error) {
	st, seq, ok := splitRecordKey(name)
	if !ok {
		return events.Message{}, malformed(key)
	}
	r, err := decodeRecord(st, seq, tx.Bucket(recordBucket).Get(name))
	if err != nil {
		return events.Message{}, fmt.Errorf("record %d of stream %s: %w", seq, st, err)
	}
	return r.Message(), nil
}

func malformed(key []byte) error {
	return fmt.Errorf("%w: the key %x names neither a record nor a notice", events.ErrDamaged, key)
}

// Sent implements events.Outbox. The removal is durable when Sent returns. The same
// transaction notes the last message, see LastSent.
func (s *Store) Sent(ctx context.Context, ids ...string) error {
	var keys [][]byte
	var last string
	err := s.do(&job{
		ctx: ctx,
		admit: func(tx *bbolt.Tx) (err error) {
			keys, last, err = unsent(tx, ids)
			if err == nil && len(keys) == 0 {
				return errNothing
			}
			return err
		},
		apply: func(tx *bbolt.Tx) error {
			for _, k := range keys {
				if err := tx.Bucket(outboxBucket).Delete(k); err != nil {
					return err
				}
			}
			return tx.Bucket(metaBucket).Put(lastSentKey, []byte(last))
		},
	})
	if err != nil {
		return fmt.Errorf("removing %d messages from the outbox: %w", len(ids), err)
	}
	return nil
}

// LastSent returns the id of the message that Sent removed last, in the order of its
// ids. It is "" if nothing was ever sent, or only by a version of this program that
// did not note it. All messages that were put on the bus before this one are in the
// store: so a reader of the bus's file knows how far the file cannot be newer than
// the store.
func (s *Store) LastSent(ctx context.Context) (id string, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		id = string(tx.Bucket(metaBucket).Get(lastSentKey))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("reading the last message that was sent: %w", err)
	}
	return id, nil
}

// unsent returns the outbox keys of those messages that are still there, and the id
// of the last of these messages.
func unsent(tx *bbolt.Tx, ids []string) (keys [][]byte, last string, err error) {
	outbox := tx.Bucket(outboxBucket).Cursor()
	for _, id := range ids {
		key, err := outboxKeyOf(tx, id)
		if err != nil {
			return nil, "", fmt.Errorf("message %q: %w", id, err)
		}
		if key == nil {
			continue
		}
		if found, _ := outbox.Seek(key); bytes.Equal(found, key) {
			keys, last = append(keys, key), id
		}
	}
	return keys, last, nil
}

// outboxKeyOf returns the key under which a message is or was in the outbox,
// and nil if there never was such a message.
func outboxKeyOf(tx *bbolt.Tx, id string) ([]byte, error) {
	if b := tx.Bucket(noticeBucket).Get([]byte(id)); b != nil {
		n, ok := readNoticeEntry(b)
		if !ok {
			return nil, fmt.Errorf("%w: the entry of the notice has %d bytes", events.ErrDamaged, len(b))
		}
		return n.outboxKey([]byte(id)), nil
	}
	key, ok := recordKeyOf(id)
	if !ok {
		return nil, nil
	}
	b := tx.Bucket(recordBucket).Get(key)
	st, seq, _ := splitRecordKey(key)
	if b == nil {
		return nil, nil
	}
	r, err := decodeRecord(st, seq, b)
	return outboxKey(r.At, recordKind, key), err
}

// Notify implements events.Outbox. The notice is durable when Notify returns without
// an error.
func (s *Store) Notify(ctx context.Context, m events.Message) error {
	b, err := encode(itemOfNotice(m))
	if err == nil {
		err = s.doUntil(&job{
			ctx:         ctx,
			admit:       func(tx *bbolt.Tx) error { return admitNotice(tx, m.ID) },
			apply:       func(tx *bbolt.Tx) error { return putNotice(tx, m, b) },
			fillsOutbox: true,
		})
	}
	if err != nil {
		return fmt.Errorf("storing notice %q: %w", m.ID, err)
	}
	return nil
}

func admitNotice(tx *bbolt.Tx, id string) error {
	if tx.Bucket(noticeBucket).Get([]byte(id)) != nil {
		return errNothing
	}
	return nil
}

func putNotice(tx *bbolt.Tx, m events.Message, b []byte) error {
	if err := tx.Bucket(noticeBucket).Put([]byte(m.ID), noticeEntryOf(m)); err != nil {
		return err
	}
	return tx.Bucket(outboxBucket).Put(outboxKey(m.Time, noticeKind, []byte(m.ID)), b)
}
