package attack

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
)

// place names an item: a partition and a sort key on DynamoDB, a bucket and a key
// in the embedded store.
type place struct{ space, key string }

// item has the members of an item by their names, without its key. A value is a
// string, a number, []byte, bool, nil, []any or map[string]any. A nil item is
// missing.
type item map[string]any

// number is a number of DynamoDB. The embedded store has uint64 and int64.
type number string

// kind is the kind of an item.
type kind string

const (
	view   kind = "view"
	use    kind = "use"
	head   kind = "head"
	record kind = "record"
	other  kind = "other" // indexes, outbox, notices, replies
)

// victim is a store under attack.
type victim interface {
	// service returns the store as the service has it.
	service(testing.TB) events.Store

	// repairs returns the store as audit repair has it.
	repairs(testing.TB) issuer.RepairStore

	// The attacker's own access. put with a nil item removes the item. It returns
	// false if the engine does not store such an item.
	items(testing.TB) map[place]item
	item(testing.TB, place) item
	put(testing.TB, place, item) bool

	// share is the number of changes of which a run makes one, where there are many.
	share() int

	kind(place) kind
	view(id string) place
	use(id string) place
	head(events.Stream) place
	record(events.Stream, uint64) place

	// unsealed are the members of a kind of item that the service neither shows
	// nor decides from.
	unsealed(kind) []string
}

// reset puts all items back as they were.
func reset(t testing.TB, v victim, want map[place]item) {
	t.Helper()
	got := v.items(t)
	both := maps.Clone(got)
	maps.Copy(both, want)
	for _, p := range sorted(both) {
		if !reflect.DeepEqual(got[p], want[p]) {
			v.put(t, p, want[p])
		}
	}
}

func sorted[V any](items map[place]V) []place {
	return slices.SortedFunc(maps.Keys(items), func(a, b place) int {
		return strings.Compare(a.space+"\x00"+a.key, b.space+"\x00"+b.key)
	})
}

// with returns the item with another value of a member.
func (i item) with(c change) item {
	changed := maps.Clone(i)
	if c.value == removed {
		delete(changed, c.member)
	} else {
		changed[c.member] = c.value
	}
	return changed
}
