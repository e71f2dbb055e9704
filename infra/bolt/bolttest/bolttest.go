// Package bolttest gives tests a real store.
package bolttest

import (
	"path/filepath"
	"testing"

	"apitoken/infra/bolt"
)

// Open returns an empty store in a folder of its own. The store is closed when
// the test ends. It does not sync, because a power failure ends the test too.
func Open(t testing.TB) *bolt.Store {
	t.Helper()
	return OpenFile(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
}

// OpenFile is Open for a test that needs a certain file or certain options.
func OpenFile(t testing.TB, path string, o bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, o)
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
