package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt"
)

const pairs = 300 // creates, each with its revoke, in a round

// busy is an owner with a past.
type busy struct {
	issuer *issuer.Issuer
	by     guard.Principal
}

// history compares creating for an owner with a long past with creating for
// one with a short past. Syncs are left out: they would hide the difference.
func history(f folder, report func(budget), past, rounds int) error {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	_, i := f.api(store, io.Discard)
	short, long := busy{i, guard.Principal{Owner: "short"}}, busy{i, guard.Principal{Owner: "long"}}
	_, err1 := short.live(10 / 2)
	_, err2 := long.live(past / 2)
	if err := errors.Join(err1, err2); err != nil {
		return errors.Join(err, store.Close())
	}
	// The short past grows by two events a pair and stays far below the long one.
	r, err := ratio(rounds,
		func() (float64, error) { return long.live(pairs) },
		func() (float64, error) { return short.live(pairs) })
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	report(budget{fmt.Sprintf("create with %d past events / with 10", past), r, historyBudget, false, "x"})
	return nil
}

// live creates and revokes n tokens and gives the time for one pair.
func (b busy) live(n int) (ns float64, err error) {
	ctx, start := context.Background(), time.Now()
	for range n {
		t, _, err := b.issuer.Create(ctx, b.by, "", token.Wish{})
		if err != nil {
			return 0, err
		}
		if err := b.issuer.Revoke(ctx, b.by, t.ID); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start)) / float64(n), nil
}
