package bolttest

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"apitoken/events"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"
)

// Census counts the entries of a file by bucket. No store may have the file open.
type Census struct {
	All  map[string]int
	Gone map[string]int // of All, those past their retention
	Used int64          // bytes up to the last page that was ever used; the file may be longer
}

// Count counts the entries of the file at path. It decodes the values itself, so an
// error of the store's own codec or of its collector does not hide from it.
func Count(t testing.TB, path string, now time.Time) Census {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := Census{All: map[string]int{}, Gone: map[string]int{}}
	err = db.View(func(tx *bbolt.Tx) error {
		c.Used = tx.Size()
		ended := map[string]bool{} // ids of tokens past their retention
		for _, name := range []string{"head", "token", "record", "order", "owner", "due", "reply", "outbox", "notice"} {
			err := tx.Bucket([]byte(name)).ForEach(func(k, v []byte) error {
				c.All[name]++
				gone, err := isGone(name, k, v, now, ended)
				if gone {
					c.Gone[name]++
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("bucket %s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// isGone reports whether an entry is past its retention. An entry of an index is if
// its token is. Heads and the outbox have no retention.
func isGone(bucket string, k, v []byte, now time.Time, ended map[string]bool) (bool, error) {
	switch bucket {
	case "record":
		return pastMember(v, 11, 0, now)
	case "token":
		_, view := splitUse(bucket, v)
		gone, err := pastMember(view, 16, 0, now)
		if gone {
			ended[string(k)] = true
		}
		return gone, err
	case "order", "owner", "due":
		return ended[string(k[len(k)-8:])], nil
	case "reply":
		return pastMember(v, 2, events.ReplyValid, now)
	case "notice":
		until := time.UnixMicro(int64(binary.BigEndian.Uint64(v[8:]) ^ 1<<63))
		return !now.Before(until), nil
	}
	return false, nil
}

// pastMember reports whether a time, which is a member of a value, plus some duration is past.
func pastMember(v []byte, number uint64, plus time.Duration, now time.Time) (bool, error) {
	var members map[uint64]any
	if err := cbor.Unmarshal(v, &members); err != nil {
		return false, err
	}
	micros, ok := members[number].(uint64)
	if !ok || micros == 0 {
		return false, nil // there is no such time
	}
	year1 := time.Time{}.UnixMicro()
	return !now.Before(time.UnixMicro(int64(micros) + year1).Add(plus)), nil
}
