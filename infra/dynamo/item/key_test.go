package item_test

import (
	"fmt"
	"testing"

	"apitoken/infra/dynamo/item"
)

// TestTheSequenceOfAnyKeySkipsTheKey: a reader goes on after the sequence. It must
// skip the key, and no record with a key of the right form.
func TestTheSequenceOfAnyKeySkipsTheKey(t *testing.T) {
	for _, sk := range []string{
		"EVENT#000000000001", "EVENT#000000000042", "EVENT#999999999999", "EVENT#00000x", "EVENT#00000#", "EVENT#0000000000015", "EVENT#00000000001",
		"EVENT#00000000001~", "EVENT#", "EVENT#x", "EVENT#/",
	} {
		seq := item.SequenceOf(sk)
		if next := item.RecordSK(seq + 1); seq < item.LastSeq && next <= sk {
			t.Errorf("%s: after %d comes %s, which is not after the key", sk, seq, next)
		}
		if this := item.RecordSK(seq); seq > 0 && this > sk {
			t.Errorf("%s: %d would skip %s, which is after the key", sk, seq, this)
		}
	}
	if got := item.SequenceOf(fmt.Sprintf("EVENT#%012d", 42)); got != 42 {
		t.Errorf("got %d, want 42", got)
	}
}
