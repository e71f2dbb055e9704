package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// fillBare writes the store of the bare server: the samples, and other items until
// there are n.
func (b *bench) fillBare(samples []sample, n int) (path string, err error) {
	path = filepath.Join(b.dir, fmt.Sprintf("bare-%d.db", n))
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoStatistics: true, NoSync: true})
	if err != nil {
		return "", err
	}
	items := make(map[string][]byte, n)
	for i := range n {
		items[strings.ToLower(rand.Text())[:8]] = fmt.Appendf(make([]byte, sha256.Size), "user%07d", i)
	}
	for _, s := range samples {
		sum := sha256.Sum256([]byte(s.token.Text().Reveal()))
		items[s.token.ID] = append(sum[:], s.owner...)
	}
	// bbolt writes in ascending order, a part at a time: in one transaction each new item
	// would move all items behind it.
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(items)), 10_000) {
		err = errors.Join(err, db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("token"))
			for _, id := range ids {
				err = errors.Join(err, b.Put([]byte(id), items[id]))
			}
			return err
		}))
	}
	return path, errors.Join(err, db.Close())
}

// bareRead serves the work that no such service can avoid: get an item, hash the
// credential, answer. It writes no log line.
func bareRead(args []string) error {
	db, err := bbolt.Open(args[0], 0o600, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	return errors.Join(serveUntilEnd(bareReader(db), func() {}), db.Close())
}

func bareReader(db *bbolt.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		owner := bareOwner(db, r)
		if owner == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"id": owner, "name": owner, "permissions": []string{}})
	}
}

// bareOwner returns the owner of the token of a request, "" if there is none.
func bareOwner(db *bbolt.DB, r *http.Request) (owner string) {
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(text))
	db.View(func(tx *bbolt.Tx) error {
		if item := tx.Bucket([]byte("token")).Get([]byte(text[:min(8, len(text))])); bytes.HasPrefix(item, sum[:]) {
			owner = string(item[len(sum):])
		}
		return nil
	})
	return owner
}
