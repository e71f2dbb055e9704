package bolttest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/infra/bolt"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"
)

// Attacked is a store that a test also changes as an attacker does who may write
// the file and has no pepper. It implements storetest.Attacker. Each change
// closes the store and opens it again.
type Attacked struct {
	*bolt.Store
	path    string
	options bolt.Options
}

// OpenAttacked opens an empty store at path. The store is closed when the test
// ends.
func OpenAttacked(t testing.TB, path string, o bolt.Options) *Attacked {
	t.Helper()
	a := &Attacked{path: path, options: o}
	a.reopen(t)
	t.Cleanup(func() {
		if err := a.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *Attacked) reopen(t testing.TB) {
	t.Helper()
	s, err := bolt.Open(a.path, a.options)
	if err != nil {
		t.Fatal(err)
	}
	a.Store = s
}

// alter changes the file while no store has it open.
func (a *Attacked) alter(t testing.TB, f func(*bbolt.Tx) error) {
	t.Helper()
	err := a.Store.Close()
	db, oerr := bbolt.Open(a.path, 0o600, &bbolt.Options{NoSync: true})
	if err = errors.Join(err, oerr); err == nil {
		err = errors.Join(db.Update(f), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	a.reopen(t)
}

// HeadKey names the item of a head: a bucket and a key.
func (*Attacked) HeadKey(s events.Stream) string { return "head " + string(s) }

// RecordKey names the item of a record.
func (*Attacked) RecordKey(s events.Stream, seq uint64) string {
	k := binary.BigEndian.AppendUint32(nil, uint32(len(s)))
	k = binary.BigEndian.AppendUint64(append(k, s...), seq)
	return "record " + string(k)
}

// ViewKey names the item of a view.
func (*Attacked) ViewKey(id string) string { return "token " + id }

// ReplyKey implements storetest.Attacker.
func (*Attacked) ReplyKey(name string) string { return "reply " + name }

// Item returns the members of an item by their numbers, nil if it is missing.
func (a *Attacked) Item(t testing.TB, key string) (members map[string]any) {
	t.Helper()
	a.alter(t, func(tx *bbolt.Tx) error {
		bucket, k, _ := strings.Cut(key, " ")
		b := tx.Bucket([]byte(bucket)).Get([]byte(k))
		if b == nil {
			return nil
		}
		_, value := splitUse(bucket, b)
		var numbered map[uint64]any
		if err := cbor.Unmarshal(value, &numbered); err != nil {
			return err
		}
		members = map[string]any{}
		for n, v := range numbered {
			members[strconv.FormatUint(n, 10)] = v
		}
		return nil
	})
	return members
}

// PutItem writes an item with these members. Without members it removes the item.
func (a *Attacked) PutItem(t testing.TB, key string, members map[string]any) {
	t.Helper()
	a.alter(t, func(tx *bbolt.Tx) error {
		name, k, _ := strings.Cut(key, " ")
		bucket := tx.Bucket([]byte(name))
		if members == nil {
			return bucket.Delete([]byte(k))
		}
		numbered := map[uint64]any{}
		for name, v := range members {
			n, err := strconv.ParseUint(name, 10, 64)
			if err != nil {
				return err
			}
			numbered[n] = v
		}
		value, err := cbor.Marshal(numbered)
		if err != nil {
			return err
		}
		if name == "token" {
			use, _ := splitUse(name, bucket.Get([]byte(k)))
			value = append(append(binary.AppendUvarint(nil, uint64(len(use))), use...), value...)
		}
		return bucket.Put([]byte(k), value)
	})
}

// splitUse returns the use of a token, which is in one value with the view, and
// the rest. Other items have no use.
func splitUse(bucket string, b []byte) (use, rest []byte) {
	if bucket != "token" || len(b) == 0 {
		return nil, b
	}
	n, start := binary.Uvarint(b)
	end := start + int(n)
	return bytes.Clone(b[start:end]), b[end:]
}

// Spoil gives a member of an item a type that the store does not decode.
func (a *Attacked) Spoil(t testing.TB, key string) {
	t.Helper()
	members := a.Item(t, key)
	members["1"] = map[string]any{"not": "decoded"}
	a.PutItem(t, key, members)
}

// SpoilUse replaces the use of a token by a byte that the store does not decode.
func (a *Attacked) SpoilUse(t testing.TB, tokenID string) {
	t.Helper()
	a.alter(t, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket([]byte("token"))
		_, view := splitUse("token", tokens.Get([]byte(tokenID)))
		return tokens.Put([]byte(tokenID), append([]byte{1, 0xff}, view...))
	})
}

// SetHeadVersion changes the version in a stored head.
func (a *Attacked) SetHeadVersion(t testing.TB, s events.Stream, version uint64) {
	t.Helper()
	members := a.Item(t, a.HeadKey(s))
	members["1"] = version
	a.PutItem(t, a.HeadKey(s), members)
}
