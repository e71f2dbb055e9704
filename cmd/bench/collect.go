package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/cmd/bench/load"
	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/infra/bolt"
)

var collectCreates = budget{"creates while ended tokens are removed from the store, 99 % of the requests", "without a removal", 2, "×"}

const (
	collectTime  = 15 * time.Second
	goneInCommit = 45
)

// collecting compares the time of creates at a moderate rate with and without a
// collection at the same time, on a store with n tokens that are past their retention.
func (b *bench) collecting(f folder, n int) error {
	if err := f.fillGone(context.Background(), n); err != nil {
		return err
	}
	admin, err := f.admin()
	if err != nil {
		return err
	}
	compared, err := meanwhile(f, "collect", func(p process, word string) load.Job {
		return besideJob(p, collectTime, []load.Request{createRequest(admin, word)})
	})
	if err != nil {
		return err
	}
	b.report(collectCreates.compared(compared[0], "ms"))
	return nil
}

// admin makes the token of an administrator.
func (f folder) admin() (text string, err error) {
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return "", err
	}
	_, secret, err := issuer.New(issuer.Config{Store: store, Keys: f.keys}).Bootstrap(context.Background(), "admin", false)
	return secret.Reveal(), errors.Join(err, store.Close())
}

// fillGone writes n tokens that are past their retention, with their records.
func (f folder) fillGone(ctx context.Context, n int) error {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	at := time.Now().UTC().AddDate(-2, 0, 0)
	for first := 0; first < n && err == nil; first += goneInCommit {
		owner := fmt.Sprint("gone", first)
		var facts []events.Fact
		var e events.Effect
		for k := range goneInCommit {
			v := events.View{
				ID: fmt.Sprintf("%08d", first+k), Owner: owner, Creator: owner, Name: owner + "_api_token", CreatedAt: at,
				First: 1, Seq: 1, Ended: events.EndedRevoked, EndedAt: at, KeepUntil: at.Add(time.Hour),
			}
			facts = append(facts, events.TokenCreated{TokenID: v.ID, Owner: owner, Creator: owner, Name: v.Name})
			e.Minted = append(e.Minted, v)
		}
		m := events.Meta{Command: owner, Actor: owner, At: at, Retention: time.Hour}
		var c events.Commit
		if c, err = events.NewCommit(f.keys, events.UserStream(owner), events.Head{}, m, facts, 1, []byte("{}"), e); err == nil {
			err = store.Commit(ctx, c)
		}
	}
	return errors.Join(err, store.Close(), f.emptyOutbox())
}
