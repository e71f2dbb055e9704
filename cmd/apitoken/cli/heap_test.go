package cli

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// heapGoal returns the size of the heap at which the collector runs next.
func heapGoal() uint64 {
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	return goal[0].Value.Uint64()
}

// TestServeCollectsItsHeapSeldom: the ballast raises the goal of the collector by its
// size and as much again. A setting of the operator wins.
func TestServeCollectsItsHeapSeldom(t *testing.T) {
	before := heapGoal()
	for _, c := range []struct {
		name, variable string
		raised         bool
	}{
		{"without settings", "", true},
		{"with GOGC", "GOGC", false},
		{"with GOMEMLIMIT", "GOMEMLIMIT", false},
		{"with another variable", "GOMAXPROCS", true},
	} {
		free := keepHeapFloor(func(name string) string {
			if name == c.variable {
				return "1"
			}
			return ""
		})
		if got := heapGoal() >= before+heapFloor; got != c.raised {
			t.Errorf("%s: the goal of the collector was raised: %t, want %t", c.name, got, c.raised)
		}
		free()
	}
	if got := heapGoal(); got >= before+heapFloor {
		t.Errorf("the goal is %d after the end, and was %d before", got, before)
	}
}
