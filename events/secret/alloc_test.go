//go:build !race

// The race detector makes sync.Pool drop some of its values. So this file counts
// allocations only without the race detector.

package secret_test

import (
	"testing"

	"apitoken/events/secret"
)

// TestCheckingATokenHardlyAllocates limits the allocations in code that every
// request runs. The two are the pointer of a Secret and the 32 bytes of a MAC.
func TestCheckingATokenHardlyAllocates(t *testing.T) {
	k := keys(t, pepper("a"))
	v, err := secret.NewVerifier(k, parse(t, vectors[0]), "ann")
	if err != nil {
		t.Fatal(err)
	}
	text := "acme_" + vectors[0]
	if n := testing.AllocsPerRun(1000, func() { check(t, k, v, text) }); n > 2 {
		t.Errorf("parsing and verifying allocates %v times, want 2 at most", n)
	}
	garbage := vectors[0][:40] + "0"
	if n := testing.AllocsPerRun(1000, func() { _, _ = secret.Parse(garbage) }); n > 0 {
		t.Errorf("refusing garbage allocates %v times", n)
	}
}
