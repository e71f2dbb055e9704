package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

// takeSnapshot writes a snapshot into a file.
func takeSnapshot(t *testing.T, taken *Snapshot) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := taken.WriteTo(f)
	if err != nil || n != taken.Size() {
		t.Fatalf("got %d bytes, %v, want %d", n, err, taken.Size())
	}
	return f
}

// TestWritesAndReadsGoOnWhileASnapshotIsOpen grows the file to a multiple of its size:
// bbolt must not wait for the end of the snapshot to map the larger file.
func TestWritesAndReadsGoOnWhileASnapshotIsOpen(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	c := newCommit(t, "ann", events.Head{})
	commit(t, s, c)
	taken, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	grown := make(chan error, 1)
	go func() {
		for i := range 300 {
			v := events.View{ID: fmt.Sprintf("t%07d", i), Owner: "bob", Description: strings.Repeat("x", 3000)}
			if err := s.Commit(ctx, newCommit(t, fmt.Sprint("bob", i), events.Head{}, v)); err != nil {
				grown <- err
				return
			}
			if _, err := s.Head(ctx, "user/ann"); err != nil {
				grown <- err
				return
			}
		}
		grown <- nil
	}()
	select {
	case err := <-grown:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("a write or a read waits for the snapshot")
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() < 10*taken.Size() {
		t.Errorf("the file has %d bytes and the snapshot %d (%v): the file did not grow", info.Size(), taken.Size(), err)
	}
	f := takeSnapshot(t, taken)
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	expectSnapshot(t, f, c.Head(), s.Deployment())
}

// expectSnapshot expects that a snapshot has the head of ann, nothing of bob, and
// takes no writes. It opens the file without its name.
func expectSnapshot(t *testing.T, f *os.File, head events.Head, deployment string) {
	t.Helper()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Head(t.Context(), "user/ann")
	if err != nil || got.Hash != head.Hash || s.Deployment() != deployment {
		t.Errorf("got %+v of %s, %v, want %+v of %s", got, s.Deployment(), err, head, deployment)
	}
	if later, err := s.Head(t.Context(), "user/bob0"); err != nil || later.Version != 0 {
		t.Errorf("a later commit is in the snapshot: %+v, %v", later, err)
	}
	if err := s.Commit(t.Context(), newCommit(t, "ann", head)); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write got %v, want an error", err)
	}
}

func TestASnapshotThatIsNoStoreIsRefused(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	taken, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, spoil := range map[string]func(*os.File) error{
		"empty":     func(f *os.File) error { return f.Truncate(0) },
		"cut short": func(f *os.File) error { return f.Truncate(taken.Size() - 1) },
		"rubbish": func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, taken.Size()), 0)
			return err
		},
	} {
		f := takeSnapshot(t, taken)
		if err := spoil(f); err != nil {
			t.Fatal(err)
		}
		if opened, err := OpenSnapshot(f); err == nil {
			opened.Close()
			t.Errorf("%s: it is opened", name)
		}
	}
}

// TestTheLastMessageIsNotedWithItsRemoval: a message that was not in the outbox notes
// nothing, and a copy of the file has the note of its moment.
func TestTheLastMessageIsNotedWithItsRemoval(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	expectLast := func(want string) {
		t.Helper()
		if got, err := s.LastSent(t.Context()); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	expectLast("")
	c := newCommit(t, "ann", events.Head{})
	commit(t, s, c)
	commit(t, s, newCommit(t, "ann", c.Head()))
	for _, step := range []struct {
		ids  []string
		want string
	}{
		{[]string{"user/ann/1"}, "user/ann/1"},
		{[]string{"user/ann/1", "user/bob/1"}, "user/ann/1"},
		{[]string{"user/ann/2", "user/ann/1"}, "user/ann/2"},
	} {
		if err := s.Sent(t.Context(), step.ids...); err != nil {
			t.Fatal(err)
		}
		expectLast(step.want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(); !errors.Is(err, errClosed) {
		t.Errorf("a closed store got %v", err)
	}
}
