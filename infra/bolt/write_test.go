package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "apitoken.db") }

// newCommit is a commit with one fact, on the given head.
func newCommit(t testing.TB, owner string, base events.Head, vs ...events.View) events.Commit {
	t.Helper()
	m := events.Meta{Command: "c", Actor: owner, At: time.Now()}
	facts := []events.Fact{events.TokenCreated{TokenID: "JhxND7ci", Owner: owner}}
	c, err := events.NewCommit(storetest.Keys, events.UserStream(owner), base, m, facts, 1, []byte("{}"), events.Effect{Minted: vs})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func commit(t testing.TB, s *Store, c events.Commit) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// hold keeps the goroutine that writes busy until release is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	held, released := make(chan struct{}), make(chan struct{})
	err := s.enqueue(&job{ctx: t.Context(), admit: func(*bbolt.Tx) error {
		close(held)
		<-released
		return errNothing
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-held
	return func() { close(released) }
}

// commitTogether commits all while the writing goroutine is held, so that they
// share a transaction. It returns their answers.
func commitTogether(t *testing.T, s *Store, cs []events.Commit) []error {
	t.Helper()
	release := hold(t, s)
	errs := make([]error, len(cs))
	var wg sync.WaitGroup
	for i, c := range cs {
		wg.Go(func() { errs[i] = s.Commit(t.Context(), c) })
	}
	for len(s.queue) < len(cs) {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	return errs
}

func expectVersion(t *testing.T, s *Store, owner string, want uint64) {
	t.Helper()
	h, err := s.Head(t.Context(), events.UserStream(owner))
	if err != nil || h.Version != want {
		t.Errorf("the version of the stream of %.20s: got %d, %v, want %d", owner, h.Version, err, want)
	}
}

func TestWaitingCommitsShareOneSync(t *testing.T) {
	var syncs atomic.Int32
	s := openAt(t, newPath(t), Options{OnCommit: func() { syncs.Add(1) }})
	var cs []events.Commit
	for n := range 50 {
		cs = append(cs, newCommit(t, fmt.Sprint("ann", n), events.Head{}))
	}
	if err := errors.Join(commitTogether(t, s, cs)...); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		expectVersion(t, s, fmt.Sprint("ann", n), 1)
	}
	if got := syncs.Load(); got != 1 {
		t.Errorf("50 commits took %d transactions, want 1", got)
	}
}

func TestARefusedCommitDoesNotChangeTheOthersOfItsTransaction(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	taken := events.View{ID: "JhxND7ci", Owner: "ann"}
	first := newCommit(t, "ann", events.Head{}, taken)
	commit(t, s, first)
	impossible := strings.Repeat("o", 40_000) // longer than bbolt's keys may be
	want := map[string]error{
		"ann": events.ErrConflict, "bob": nil, "cyd": events.ErrIDTaken, "dan": nil, impossible: berrors.ErrKeyTooLarge, "eve": nil,
	}
	var owners []string
	var cs []events.Commit
	for owner, err := range want {
		owners = append(owners, owner)
		if errors.Is(err, events.ErrIDTaken) {
			cs = append(cs, newCommit(t, owner, events.Head{}, taken))
			continue
		}
		cs = append(cs, newCommit(t, owner, events.Head{}))
	}
	for i, err := range commitTogether(t, s, cs) {
		owner := owners[i]
		if !errors.Is(err, want[owner]) {
			t.Errorf("commit of %.20s: got %v, want %v", owner, err, want[owner])
		}
		if want[owner] == nil {
			expectVersion(t, s, owner, 1)
		}
	}
	expectVersion(t, s, "ann", 1)
	expectVersion(t, s, "cyd", 0)
	expectVersion(t, s, impossible, 0)
}

// TestAFailedTransactionFailsAllItsCommits closes the file while the store uses
// it, as a broken disk would.
func TestAFailedTransactionFailsAllItsCommits(t *testing.T) {
	var file *os.File
	path := newPath(t)
	s := openAt(t, path, Options{open: func(name string, flag int, mode fs.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}})
	commit(t, s, newCommit(t, "ann", events.Head{}))
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("a store that can be written to: got %v, want it ready", err)
	}
	file.Close()
	errs := commitTogether(t, s, []events.Commit{newCommit(t, "bob", events.Head{}), newCommit(t, "cyd", events.Head{}), newCommit(t, "dan", events.Head{})})
	for i, err := range errs {
		if err == nil || errors.Is(err, events.ErrConflict) || !strings.Contains(err.Error(), fs.ErrClosed.Error()) {
			t.Errorf("commit %d of a transaction that failed: got %v, want %v", i, err, fs.ErrClosed)
		}
	}
	err := s.Commit(t.Context(), newCommit(t, "eve", events.Head{}))
	if err == nil || !strings.Contains(err.Error(), "must be restarted") || !strings.Contains(err.Error(), path) {
		t.Errorf("a commit after a write that failed: got %v, want an error that says to restart the store %s", err, path)
	}
	if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "must be restarted") {
		t.Errorf("a store that stopped writing: got %v, want it not ready", err)
	}
	expectVersion(t, s, "ann", 1) // it still reads
}

func TestCloseWritesTheQueueAndRefusesLaterCalls(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path, Options{})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: "JhxND7ci", Owner: "ann"}))
	release := hold(t, s)
	use := events.Use{At: time.Now().UTC().Truncate(time.Microsecond), Address: "192.0.2.1"}
	if err := s.Touch(t.Context(), "JhxND7ci", use); err != nil { // returns although no write is possible now
		t.Fatal(err)
	}
	release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if err := s.Commit(t.Context(), newCommit(t, "bob", events.Head{})); !errors.Is(err, errClosed) {
		t.Errorf("Commit after Close: got %v, want %v", err, errClosed)
	}
	if _, err := s.Head(t.Context(), "settings"); err == nil {
		t.Error("Head after Close: got no error")
	}
	again := openAt(t, path, Options{})
	expectVersion(t, again, "ann", 1)
	expectVersion(t, again, "bob", 0)
	if _, got, err := again.Token(t.Context(), "JhxND7ci"); err != nil || got != use {
		t.Errorf("the use: got %v, %v, want %v", got, err, use)
	}
}

func TestACommitCancelledInTheQueueWritesNothing(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { answer <- s.Commit(ctx, newCommit(t, "ann", events.Head{})) }()
	for len(s.queue) == 0 {
		runtime.Gosched()
	}
	cancel()
	release()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: got %v, want %v", err, context.Canceled)
	}
	expectVersion(t, s, "ann", 0)
}

func TestOnCommitIsCalledForNewMessagesOnly(t *testing.T) {
	var calls atomic.Int32
	s := openAt(t, newPath(t), Options{OnCommit: func() { calls.Add(1) }})
	expect := func(what string, want int32) {
		t.Helper()
		if err := s.Sent(t.Context(), "unknown"); err != nil { // waits for all earlier writes
			t.Fatal(err)
		}
		if got := calls.Load(); got != want {
			t.Errorf("after %s: %d calls, want %d", what, got, want)
		}
	}
	c := newCommit(t, "ann", events.Head{}, events.View{ID: "JhxND7ci", Owner: "ann"})
	commit(t, s, c)
	expect("a commit", 1)
	if err := s.Commit(t.Context(), c); !errors.Is(err, events.ErrConflict) {
		t.Fatal(err)
	}
	expect("a conflict", 1)
	if err := s.Touch(t.Context(), "JhxND7ci", events.Use{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	expect("a use", 1)
	for range 2 {
		if err := s.Notify(t.Context(), events.Message{ID: "notice", Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		expect("a notice", 2)
	}
	if err := s.Sent(t.Context(), c.Records()[0].ID(), "notice"); err != nil {
		t.Fatal(err)
	}
	expect("Sent", 2)
}

func TestTouchFailsWithoutWaitingWhenTheQueueIsFull(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: "JhxND7ci", Owner: "ann"}))
	defer hold(t, s)()
	var err error
	for range maxBatch + 1 {
		err = errors.Join(err, s.Touch(t.Context(), "JhxND7ci", events.Use{At: time.Now()}))
	}
	if !errors.Is(err, errFull) {
		t.Errorf("Touch of a store that cannot write: got %v, want %v", err, errFull)
	}
}

// TestNotifyReturnsWhenItsContextEnds: a check of a credential waits for a notice a
// short time only. The same notice can be put again.
func TestNotifyReturnsWhenItsContextEnds(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	m := events.Message{ID: "TokenReused/JhxND7ci/7/2026-11-21", Type: "TokenReused", V: 1, Time: indexNow, Data: []byte("{}")}
	release := hold(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Notify(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Notify of a store that does not write: got %v, want %v", err, context.DeadlineExceeded)
	}
	release()
	if err := s.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if ms, err := s.Pending(t.Context(), indexNow.Add(time.Hour), 10); err != nil || len(ms) != 1 {
		t.Errorf("got %v, %v, want the notice once", ms, err)
	}
}
