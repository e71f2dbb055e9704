// Package sweeptest lets many tokens fall due in one hour, on any store. Each store
// runs it in a test of its own.
package sweeptest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
	"apitoken/events/sweep"
	"apitoken/events/token"
)

const (
	// OfOwner is the number of tokens of one owner. They fit into one commit.
	OfOwner = 45

	// MaxHeap is how much the heap may grow during a sweep, in bytes. It is less than
	// what 100,000 tokens need, and more than the pages that a store reads at a time.
	MaxHeap = 8 << 20

	day = 24 * time.Hour
)

var (
	due  = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	made = due.AddDate(0, 0, -29) // so the tokens that expire were made after their warning
)

// Run creates n tokens that fall due in one hour: each second one is warned about,
// each other one expires. It checks that sweeps in and after this hour handle each
// of them once, and that the heap does not grow with their number.
func Run(t *testing.T, store events.Store, n int) {
	t.Helper()
	began := time.Now()
	settingstest.Apply(t, store, storetest.Keys, made, 0, settings.Change{WarningDays: &[]int{30}})
	owners := fill(t, store, n)
	t.Logf("%d tokens of %d owners were made in %v", n, len(owners), time.Since(began))
	now := due
	measured := &heap{Store: store, base: live()}
	i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Now: func() time.Time { return now }})
	s := sweep.New(sweep.Config{Store: measured, Issuer: i, Keys: storetest.Keys, Now: func() time.Time { return now }})
	var all sweep.Result
	for _, after := range []time.Duration{0, 20 * time.Minute, time.Hour, 2 * time.Hour} {
		now = due.Add(after)
		began := time.Now()
		r, err := s.Run(t.Context())
		if err != nil {
			t.Fatalf("the sweep after %v: %v", after, err)
		}
		t.Logf("after %v: %+v in %v", after, r, time.Since(began))
		if nothing := after == 0 || after > time.Hour; nothing != (r == sweep.Result{}) {
			t.Errorf("the sweep after %v: got %+v, want that it has nothing to do: %t", after, r, nothing)
		}
		all.Warned += r.Warned
		all.Expired += r.Expired
	}
	if all.Warned != n/2 || all.Expired != n-n/2 {
		t.Errorf("got %+v, want %d warnings and %d expiries", all, n/2, n-n/2)
	}
	t.Logf("the heap grew by %d KB in %d pages", measured.most>>10, measured.pages)
	if measured.most > MaxHeap || measured.pages < n/events.ExpiringPage {
		t.Errorf("the heap grew by %d bytes, want at most %d; it was measured %d times", measured.most, MaxHeap, measured.pages)
	}
	check(t, store, owners, n)
}

// fill creates the tokens, in commits of OfOwner. The time between two
// due times is the same, and spreads them over an hour.
func fill(t *testing.T, store events.Store, n int) (owners []string) {
	t.Helper()
	var all sync.WaitGroup
	free := make(chan struct{}, 4)
	for first := 0; first < n; first += OfOwner {
		owner := fmt.Sprintf("user%06d", first/OfOwner)
		owners = append(owners, owner)
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			if err := create(t.Context(), store, owner, first, min(first+OfOwner, n), n); err != nil {
				t.Errorf("creating tokens of %s: %v", owner, err)
			}
		})
	}
	all.Wait()
	return owners
}

func create(ctx context.Context, store events.Store, owner string, first, end, n int) error {
	at := made
	var before token.State
	var facts []events.Fact
	after := before
	for k := first; k < end; k++ {
		expires := due.Add(time.Minute + time.Duration(k)*58*time.Minute/time.Duration(n))
		if k%2 == 1 {
			expires = expires.Add(30 * day)
		}
		fact, err := token.Decide(after, token.Create{
			At: at, Policy: token.Policy{TokenLimit: OfOwner}, By: token.Maker{Owner: owner}, ID: secret.Mint("").ID, Owner: owner,
			Wish: token.Wish{ExpiresAt: expires}, Verifier: events.Verifier{Kid: storetest.Keys.Current(), MAC: make([]byte, 32)},
		})
		if err != nil {
			return err
		}
		facts = append(facts, fact...)
		after = token.Fold(after, fact[0], at)
	}
	state, err := token.EncodeState(after)
	if err != nil {
		return err
	}
	m := events.Meta{Command: owner, Actor: owner, At: at}
	c, err := events.NewCommit(storetest.Keys, events.UserStream(owner), events.Head{}, m, facts, token.StateV, state, token.Effect(before, after, facts, at, 0))
	if err != nil {
		return err
	}
	for range 5 {
		// Nothing else writes to this stream: a conflict shows that an earlier try was
		// applied.
		if err = store.Commit(ctx, c); err == nil || errors.Is(err, events.ErrConflict) {
			return nil
		}
	}
	return err
}

// heap measures the live heap at each page.
type heap struct {
	events.Store
	base  uint64
	most  uint64 // growth
	pages int
}

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Expiring implements events.Expiries.
func (h *heap) Expiring(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
	return h.Store.Expiring(ctx, kind, from, to, func(page []events.Expiring) error {
		err := f(page)
		if now := live(); now > h.base {
			h.most = max(h.most, now-h.base)
		}
		h.pages++
		return err
	})
}

// check counts what is in the log and in the outbox.
func check(t *testing.T, store events.Store, owners []string, n int) {
	t.Helper()
	expired := map[string]int{}
	for _, owner := range owners {
		rs, err := store.History(t.Context(), events.UserStream(owner), 0, 10*OfOwner)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if r.Type == "TokenExpired" {
				expired[r.Subject()]++
			}
		}
	}
	warned := map[string]int{}
	ms, err := store.Pending(t.Context(), due.AddDate(1, 0, 0), 10*n)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if m.Type == "TokenExpiring" {
			warned[m.Subject]++
		}
	}
	for what, count := range map[string]map[string]int{"expired": expired, "warned about": warned} {
		for id, times := range count {
			if times != 1 || expired[id] == warned[id] {
				t.Errorf("token %s is %s %d times", id, what, times)
			}
		}
	}
	if len(expired) != n-n/2 || len(warned) != n/2 {
		t.Errorf("%d tokens expired and %d were warned about, want %d and %d", len(expired), len(warned), n-n/2, n/2)
	}
}
