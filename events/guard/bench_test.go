package guard_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"path/filepath"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/storetest"

	"go.etcd.io/bbolt"
)

// The budget: a check takes at most four times as long as one bbolt get and one
// HMAC of the same bytes.

// usedStore is a store in which every token was used just now, so no check writes.
type usedStore struct{ events.Store }

func (u usedStore) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	v, use, err := u.Store.Token(ctx, id)
	use.At = now
	return v, use, err
}

func BenchmarkCheck(b *testing.B) {
	s := open(b)
	shown := put(b, s, nil)
	for range 999 {
		put(b, s, nil)
	}
	g := guardAt(usedStore{s.Store}, now)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(b.Context(), shown, here); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckAlone measures a check without the cost of a store.
func BenchmarkCheckAlone(b *testing.B) {
	s := open(b)
	shown := put(b, s, nil)
	v, _, err := s.Token(b.Context(), shown.ID)
	if err != nil {
		b.Fatal(err)
	}
	g := guard.New(guard.Config{Views: fixed{view: v}, Keys: storetest.Keys})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(b.Context(), shown, here); err != nil {
			b.Fatal(err)
		}
	}
}

// fixed has one view, which was used in the far future, so no check writes.
type fixed struct {
	events.Views
	view events.View
}

func (f fixed) Token(context.Context, string) (events.View, events.Use, error) {
	return f.view, events.Use{At: now.AddDate(100, 0, 0)}, nil
}

func BenchmarkBareGetAndHMAC(b *testing.B) {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	key, value := []byte("JhxND7ci"), make([]byte, 256)
	if err := db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("token"))
		if err != nil {
			return err
		}
		return bucket.Put(key, value)
	}); err != nil {
		b.Fatal(err)
	}
	pepper, message := make([]byte, 32), make([]byte, 57) // the length of the message of a verifier
	b.ReportAllocs()
	for b.Loop() {
		if err := db.View(func(tx *bbolt.Tx) error {
			copy(value, tx.Bucket([]byte("token")).Get(key))
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		h := hmac.New(sha256.New, pepper)
		h.Write(message)
		_ = h.Sum(nil)
	}
}
