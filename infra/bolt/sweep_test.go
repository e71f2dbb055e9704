package bolt_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"apitoken/events/sweep/sweeptest"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// TestManyTokensFallDueInOneHour runs with 2,000 tokens, or as many as DUE says.
func TestManyTokensFallDueInOneHour(t *testing.T) {
	n := 2000
	if text := os.Getenv("DUE"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("DUE: %v", err)
		}
	}
	sweeptest.Run(t, bolttest.OpenFile(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{}), n)
}
