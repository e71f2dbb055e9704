package dynamo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestADamagedRecordDelaysOnlyItsOwnStream: Pending skips a damaged record and
// the later ones of its stream. It returns the other messages and an error that
// names the damaged record.
func TestADamagedRecordDelaysOnlyItsOwnStream(t *testing.T) {
	const at = "2026-11-21T09:30:00.00000%dZ"
	key := func(owner string, seq int) string {
		return fmt.Sprintf(`"PK":{"S":"USER#%s"},"SK":{"S":"EVENT#%012d"},"unsent":{"S":"UNSENT#0"},"unsent_at":{"S":"`+at+`#%012d"}`, owner, seq, seq, seq)
	}
	whole := func(owner string, seq int) string {
		hash := strings.Repeat("A", 43) + "="
		return fmt.Sprintf(`%s,"seq":{"N":"%d"},"type":{"S":"TokenRevoked"},"v":{"N":"1"},"at":{"S":"`+at+`"},"prev_hash":{"B":"%s"},"hash":{"B":"%s"}`,
			key(owner, seq), seq, seq, hash, hash)
	}
	var entries, items []string
	for _, i := range []struct{ key, item string }{
		{key("ann", 1), whole("ann", 1)}, {key("ann", 2), key("ann", 2)}, {key("ann", 3), whole("ann", 3)}, {key("bob", 4), whole("bob", 4)},
	} {
		entries, items = append(entries, "{"+i.key+"}"), append(items, "{"+i.item+"}")
	}
	none := answer{200, `{"Items":[]}`}
	store, _ := stubbed(t, map[string][]answer{
		"Query":        {{200, `{"Items":[` + strings.Join(entries, ",") + `]}`}, none},
		"BatchGetItem": {{200, `{"Responses":{"tokens":[` + strings.Join(items, ",") + `]}}`}},
	})
	ms, err := store.Pending(t.Context(), time.Now(), 100)
	if err == nil || !strings.Contains(err.Error(), `"USER#ann" "EVENT#000000000002"`) {
		t.Errorf("got %v, want an error that names the damaged record", err)
	}
	var got []string
	for _, m := range ms {
		got = append(got, m.ID)
	}
	if want := []string{"user/ann/1", "user/bob/4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
