package bolt

import (
	"errors"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apitoken/events"
)

// fill commits until a commit fails. It returns the head after the last commit
// that succeeded, and the error.
func fill(t *testing.T, s *Store) (events.Head, error) {
	t.Helper()
	base := events.Head{}
	for range 20_000 {
		c := newCommit(t, "ann", base, events.View{ID: "ann" + base.Hash.String(), Owner: "ann", Description: strings.Repeat("d", 4000)})
		if err := s.Commit(t.Context(), c); err != nil {
			return base, err
		}
		base = c.Head()
	}
	t.Fatal("the disk was never full")
	return base, nil
}

// expectAnswered checks that the stream has exactly the commits that were
// answered, and that the file is sound.
func expectAnswered(t *testing.T, s *Store, base events.Head) {
	t.Helper()
	expectVersion(t, s, "ann", base.Version)
	rs, err := s.History(t.Context(), "user/ann", 0, 100_000)
	if err != nil || uint64(len(rs)) != base.Version {
		t.Errorf("the history: got %d records, %v, want %d", len(rs), err, base.Version)
	}
	if err := s.check(); err != nil {
		t.Errorf("the file: %v", err)
	}
}

// commitLarge commits more than the room that was left.
func commitLarge(t *testing.T, s *Store, base events.Head) events.Head {
	t.Helper()
	c := newCommit(t, "ann", base, events.View{ID: "last", Owner: "ann", Description: strings.Repeat("d", 100_000)})
	commit(t, s, c)
	return c.Head()
}

// check checks every page of the file.
func (s *Store) check() error {
	tx, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var all error
	for err := range tx.Check() {
		all = errors.Join(all, err)
	}
	return all
}

func TestAFullDiskRefusesCommitsAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "apitoken.db")
	s := openAt(t, path, Options{})
	base, err := fill(t, s)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("Commit on a full disk: got %v, want %v and the path", err, syscall.ENOSPC)
	}
	expectAnswered(t, s, base)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	base = commitLarge(t, s, base)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expectAnswered(t, openAt(t, path, Options{}), base)
}

// TestAFileThatCannotGrowLosesNothing limits the size of files, which needs no
// privilege. bbolt hides the kind of the error, so the store must be restarted.
func TestAFileThatCannotGrowLosesNothing(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path, Options{})
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	base, err := fill(t, s)
	if errRestore := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); errRestore != nil {
		t.Fatal(errRestore)
	}
	if !strings.Contains(err.Error(), syscall.EFBIG.Error()) || !strings.Contains(err.Error(), path) {
		t.Errorf("Commit to a file that cannot grow: got %v, want %v and the path", err, syscall.EFBIG)
	}
	expectAnswered(t, s, base)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path, Options{})
	expectAnswered(t, again, base)
	commitLarge(t, again, base)
}
