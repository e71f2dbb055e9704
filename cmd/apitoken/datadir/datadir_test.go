package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"apitoken/events"
)

// TestConcurrentFirstStartsReadTheSamePeppers: two servers may be started on a new
// folder at the same time. One of them opens it. Neither may replace the peppers
// that the other has read.
func TestConcurrentFirstStartsReadTheSamePeppers(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		var starts sync.WaitGroup
		macs := make([]string, 8)
		for i := range macs {
			starts.Go(func() {
				keys, err := loadKeys(dir)
				if err != nil {
					t.Error(err)
					return
				}
				mac, err := keys.MAC(keys.Current(), []byte("same"))
				if err != nil {
					t.Error(err)
				}
				macs[i] = string(mac)
			})
		}
		starts.Wait()
		for _, mac := range macs {
			if mac != macs[0] {
				t.Fatal("two starts read different peppers")
			}
		}
	}
}

func TestWritePrivateReplacesTheFileAndLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("open to all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WritePrivate(path, "private"); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPrivate(path); got != "private" || err != nil {
		t.Errorf("got %q, %v; want the new text", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder contains %v, %v; want the one file", entries, err)
	}
}

func TestWriteOnceKeepsAnEarlierFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, text := range []string{"first", "second"} {
		if err := writeOnce(path, text); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ReadPrivate(path); got != "first" || err != nil {
		t.Errorf("got %q, %v; want the first text", got, err)
	}
}

func TestReadPrivateRefusesFilesOpenToOtherUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode := range fs.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // its owner cannot read it
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		text, err := ReadPrivate(path)
		if mode&0o077 == 0 {
			if text != "text" || err != nil {
				t.Errorf("mode %03o: %q, %v; want the text", mode, text, err)
			}
		} else if remedy := fmt.Sprintf("run `chmod 600 %s`", path); err == nil || !strings.HasSuffix(err.Error(), remedy) || text != "" {
			t.Errorf("mode %03o: %q, %v; want an error that ends in %q", mode, text, err, remedy)
		}
	}
}

// TestAFolderOfAnOlderVersionIsRefusedWithTheseWords: serve, bootstrap and audit
// open the folder by this call. Peppers and store must stay as they are.
func TestAFolderOfAnOlderVersionIsRefusedWithTheseWords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(f.Path(storeFile), 0o600, nil)
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte("1")) })
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(f.Path(storeFile))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), dir, nil)
	if !errors.Is(err, events.ErrOlderVersion) || !strings.Contains(err.Error(), "made by an older version of apitoken") || strings.Contains(err.Error(), "changed") {
		t.Errorf("got %v, want an error that says that an older version made the file", err)
	}
	if after, err := os.ReadFile(f.Path(storeFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store was changed (%v)", err)
	}
}
