package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt"

	"go.etcd.io/bbolt"
)

// put is one item that a create writes.
type put struct{ Bucket, Key, Value []byte }

// examples is the number of creates whose items the bare server writes in turns.
const examples = 500

// writeItems makes tokens of new owners on a scratch store, and writes a file with the
// items that each create stored.
func (b *bench) writeItems(keys events.Keys) (path string, err error) {
	scratch := filepath.Join(b.dir, "scratch.db")
	store, err := bolt.Open(scratch, bolt.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	i := issuer.New(issuer.Config{Store: store, Keys: keys})
	for n := 0; n < examples && err == nil; n++ {
		_, _, err = i.Create(context.Background(), guard.Principal{Owner: fmt.Sprintf("example%08d", n)}, "", token.Wish{})
	}
	if err := errors.Join(err, store.Close()); err != nil {
		return "", err
	}
	written, err := itemsOf(scratch)
	if err != nil {
		return "", err
	}
	path = filepath.Join(b.dir, "items")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(gob.NewEncoder(file).Encode(written), file.Close())
}

// itemsOf reads the items of the creates, from each bucket that has one item for each
// create. It does not matter which items belong together.
func itemsOf(path string) ([][]put, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	written := make([][]put, examples)
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if b.Stats().KeyN < examples {
				return nil
			}
			bucket, n := bytes.Clone(name), 0
			c := b.Cursor()
			for k, v := c.Last(); k != nil && n < examples; k, v = c.Prev() {
				written[n] = append(written[n], put{bucket, bytes.Clone(k), bytes.Clone(v)})
				n++
			}
			return nil
		})
	})
	return written, err
}

// bareCreate serves what a durable create cannot avoid: read the body, commit the
// items and sync, answer.
func bareCreate(args []string) error {
	file, err := os.Open(args[1])
	if err != nil {
		return err
	}
	var items [][]put
	if err := errors.Join(gob.NewDecoder(file).Decode(&items), file.Close()); err != nil {
		return err
	}
	db, err := bbolt.Open(args[0], 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return err
	}
	return errors.Join(serveUntilEnd(bareCreator(db, items), func() {}), db.Close())
}

func bareCreator(db *bbolt.DB, items [][]put) http.HandlerFunc {
	var creates atomic.Uint64
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct{ User struct{ Name string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n := creates.Add(1)
		err := db.Update(func(tx *bbolt.Tx) error { return putAll(tx, items[n%uint64(len(items))], n) })
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"user": body.User.Name, "number": n})
	}
}

// putAll adds n to each key, so that no item replaces another one.
func putAll(tx *bbolt.Tx, items []put, n uint64) error {
	for _, p := range items {
		b, err := tx.CreateBucketIfNotExists(p.Bucket)
		if err != nil {
			return err
		}
		if err := b.Put(binary.BigEndian.AppendUint64(p.Key[:len(p.Key):len(p.Key)], n), p.Value); err != nil {
			return err
		}
	}
	return nil
}
