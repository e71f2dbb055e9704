package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/infra/bolt"
)

const (
	collectBudget = 2
	collectTime   = 15 * time.Second
	goneInCommit  = 45
)

// collecting compares the time of creates at a moderate rate with and without a
// collection at the same time, on a store with n tokens that are past their retention.
func collecting(f folder, report func(budget), n int) error {
	if err := f.fillGone(context.Background(), n); err != nil {
		return err
	}
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	h, i := f.api(store, io.Discard)
	_, admin, err := i.Bootstrap(context.Background(), "admin", false)
	if err != nil {
		return err
	}
	s, err := listen(h)
	if err != nil {
		return err
	}
	defer s.srv.Close()
	idle, err := createTimes(s.url, admin.Reveal(), "idle")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		done, err := store.Collect(ctx, time.Now())
		if done.Records == 0 {
			err = errors.New("the collection removed nothing")
		}
		ended <- err
	}()
	busy, err := createTimes(s.url, admin.Reveal(), "busy")
	stop()
	if err := errors.Join(err, early(<-ended)); err != nil {
		return err
	}
	report(budget{fmt.Sprintf("meanwhile a removal of %d ended tokens / without it, 99 %% of the creates", n), busy / idle, collectBudget, false, "x"})
	return nil
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

// createTimes creates tokens of new owners for some time, and returns the 99th
// percentile in ms.
func createTimes(url, admin, name string) (float64, error) {
	all, err := requestTimes(collectTime, 1, func(client, n int) (kind int, r *http.Request, token string, err error) {
		body := fmt.Sprintf(`{"user":{"name":"%s-%d-%d"}}`, name, client, n)
		r, err = http.NewRequest(http.MethodPost, url+"/v1/auth/access-tokens/", strings.NewReader(body))
		return 0, r, admin, err
	})
	if err != nil {
		return 0, err
	}
	return all[0], nil
}
