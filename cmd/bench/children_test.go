package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"apitoken/cmd/bench/load"
	"apitoken/events"
	"apitoken/infra/bolt"
)

// TestMain lets the test binary be its own children, as the program does.
func TestMain(m *testing.M) {
	if ran, code := childMain(os.Args[1:]); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestServerAndLoadHaveTheirOwnProcesses, which end with their measurement. The bare
// servers answer the tokens of their store and no others.
func TestServerAndLoadHaveTheirOwnProcesses(t *testing.T) {
	f, err := newFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	samples, err := f.fill(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: t.TempDir(), slice: 500 * time.Millisecond}
	path, err := b.fillBare(samples[:5], 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"bare-read", "bare-verdict"} {
		t.Run(mode, func(t *testing.T) { expectOwnProcess(t, b, samples, mode, path) })
	}
}

func expectOwnProcess(t *testing.T, b *bench, samples []sample, mode, path string) {
	t.Helper()
	p, err := child(mode, path)
	if err != nil {
		t.Fatal(err)
	}
	if p.pid == os.Getpid() || p.pid == 0 {
		t.Errorf("the server has the process id %d, want one of its own", p.pid)
	}
	r, err := send(b.reads(p, samples[:5], 0))
	if err != nil || r.Count() == 0 {
		t.Errorf("the load got %d answers (%v)", r.Count(), err)
	}
	job := b.reads(p, samples[5:], 0)
	for i := range job.Requests {
		job.Requests[i].Status = http.StatusUnauthorized
	}
	if r, err := send(job); err != nil || r.Count() == 0 {
		t.Errorf("tokens of another store got %d times 401 (%v)", r.Count(), err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if _, err := send(load.Job{Addr: p.addr, Connections: 1, For: time.Second, Requests: job.Requests}); err == nil {
		t.Error("the server answers after its end")
	}
}

// TestTheBareCreateWritesTheItemsOfACreate, each time under new keys.
func TestTheBareCreateWritesTheItemsOfACreate(t *testing.T) {
	f, err := newFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: t.TempDir(), slice: 300 * time.Millisecond}
	items, err := b.writeItems(f.keys)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "bare.db")
	p, err := child("bare-create", path, items)
	if err != nil {
		t.Fatal(err)
	}
	r, err := send(load.Job{Addr: p.addr, Connections: 4, For: b.slice, Requests: []load.Request{createRequest("t", "a")}})
	if err := errors.Join(err, p.stop()); err != nil || r.Count() == 0 {
		t.Fatalf("%d creates (%v)", r.Count(), err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"head", "record", "token", "order", "owner", "outbox"} {
			if b := tx.Bucket([]byte(bucket)); b == nil || b.Stats().KeyN != r.Count() {
				t.Errorf("the bucket %s has not one item for each of %d creates", bucket, r.Count())
			}
		}
		return nil
	})
}

// TestWorkBesideRequestsRunsInTheServer: a sweep of ten tokens ends before the
// requests, and records their expiries.
func TestWorkBesideRequestsRunsInTheServer(t *testing.T) {
	f, err := newFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f.expires = func(owner int) time.Time { return time.Now().Add(time.Duration(owner)*48*time.Hour - time.Hour) }
	samples, err := f.fill(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	living := samples[5:]
	_, err = meanwhile(f, "sweep", func(p process, word string) load.Job {
		return besideJob(p, 3*time.Second, readsAndUpdates(living, word)[:1])
	})
	if !errors.Is(err, errEarly) {
		t.Errorf("got %v, want the error that the work ended early", err)
	}
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	v, _, err := store.Token(context.Background(), samples[0].token.ID)
	if err != nil || v.Ended != events.EndedExpired {
		t.Errorf("the expired token has the end %v (%v), want that of an expiry", v.Ended, err)
	}
}

// TestWorkThatEndedEarlyIsReported, and work that goes on is stopped.
func TestWorkThatEndedEarlyIsReported(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{{nil, errEarly}, {context.Canceled, nil}, {os.ErrClosed, os.ErrClosed}} {
		if got := early(c.err); got != c.want {
			t.Errorf("work that ended with %v: got %v, want %v", c.err, got, c.want)
		}
	}
}

func TestSelectionNamesWhatIsAllowed(t *testing.T) {
	all, err := selection("")
	if err != nil || len(all) != len(measurements) {
		t.Errorf("no list selects %d measurements (%v), want all %d", len(all), err, len(measurements))
	}
	two, err := selection("create,guarded")
	if err != nil || len(two) != 2 || two[0].name != "guarded" || two[1].name != "create" {
		t.Errorf("got %d measurements (%v), want guarded and create", len(two), err)
	}
	if _, err := selection("guarded,gaurded"); err == nil || !strings.Contains(err.Error(), `"gaurded"`) || !strings.Contains(err.Error(), "dynamo") {
		t.Errorf("got %v, want an error with the wrong name and the allowed ones", err)
	}
}
