package bolt

import (
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// TestAFileWhoseFirstWriteWasCutShortIsMadeAnew cuts a new file at every
// length that a full disk may leave; a short file of somebody else is not ours
// to empty. A used file that lost its end is another matter, see
// TestAFileCutShortAnywhereIsNamed.
func TestAFileWhoseFirstWriteWasCutShortIsMadeAnew(t *testing.T) {
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
	if err := os.WriteFile(foreign, []byte("a short letter that is nobody's store"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(foreign, Options{}); err == nil {
		s.Close()
		t.Error("a letter passes for a store")
	}
	if b, err := os.ReadFile(foreign); err != nil || len(b) != 37 {
		t.Errorf("the letter has %d bytes now, %v", len(b), err)
	}
}
