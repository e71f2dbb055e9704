// Package longtest makes the longest tests shorter where they run a second time.
package longtest

import (
	"os"
	"testing"
)

// Shorter reports whether a long test does less: APITOKEN_SHORTER is 1. make race sets
// it, because the race detector makes each test ten times slower. CI also sets it where
// it runs make test for the second time.
func Shorter() bool { return os.Getenv("APITOKEN_SHORTER") == "1" }

// SkipSequential skips a long test if tests are Shorter. It is for tests without
// goroutines, in which the race detector finds nothing.
func SkipSequential(t testing.TB) {
	t.Helper()
	if Shorter() {
		t.Skip("a long test without goroutines")
	}
}
