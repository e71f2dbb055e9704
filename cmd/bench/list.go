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

var listTime = budget{"list `state=revoked` of all users, large store, all pages, CPU time", "", 3, "s"}

// list measures the CPU time of a list that looks at every token of the store and
// finds none: the revoked tokens of all users.
func (b *bench) list(f folder) (err error) {
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
	if err := walkRevoked(i); err != nil {
		return err
	}
	after, err := processTime()
	b.report(listTime.of((after - before).Seconds()))
	return err
}

// walkRevoked reads all pages of the list, as a holder of view.
func walkRevoked(i *issuer.Issuer) error {
	q := issuer.ListQuery{States: []events.TokenState{events.StateRevoked}, Limit: issuer.MaxLimit}
	for more := true; more; {
		page, err := i.List(context.Background(), guard.Principal{Owner: "admin"}, q)
		if err != nil {
			return err
		}
		if len(page.Tokens) > 0 {
			return fmt.Errorf("the list has %d revoked tokens, want none", len(page.Tokens))
		}
		q.After, more = page.Next, page.More
	}
	return nil
}
