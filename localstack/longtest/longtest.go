// Package longtest says how much a long test does: less where it runs a second time, and
// more in make soak.
package longtest

import (
	"os"
	"testing"
)

// Shorter reports whether a long test does less: APITOKEN_SHORTER is 1. make race sets
// it, because the race detector makes each test ten times slower. CI also sets it where
// it runs make test for the second time.
func Shorter() bool { return os.Getenv("APITOKEN_SHORTER") == "1" }

// SkipSequential skips a long test if tests are Shorter. It is for tests that do one
// thing after the other, in which the race detector finds little.
func SkipSequential(t testing.TB) {
	t.Helper()
	if Shorter() {
		t.Skip("a long test that does one thing after the other")
	}
}

// Amount returns how much a long test does: ci, or soak if APITOKEN_SOAK is 1, as
// make soak sets it.
func Amount(ci, soak int) int {
	if os.Getenv("APITOKEN_SOAK") == "1" {
		return soak
	}
	return ci
}
