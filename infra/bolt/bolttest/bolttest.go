// Package bolttest gives tests a real store.
package bolttest

import (
	"path/filepath"
	"testing"

	"apitoken/infra/bolt"
)

// Open returns an empty store in a folder of its own. It is closed when the
// test ends. Nothing is synced to the disk, since a test does not outlive a
// power failure.
func Open(t testing.TB) *bolt.Store {
	t.Helper()
	return OpenFile(t, filepath.Join(t.TempDir(), "apitoken.db"))
}

// OpenFile is Open for a test that needs the path of the store's file.
func OpenFile(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
