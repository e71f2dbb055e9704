package bolt_test

import (
	"path/filepath"
	"testing"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// open returns a store as the service opens it, in a folder that Open makes.
func open(t testing.TB) events.Store {
	t.Helper()
	return bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "data", "apitoken.db"), bolt.Options{})
}

func TestStoreKeepsThePromisesOfThePorts(t *testing.T) {
	storetest.Run(t, func(t *testing.T) events.Store { return open(t) })
}

func TestOneFileServesAllChecks(t *testing.T) {
	shared := open(t)
	storetest.Run(t, func(*testing.T) events.Store { return shared })
}
