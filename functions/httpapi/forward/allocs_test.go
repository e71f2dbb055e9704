//go:build !race

// The race detector makes sync.Pool drop some of its values. So this file counts
// allocations only without the race detector.

package forward_test

import "testing"

// TestAVerdictMakesFewAllocations, on the embedded store and with a line of
// slog.JSONHandler. Raise the number only with its reason: 8 are in
// bbolt, for a read transaction; 7 for the view, the use and their MACs; 1 for the inquiry
// with its line; 6 for the credential, the addresses, the request id and the headers.
func TestAVerdictMakesFewAllocations(t *testing.T) {
	send := verdicts(t)
	if n := testing.AllocsPerRun(500, send); n > 22 {
		t.Errorf("a verdict makes %v allocations, want at most 22", n)
	}
}
