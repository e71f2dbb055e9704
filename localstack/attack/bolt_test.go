package attack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/infra/bolt"

	"apitoken/localstack/longtest"
	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"
)

// boltVictim is a file that either the service or the attacker has open.
type boltVictim struct {
	path  string
	store *bolt.Store
	db    *bbolt.DB
}

func newBolt(t testing.TB) victim {
	b := &boltVictim{path: filepath.Join(t.TempDir(), "apitoken.db")}
	t.Cleanup(func() { b.close(t) })
	return b
}

func (b *boltVictim) close(t testing.TB) {
	t.Helper()
	var err error
	if b.store != nil {
		err = b.store.Close()
	}
	if b.db != nil {
		err = errors.Join(err, b.db.Close())
	}
	b.store, b.db = nil, nil
	if err != nil {
		t.Fatal(err)
	}
}

func (b *boltVictim) repairs(t testing.TB) issuer.RepairStore { return b.service(t).(*bolt.Store) }

func (b *boltVictim) service(t testing.TB) events.Store {
	t.Helper()
	if b.store == nil {
		b.close(t)
		var err error
		if b.store, err = bolt.Open(b.path, bolt.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
	}
	return b.store
}

func (b *boltVictim) update(t testing.TB, f func(*bbolt.Tx) error) {
	t.Helper()
	if b.db == nil {
		b.close(t)
		var err error
		if b.db, err = bbolt.Open(b.path, 0o600, &bbolt.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.db.Update(f); err != nil {
		t.Fatal(err)
	}
}

// tokens is the bucket of views and uses. A value has the length of the use, the
// use and the view. The attacker sees the use as an item of a bucket of its own.
const (
	tokens = "token"
	uses   = "use"
)

func (b *boltVictim) items(t testing.TB) map[place]item {
	t.Helper()
	all := map[place]item{}
	b.update(t, func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			if string(name) == "meta" {
				return nil // the version of the layout: the service does not open another one
			}
			return bucket.ForEach(func(k, v []byte) error {
				p := place{string(name), string(k)}
				if p.space != tokens {
					all[p] = decodeCBOR(t, v)
					return nil
				}
				use, view := splitUse(v)
				all[p] = decodeCBOR(t, view)
				if len(use) > 0 {
					all[place{uses, p.key}] = decodeCBOR(t, use)
				}
				return nil
			})
		})
	})
	return all
}

func (b *boltVictim) item(t testing.TB, p place) (i item) {
	t.Helper()
	b.update(t, func(tx *bbolt.Tx) error {
		if p.space != tokens && p.space != uses {
			if v := tx.Bucket([]byte(p.space)).Get([]byte(p.key)); v != nil {
				i = decodeCBOR(t, v)
			}
			return nil
		}
		v := tx.Bucket([]byte(tokens)).Get([]byte(p.key))
		use, view := splitUse(v)
		switch {
		case p.space == tokens && v != nil:
			i = decodeCBOR(t, view)
		case p.space == uses && len(use) > 0:
			i = decodeCBOR(t, use)
		}
		return nil
	})
	return i
}

func (b *boltVictim) put(t testing.TB, p place, i item) bool {
	t.Helper()
	b.update(t, func(tx *bbolt.Tx) error {
		value := encodeCBOR(t, i)
		name := p.space
		if p.space == tokens || p.space == uses {
			name = tokens
			use, view := splitUse(tx.Bucket([]byte(tokens)).Get([]byte(p.key)))
			if p.space == uses {
				use, value = value, view
			}
			if value != nil {
				value = append(append(binary.AppendUvarint(nil, uint64(len(use))), use...), value...)
			}
		}
		bucket := tx.Bucket([]byte(name))
		if value == nil {
			return bucket.Delete([]byte(p.key))
		}
		return bucket.Put([]byte(p.key), value)
	})
	return true
}

func splitUse(v []byte) (use, view []byte) {
	if v == nil {
		return nil, nil
	}
	n, start := binary.Uvarint(v)
	end := start + int(n)
	return bytes.Clone(v[start:end]), bytes.Clone(v[end:])
}

// bare is the member of a value that is not a CBOR map.
const bare = "bare"

func decodeCBOR(t testing.TB, b []byte) item {
	t.Helper()
	var value any
	if err := cbor.Unmarshal(b, &value); err == nil {
		if m, ok := textual(value).(map[string]any); ok {
			return m
		}
	}
	return item{bare: append([]byte{}, b...)}
}

// textual changes the numbers that name members to texts.
func textual(value any) any {
	switch v := value.(type) {
	case []any:
		for n := range v {
			v[n] = textual(v[n])
		}
	case map[any]any:
		m := map[string]any{}
		for name, v := range v {
			switch name := name.(type) {
			case uint64:
				m[strconv.FormatUint(name, 10)] = textual(v)
			case string:
				m[name] = textual(v)
			}
		}
		return m
	}
	return value
}

func encodeCBOR(t testing.TB, i item) []byte {
	t.Helper()
	if i == nil {
		return nil
	}
	if b, ok := i[bare].([]byte); ok {
		return b
	}
	b, err := cbor.Marshal(numbered(map[string]any(i)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// numbered is the inverse of textual.
func numbered(value any) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for n := range v {
			list[n] = numbered(v[n])
		}
		return list
	case map[string]any:
		m := map[any]any{}
		for name, v := range v {
			if n, err := strconv.ParseUint(name, 10, 64); err == nil {
				m[n] = numbered(v)
			} else {
				m[name] = numbered(v)
			}
		}
		return m
	}
	return value
}

// share is 8 with APITOKEN_SHORTER=1.
func (*boltVictim) share() int {
	if longtest.Shorter() {
		return 8
	}
	return 1
}

func (*boltVictim) kind(p place) kind {
	switch p.space {
	case tokens:
		return view
	case uses:
		return use
	case "head":
		return head
	case "record":
		return record
	}
	return other
}

func (*boltVictim) view(id string) place        { return place{tokens, id} }
func (*boltVictim) use(id string) place         { return place{uses, id} }
func (*boltVictim) head(s events.Stream) place  { return place{"head", string(s)} }
func (*boltVictim) unsealed(kind kind) []string { return nil }

func (*boltVictim) record(s events.Stream, seq uint64) place {
	k := append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
	return place{"record", string(binary.BigEndian.AppendUint64(k, seq))}
}
