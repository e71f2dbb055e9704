package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Walk implements events.Streams. A place is the key of the last record, so the
// streams are in the order of their keys.
func (s *Store) Walk(ctx context.Context, after events.Place, limit int) (st events.Stretch, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		if _, _, ok := splitRecordKey([]byte(after)); !ok && after != "" {
			return events.ErrPlace
		}
		st, err = stretch(tx, []byte(after), limit)
		return err
	})
	if err != nil {
		return events.Stretch{}, fmt.Errorf("reading all streams: %w", err)
	}
	return st, nil
}

// stretch returns the records with keys after a key. Like recordsAfter, it skips
// keys that recordKey does not make.
func stretch(tx *bbolt.Tx, after []byte, limit int) (st events.Stretch, err error) {
	c := tx.Bucket(recordBucket).Cursor()
	for k, b := c.Seek(after); k != nil; k, b = c.Next() {
		stream, seq, ok := splitRecordKey(k)
		if !ok || bytes.Equal(k, after) {
			continue
		}
		if len(st.Records)+len(st.Damaged) == limit {
			st.More = true
			return st, nil
		}
		r, err := decodeRecord(stream, seq, b)
		damaged, isDamaged := errors.AsType[*events.DamagedRecord](err)
		switch {
		case isDamaged:
			st.Damaged = append(st.Damaged, damaged)
		case err != nil:
			return st, err
		default:
			st.Records = append(st.Records, r)
		}
		st.Next = events.Place(k)
	}
	st.Next = ""
	return st, nil
}
