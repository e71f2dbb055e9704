package main

import (
	"context"
	"errors"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/infra/bolt"
)

var historyTime = budget{"create for an owner with a long past, without sync", "an owner with 10 events", 1.3, "×"}

const pairs = 300 // in a round, each a create and its revoke

// owner is one caller and its issuer.
type owner struct {
	issuer *issuer.Issuer
	by     guard.Principal
}

// history compares a create for an owner with many past events with a create for
// an owner with few. The store does not sync, because that would hide the
// difference.
func (b *bench) history(f folder) error {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	if err := f.noChangeRate(store); err != nil { // the owners have far more changes in an hour than the default allows
		return errors.Join(err, store.Close())
	}
	_, i := f.api(store)
	short, long := owner{i, guard.Principal{Owner: "short"}}, owner{i, guard.Principal{Owner: "long"}}
	_, err1 := short.createAndRevoke(10 / 2)
	_, err2 := long.createAndRevoke(b.past / 2)
	if err := errors.Join(err1, err2); err != nil {
		return errors.Join(err, store.Close())
	}
	// Each pair adds two events, so the short past stays far below the long one.
	r, err := ratio(b.rounds,
		func() (float64, error) { return long.createAndRevoke(pairs) },
		func() (float64, error) { return short.createAndRevoke(pairs) })
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	b.report(historyTime.of(r))
	return nil
}

// noChangeRate removes the limit of changes in an hour. It runs before an issuer
// reads the settings.
func (f folder) noChangeRate(store *bolt.Store) error {
	rules := issuer.Rules[settings.State, settings.Command]{
		StateV: settings.StateV, Decode: settings.DecodeState, Encode: settings.EncodeState, Decide: settings.Decide, Fold: settings.Fold,
	}
	m := events.Meta{Command: "bench", Actor: token.Operator, At: time.Now()}
	_, err := issuer.Do(context.Background(), store, f.keys, rules, events.SettingsStream, m, func(at time.Time) settings.Command {
		return settings.Change{At: at, By: token.Maker{Operator: true}, ChangeRate: new(0)}
	})
	return err
}

// createAndRevoke creates and revokes n tokens and returns the time of one pair.
func (b owner) createAndRevoke(n int) (ns float64, err error) {
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
