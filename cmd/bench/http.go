package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"

	"go.etcd.io/bbolt"
)

const (
	whoAmIBudget = 0.6
	clients      = 8
	requests     = 1500 // of each client in a round
)

// server answers on a loopback address until it is closed.
type server struct {
	url string
	srv *http.Server
}

func listen(h http.Handler) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{"http://" + l.Addr().String(), &http.Server{Handler: h}}
	go s.srv.Serve(l)
	return s, nil
}

// api is the whole service on the store, its log lines included, which go to
// a file.
func (f folder) api(store *bolt.Store, logs io.Writer) (http.Handler, *issuer.Issuer) {
	logger := slog.New(slog.NewJSONHandler(logs, nil))
	i := issuer.New(issuer.Config{Store: store, Keys: f.keys, Logger: logger})
	return machine.New(machine.Config{Issuer: i, Guard: i.Guard(), Logger: logger, Version: "bench", Deployment: "bench"}, httpapi.Face()), i
}

// whoAmI compares the throughput of the smallest guarded call with that of a
// handler that gets an item, hashes the credential and returns an equal answer.
func whoAmI(f folder, report func(budget), rounds int) error {
	samples, err := f.fill(context.Background(), 1000)
	if err != nil {
		return err
	}
	logs, err := os.Create(filepath.Join(f.dir, "log"))
	if err != nil {
		return err
	}
	defer logs.Close()
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	h, _ := f.api(store, logs)
	ours, err := listen(h)
	if err != nil {
		return err
	}
	defer ours.srv.Close()
	simple, closeSimple, err := simpleServer(f.dir, samples)
	if err != nil {
		return err
	}
	defer closeSimple()
	r, err := ratio(rounds,
		func() (float64, error) { return throughput(ours.url+"/v1/session/who-am-i", samples) },
		func() (float64, error) { return throughput(simple.url, samples) })
	if err != nil {
		return err
	}
	report(budget{"who-am-i over HTTP / net/http + bbolt + SHA-256, throughput", r, whoAmIBudget, true, "x"})
	return nil
}

func simpleServer(dir string, samples []sample) (*server, func(), error) {
	db, err := bbolt.Open(filepath.Join(dir, "simple.db"), 0o600, &bbolt.Options{NoStatistics: true})
	if err != nil {
		return nil, nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("token"))
		for _, s := range samples {
			sum := sha256.Sum256([]byte(s.token.Text().Reveal()))
			err = errors.Join(err, b.Put([]byte(s.token.ID), append(sum[:], s.owner...)))
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	s, err := listen(simpleHandler(db))
	if err != nil {
		return nil, nil, err
	}
	return s, func() { s.srv.Close(); db.Close() }, nil
}

func simpleHandler(db *bbolt.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(text))
		var owner string
		db.View(func(tx *bbolt.Tx) error {
			if item := tx.Bucket([]byte("token")).Get([]byte(text[:8])); bytes.HasPrefix(item, sum[:]) {
				owner = string(item[len(sum):])
			}
			return nil
		})
		if owner == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"id": owner, "name": owner, "permissions": []string{}})
	}
}

// throughput is the requests in a second of all clients together.
func throughput(url string, samples []sample) (float64, error) {
	start := time.Now()
	err := runClients(func(hc *http.Client, client int) error {
		for i := range requests {
			s := samples[(client*requests+i)%len(samples)]
			if err := get(hc, url, s.token.Text().Reveal()); err != nil {
				return err
			}
		}
		return nil
	})
	return clients * requests / time.Since(start).Seconds(), err
}

// runClients runs each client in its own goroutine with its own connection.
func runClients(f func(hc *http.Client, client int) error) error {
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			hc := &http.Client{Transport: &http.Transport{}}
			defer hc.CloseIdleConnections()
			errs[i] = f(hc, i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func get(hc *http.Client, url, token string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return send(hc, req, token)
}

func send(hc *http.Client, req *http.Request, token string) error {
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %s", req.Method, req.URL.Path, resp.Status)
	}
	return nil
}
