package bolt

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

func TestOnlyTheOwnerMayReadFolderAndFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "data", "apitoken.db")
	openAt(t, path, Options{}).Close()
	expectMode := func(path string, want fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: got %o, want %o", path, got, want)
		}
	}
	expectMode(path, 0o600)
	expectMode(filepath.Dir(path), 0o700)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{})
	expectMode(path, 0o600)
}

func TestTheErrorNamesAStoreThatIsOpenElsewhere(t *testing.T) {
	path := newPath(t)
	openAt(t, path, Options{})
	expectError(t, path, ErrLocked, "another process")
}

// expectError opens the store, which must fail with an error that has want, the
// path and the text says.
func expectError(t *testing.T, path string, want error, says string) {
	t.Helper()
	s, err := Open(path, Options{LockTimeout: time.Millisecond})
	if err == nil {
		s.Close()
		t.Errorf("Open of a wrong file: got no error, want %v", want)
		return
	}
	if want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), says) {
		t.Errorf("Open: got %v, want %v, the path %s and %q", err, want, path, says)
	}
}

func TestAForeignFileIsRefusedAndNotChanged(t *testing.T) {
	path := newPath(t)
	for _, content := range []string{"short", strings.Repeat("not a store\n", 5000), strings.Repeat("\x00", 65536)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		expectError(t, path, errForeign, "does not belong to apitoken")
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("a foreign file was changed (%v)", err)
		}
	}
	expectError(t, t.TempDir(), nil, "")
}

// alter changes the file with bbolt, without the store.
func alter(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err == nil {
		err = errors.Join(db.Update(f), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestABoltFileOfAnotherProgramIsRefused(t *testing.T) {
	path := newPath(t)
	alter(t, path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	})
	expectError(t, path, errForeign, "")
	alter(t, path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(metaBucket)
		return err
	})
	expectError(t, path, errForeign, "")
}

func TestTheErrorNamesAnotherLayout(t *testing.T) {
	path := newPath(t)
	openAt(t, path, Options{}).Close()
	alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(versionKey, []byte("99")) })
	expectError(t, path, nil, "made by a newer version of apitoken: it has layout 99")
	alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(versionKey, []byte("x")) })
	expectError(t, path, errDamaged, `layout "x"`)
}

// TestAFileOfAnOlderVersionIsRefusedWithTheseWords: layout 1 had no seals of
// views, and layout 2 no states in its indexes. Their views must not be reported
// as changed.
func TestAFileOfAnOlderVersionIsRefusedWithTheseWords(t *testing.T) {
	path := newPath(t)
	openAt(t, path, Options{}).Close()
	for _, older := range []string{"2", "1", "0"} {
		alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(versionKey, []byte(older)) })
		expectError(t, path, events.ErrOlderVersion, "made by an older version of apitoken")
		expectError(t, path, events.ErrOlderVersion, "layout "+older)
	}
}

func TestAMissingBucketIsDamage(t *testing.T) {
	path := newPath(t)
	openAt(t, path, Options{}).Close()
	alter(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket(headBucket) })
	expectError(t, path, errDamaged, "head")
}

// TestTheErrorNamesAFileThatWasCutShort has a store that is large enough to have
// its free list and its buckets after the cut.
func TestTheErrorNamesAFileThatWasCutShort(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path, Options{NoSync: true})
	base := events.Head{}
	for range 300 {
		c := newCommit(t, "ann", base)
		commit(t, s, c)
		base = c.Head()
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := 0 // the end of the used part: the file may be longer
	for i := len(whole); i > 0 && used == 0; i-- {
		if whole[i-1] != 0 {
			used = i
		}
	}
	for _, size := range []int{100, 4096, 8192, 12288, 16384, used / 2, used - 4096} {
		path := newPath(t)
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err == nil {
			s.Close()
			t.Errorf("Open of %d bytes of %d: got no error", size, len(whole))
			continue
		}
		if !errors.Is(err, errDamaged) && !errors.Is(err, errForeign) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open of %d bytes of %d: got %v, want an error that says that %s is damaged", size, len(whole), err, path)
		}
	}
}

func TestErrorsNameTheDamagedValue(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path, Options{})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: "JhxND7ci", Owner: "ann"}))
	s.Close()
	alter(t, path, func(tx *bbolt.Tx) (err error) {
		for _, name := range [][]byte{headBucket, recordBucket, tokenBucket} {
			b := tx.Bucket(name)
			k, v := b.Cursor().First()
			err = errors.Join(err, b.Put(bytes.Clone(k), bytes.Clone(v[:len(v)/2])))
		}
		return err
	})
	s = openAt(t, path, Options{})
	ctx := t.Context()
	_, errHead := s.Head(ctx, "user/ann")
	_, errHistory := s.History(ctx, "user/ann", 0, 10)
	_, _, errToken := s.Token(ctx, "JhxND7ci")
	page, errTokens := s.Tokens(ctx, events.Query{Now: time.Now(), Limit: 10})
	if errTokens != nil || len(page.Views) > 0 || len(page.Damaged) != 1 || page.Damaged[0].TokenID != "JhxND7ci" {
		t.Errorf("Tokens: got %v, %v, want one damaged entry, and no view", page, errTokens)
	}
	_, errPending := s.Pending(ctx, time.Now().Add(time.Hour), 10)
	for what, err := range map[string]error{
		"stream user/ann: record user/ann/1": errHistory, "head of stream user/ann": errHead, `token "JhxND7ci"`: errToken,
		`view of token "JhxND7ci"`: page.Damaged[0], "outbox: record 1 of stream user/ann": errPending,
	} {
		if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %v and %q", err, events.ErrDamaged, what)
		}
	}
}
