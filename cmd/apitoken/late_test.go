package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// TestServeEndsCleanlyHoweverLateTheFileIs has a store with 40,000 events of one user
// that are not in the file. Their order makes the file slow: each waits for the one
// before. The server ends within seconds, and the next starts go on where it was, with
// parts so small that they are many. Each event is in the file at most once.
func TestServeEndsCleanlyHoweverLateTheFileIs(t *testing.T) {
	const lateEvents = 40_000
	dir := filepath.Join(t.TempDir(), "data")
	if err := run(t, dir).end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	fillOutbox(t, dir, lateEvents)
	written := 0
	for start := 0; written < lateEvents && start < 2; start++ {
		had := size(t, dir)
		s := run(t, dir, "--events-part", "1000KB")
		for end := time.Now().Add(time.Minute); size(t, dir) == had && time.Now().Before(end); { // the server has begun to write
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		began := time.Now()
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Fatalf("a server whose file is late ended with %v, want exit 0\n%s", err, s.log)
		}
		if took := time.Since(began); took > time.Minute { // a busy machine takes longer than the few seconds of the drain
			t.Errorf("the end took %v, want a few seconds", took)
		}
		now, parts := linesOf(t, dir)
		if now <= written {
			t.Errorf("start %d wrote no event: there were %d, and are %d", start, written, now)
		}
		written = now
		t.Logf("after %v the file has %d events in %d parts", time.Since(began), now, parts)
		if now < lateEvents && !strings.Contains(s.log.String(), "the file of events is late") {
			t.Errorf("the log does not say that the file is late:\n%s", s.log)
		}
	}
}

// size is the number of bytes in all parts of the file.
func size(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	names, err := eventfile.Parts(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil { // it may get another name at this moment
			bytes += info.Size()
		}
	}
	return bytes
}

// fillOutbox commits records that no process has sent.
func fillOutbox(t *testing.T, dir string, n int) {
	t.Helper()
	f, err := datadir.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	keys := f.Keys
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := bolt.Open(filepath.Join(dir, "apitoken.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var head events.Head
	for i := 0; i < n; i += 90 {
		facts := make([]events.Fact, min(90, n-i))
		for k := range facts {
			facts[k] = events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann", Cause: events.CauseUser}
		}
		c, err := events.NewCommit(keys, "user/ann", head, events.Meta{Command: fmt.Sprint(i), Actor: "ann", At: time.Now()}, facts, 1, []byte("{}"), events.Effect{})
		if err == nil {
			err = store.Commit(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		head = c.Head()
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// linesOf counts the events of the user in all parts. Each must be there once, and
// continue the one before.
func linesOf(t *testing.T, dir string) (lines, parts int) {
	t.Helper()
	path := filepath.Join(dir, "events.jsonl")
	names, err := eventfile.Parts(path)
	c, cerr := eventfile.OpenCopies(path)
	if err := errors.Join(err, cerr); err != nil || len(c.Faults) > 0 {
		t.Fatal(err)
	}
	defer c.Close()
	ms, err := c.Copy(t.Context(), "user/ann", 0, 1_000_000)
	if err == nil {
		err = events.VerifyMessages(events.Hash{}, ms)
	}
	if err != nil {
		t.Fatalf("the events of the file: %v", err)
	}
	raw := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		raw += bytes.Count(b, []byte(`"id":"user/ann/`))
	}
	if raw != len(ms) {
		t.Errorf("the file has %d lines for %d events", raw, len(ms))
	}
	return len(ms), len(names)
}
