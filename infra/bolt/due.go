package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// dueKey is the key of a token in the due bucket. It is nil for a token that never
// expires, and for one with a recorded end.
func dueKey(v events.View) []byte {
	if v.Ended != "" || v.ExpiresAt.IsZero() {
		return nil
	}
	return appendPosition(nil, events.Position{At: v.ExpiresAt, ID: v.ID})
}

// warnedLen is the number of bytes of the note at the start of a value in the due
// bucket. The rest is the owner.
const warnedLen = 2

func dueValue(owner string, warned int) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(warned)), owner...)
}

func readDue(key, value []byte) (events.Expiring, error) {
	if len(key) <= timeLen || len(value) <= warnedLen {
		return events.Expiring{}, fmt.Errorf("%w: the entry %x of an index has not the form of an expiry", events.ErrDamaged, key)
	}
	p := splitPosition(key)
	return events.Expiring{
		TokenID: p.ID, Owner: string(value[warnedLen:]), ExpiresAt: p.At, Warned: int(binary.BigEndian.Uint16(value)),
	}, nil
}

// dropDue removes the entry of the stored view of a token, before another view
// replaces it. The entry of a view that cannot be decoded stays; the sweep ignores
// it, because it does not agree with the next view.
func dropDue(tx *bbolt.Tx, id []byte) error {
	b := tx.Bucket(tokenBucket).Get(id)
	if b == nil {
		return nil
	}
	v, _, err := viewOf(string(id), b)
	if err != nil {
		return nil
	}
	if k := dueKey(v); k != nil {
		return tx.Bucket(indexesOf(v.Kind).due).Delete(k)
	}
	return nil
}

// Expiring implements events.Expiries. Pages come in the order of the expiries. No
// transaction is open while f runs: f may write, and a write that grows the file
// waits for open transactions.
func (s *Store) Expiring(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
	var damaged events.DamagedEntries
	next, end := appendTime(nil, from), appendTime(nil, to)
	for next != nil {
		var page []events.Expiring
		err := s.read(ctx, func(tx *bbolt.Tx) error {
			page, next = duePage(tx.Bucket(indexesOf(kind).due), next, end, &damaged)
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading the tokens that expire: %w", err)
		}
		if len(page) == 0 {
			continue
		}
		if err := f(page); err != nil {
			return err
		}
	}
	return damaged.Err("the index of expiries")
}

// duePage reads entries from a key on, and returns the key of the next page, nil
// after the last one.
func duePage(due *bbolt.Bucket, from, end []byte, damaged *events.DamagedEntries) (page []events.Expiring, next []byte) {
	c := due.Cursor()
	read := 0
	for k, v := c.Seek(from); k != nil && bytes.Compare(k, end) < 0; k, v = c.Next() {
		if read++; read > events.ExpiringPage {
			return page, bytes.Clone(k)
		}
		if e, err := readDue(k, v); err != nil {
			damaged.Add(err)
		} else {
			page = append(page, e)
		}
	}
	return page, nil
}

// NoteWarning implements events.Expiries. The note is durable when it returns.
func (s *Store) NoteWarning(ctx context.Context, id string, seq uint64, days int) error {
	var key, value []byte
	err := s.do(&job{
		ctx: ctx,
		admit: func(tx *bbolt.Tx) (err error) {
			key, value, err = noteOf(tx, id, seq, days)
			return err
		},
		apply: func(tx *bbolt.Tx) error { return tx.Bucket(dueBucket).Put(key, value) },
	})
	if err != nil {
		return fmt.Errorf("noting a warning about token %q: %w", id, err)
	}
	return nil
}

// noteOf returns the entry with the note, and errNothing if the view has changed.
func noteOf(tx *bbolt.Tx, id string, seq uint64, days int) (key, value []byte, err error) {
	b := tx.Bucket(tokenBucket).Get([]byte(id))
	if b == nil {
		return nil, nil, errNothing
	}
	v, _, err := viewOf(id, b)
	if err != nil {
		return nil, nil, err
	}
	if key = dueKey(v); key == nil || v.Seq != seq || v.IsSession() { // no session is warned about
		return nil, nil, errNothing
	}
	return key, dueValue(v.Owner, days), nil
}
