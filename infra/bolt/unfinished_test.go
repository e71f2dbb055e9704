package bolt

import (
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// TestAFileWithAnUnfinishedFirstWriteIsMadeAgain cuts a new file at lengths that
// a full disk may leave. A short file of another program must not be emptied.
// For a used file without its end see TestTheErrorNamesAFileThatWasCutShort.
func TestAFileWithAnUnfinishedFirstWriteIsMadeAgain(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	db, err := bbolt.Open(whole, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for _, length := range []int{100, page, 2 * page, firstPages*page - 1} {
		path := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(path, content[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err != nil {
			t.Errorf("cut at %d: %v", length, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Errorf("cut at %d: closing: %v", length, err)
		}
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	letter := "a short letter, and not a store"
	if err := os.WriteFile(foreign, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(foreign, Options{}); err == nil {
		s.Close()
		t.Error("Open of a letter: got no error")
	}
	if b, err := os.ReadFile(foreign); err != nil || string(b) != letter {
		t.Errorf("the letter: got %q, %v, want it unchanged: %q", b, err, letter)
	}
}
