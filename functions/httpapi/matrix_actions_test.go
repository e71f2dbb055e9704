package httpapi_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/events/settings"
)

// findings are the answers that unlimited tokens got about other users.
type findings struct {
	mu    sync.Mutex
	cells int
	can   map[string]map[string]bool // what was asked → the actions held → whether it was allowed
}

func (f *findings) note(c cell, allowed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cells++
	if c.caller.limits != unlimited || c.caller.denied != yes || c.own() {
		return
	}
	if f.can == nil {
		f.can = map[string]map[string]bool{}
	}
	asked := c.name + " of " + c.target.name
	if f.can[asked] == nil {
		f.can[asked] = map[string]bool{}
	}
	f.can[asked][strings.Join(c.holds, " ")] = allowed
}

// checkActions says it once more, about the answers alone: an action guards what all
// the others together cannot do. No single other action reaches that, no action
// takes a power away, and a secret of another user takes create.
func (f *findings) checkActions(t *testing.T) {
	all := settings.Actions()
	without := func(action string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == action }), " ")
	}
	guards := map[string]int{}
	for asked, can := range f.can {
		for _, guard := range all {
			if !can[strings.Join(all, " ")] || can[without(guard)] {
				continue
			}
			guards[guard]++
			for _, single := range all {
				if single != guard && can[single] {
					t.Errorf("%s: %s guards it, but %s alone reaches it", asked, guard, single)
				}
			}
		}
		for _, holds := range subsets(all) {
			held := strings.Join(holds, " ")
			if can[held] && !can[strings.Join(all, " ")] && !strings.HasPrefix(asked, "create") {
				t.Errorf("%s: allowed with %q, and not with every action", asked, held)
			}
			if hands := strings.HasPrefix(asked, "create ") || strings.HasPrefix(asked, "rotate "); hands && can[held] && !slices.Contains(holds, "create") {
				t.Errorf("%s: allowed with %q, without create", asked, held)
			}
		}
	}
	for _, action := range all {
		if guards[action] == 0 {
			t.Errorf("%s guards nothing", action)
		}
	}
}
