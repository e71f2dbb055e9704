// Package lifetest has suites about the whole life of tokens. They drive the
// issuer and its guard on a store, and every store runs them. Machine draws random
// histories of all commands and keeps the truth about every secret that was handed
// out. Suspension and Offboarding race with a thief.
//
// The suites look at a store only through the ports, and know nothing about HTTP.
package lifetest

import (
	"flag"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
)

// Open returns a new store, which is empty.
type Open func(t testing.TB) events.Store

var (
	start     = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	here      = netip.MustParseAddr("10.1.2.3")
	elsewhere = netip.MustParseAddr("192.0.2.1")
)

// Machine runs random histories of all commands on new stores: as many as
// -rapid.checks says, and at most this number. After each step it checks every
// secret of the history with the guard, and compares the log, the heads and the
// views. Each command and the most important refusals must occur in some history:
// the common ones in hundred histories, and the rare ones in a thousand.
func Machine(t *testing.T, most int, open Open) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	wanted, err := strconv.Atoi(checks.Value.String())
	if err != nil {
		t.Fatal(err)
	}
	setChecks(t, min(wanted, most))
	defer setChecks(t, wanted)
	ran, seen := 0, map[string]int{}
	check := func() {
		rapid.Check(t, func(rt *rapid.T) {
			ran++ // fewer than wanted with -short
			h := &history{TB: t}
			rt.Cleanup(h.end)
			w := newWorld(rt, open(h), seen)
			rt.Repeat(w.actions())
			w.compareAll(rt)
		})
	}
	check()
	var want []string
	if ran >= 100 {
		want = common
	}
	if ran >= 1000 {
		want = slices.Concat(common, rare)
	}
	for repeats := 0; repeats < 5 && !t.Failed() && len(missing(seen, want)) > 0; repeats++ { // by a rare chance
		check()
	}
	t.Logf("commands, refusals and denials in all %d histories: %v", ran, seen)
	if names := missing(seen, want); len(names) > 0 {
		t.Errorf("no random history has %q: draw what leads to it", names)
	}
}

func missing(seen map[string]int, want []string) (names []string) {
	for _, name := range want {
		if seen[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// history is the test of one history. Its store is closed before the next one is
// opened, because thousands of them do not fit into one process.
type history struct {
	testing.TB
	undo []func()
}

// Cleanup implements testing.TB.
func (h *history) Cleanup(f func()) { h.undo = append(h.undo, f) }

// TempDir implements testing.TB.
func (h *history) TempDir() string {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			h.Error(err)
		}
	})
	return dir
}

func (h *history) end() {
	for _, f := range slices.Backward(h.undo) {
		f()
	}
}

func setChecks(t *testing.T, n int) {
	t.Helper()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
}
