package bolt_test

import (
	"path/filepath"
	"testing"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/infra/bolt"
)

// open gives a store in a folder of its own.
func open(t testing.TB, o bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "data", "apitoken.db"), o)
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

func TestStoreKeepsThePromisesOfThePorts(t *testing.T) {
	storetest.Run(t, func(t *testing.T) events.Store { return open(t, bolt.Options{}) })
}

func TestOneFileServesAllChecks(t *testing.T) {
	shared := open(t, bolt.Options{})
	storetest.Run(t, func(*testing.T) events.Store { return shared })
}
