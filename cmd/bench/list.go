package main

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/infra/bolt"
)

const listBudget = 3 // seconds of one core

// list measures the CPU time of a list that looks at every token of the store and
// finds none: the revoked tokens of all users.
func (f folder) list(report func(budget), n int) (err error) {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	i := issuer.New(issuer.Config{Store: store, Keys: f.keys})
	if _, _, err := i.Bootstrap(context.Background(), "admin", false); err != nil {
		return err
	}
	before, err := processTime()
	if err != nil {
		return err
	}
	pages, err := walkRevoked(i)
	if err != nil {
		return err
	}
	after, err := processTime()
	report(budget{fmt.Sprintf("list state=revoked of all users, %d tokens in %d pages, CPU time", n, pages), (after - before).Seconds(), listBudget, false, "s"})
	return err
}

// walkRevoked reads all pages of the list, as a holder of view.
func walkRevoked(i *issuer.Issuer) (pages int, err error) {
	q := issuer.ListQuery{States: []events.TokenState{events.StateRevoked}, Limit: issuer.MaxLimit}
	for more := true; more; pages++ {
		page, err := i.List(context.Background(), guard.Principal{Owner: "admin"}, q)
		if err != nil {
			return pages, err
		}
		if len(page.Tokens) > 0 {
			return pages, fmt.Errorf("the list has %d revoked tokens, want none", len(page.Tokens))
		}
		q.After, more = page.Next, page.More
	}
	return pages, nil
}
