package guard

import (
	"fmt"
	"testing"
)

// TestTheMemoryOfSentNoticesHasABound: an attacker with many old secrets must not
// fill the memory of the process.
func TestTheMemoryOfSentNoticesHasABound(t *testing.T) {
	var s sentNotices
	for i := range 3 * maxSent {
		if id := fmt.Sprint(i); !s.claim(id) || s.claim(id) {
			t.Fatalf("notice %d: want it to be sent once", i)
		}
		if len(s.ids) > maxSent {
			t.Fatalf("after %d notices the guard remembers %d, want at most %d", i+1, len(s.ids), maxSent)
		}
	}
}
