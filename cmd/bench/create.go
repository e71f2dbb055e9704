package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"apitoken/infra/bolt"

	"go.etcd.io/bbolt"
)

const (
	createBudget  = 0.5
	historyBudget = 1.3
	creates       = 100 // of each client in a round
)

// put is one item that a create writes.
type put struct{ bucket, key, value []byte }

// create compares two throughputs: creates over HTTP, which are durable when they
// are answered, and clients that commit the same items directly to bbolt.
func create(f folder, report func(budget), rounds int) error {
	round := 0
	var written [][]put
	r, err := ratio(rounds,
		func() (perSecond float64, err error) {
			round++
			written, perSecond, err = f.createRound(fmt.Sprintf("r%d", round))
			return perSecond, err
		},
		func() (float64, error) { return bareCommits(filepath.Join(f.dir, "bare.db"), written) })
	if err != nil {
		return err
	}
	report(budget{"create over HTTP / bare bbolt commits of the same bytes, throughput", r, createBudget, true, "x"})
	return nil
}

// createRound creates a token for each of many new owners, with the administrator's
// token, and returns the items that each create wrote.
func (f folder) createRound(name string) (written [][]put, perSecond float64, err error) {
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return nil, 0, err
	}
	h, issuer := f.api(store, io.Discard)
	_, admin, err := issuer.Bootstrap(context.Background(), "admin-"+name, false)
	if err != nil {
		return nil, 0, errors.Join(err, store.Close())
	}
	s, err := listen(h)
	if err != nil {
		return nil, 0, errors.Join(err, store.Close())
	}
	start := time.Now()
	err = createAll(s.url, name, admin.Reveal())
	perSecond = clients * creates / time.Since(start).Seconds()
	s.srv.Close()
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, 0, err
	}
	written, err = f.itemsOf(name)
	return written, perSecond, err
}

// createAll lets all clients create their tokens, with the token of an
// administrator.
func createAll(url, name, token string) error {
	return runClients(func(hc *http.Client, client int) error {
		for i := range creates {
			body := fmt.Sprintf(`{"user":{"name":"%s-%d-%d"}}`, name, client, i)
			req, err := http.NewRequest(http.MethodPost, url+"/v1/auth/access-tokens/", strings.NewReader(body))
			if err != nil {
				return err
			}
			if err := send(hc, req, token); err != nil {
				return err
			}
		}
		return nil
	})
}

// itemsOf reads the items that the creates of the round wrote. Each bucket has
// one item for each create. It does not matter which items belong together.
func (f folder) itemsOf(name string) ([][]put, error) {
	db, err := bbolt.Open(f.file(), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	written := make([][]put, clients*creates)
	err = db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"head", "record", "token", "order", "owner", "outbox"} {
			c, n := tx.Bucket([]byte(bucket)).Cursor(), 0
			for k, v := c.Last(); k != nil && n < len(written); k, v = c.Prev() {
				written[n] = append(written[n], put{[]byte(bucket), append([]byte(nil), k...), append([]byte(nil), v...)})
				n++
			}
			if n < len(written) {
				return fmt.Errorf("round %s: bucket %s has only %d items", name, bucket, n)
			}
		}
		return nil
	})
	return written, err
}

// bareCommits writes the items of each create in one synced transaction, with as
// many goroutines as there are clients.
func bareCommits(path string, written [][]put) (perSecond float64, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	errs := make([]error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for client := range clients {
		wg.Go(func() {
			for i := client; i < len(written) && errs[client] == nil; i += clients {
				errs[client] = db.Update(func(tx *bbolt.Tx) error { return putAll(tx, written[i]) })
			}
		})
	}
	wg.Wait()
	return float64(len(written)) / time.Since(start).Seconds(), errors.Join(errs...)
}

func putAll(tx *bbolt.Tx, items []put) error {
	for _, p := range items {
		b, err := tx.CreateBucketIfNotExists(p.bucket)
		if err != nil {
			return err
		}
		if err := b.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}
