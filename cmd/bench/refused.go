package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt"
)

var refusedTime = budget{"refused create, time for a user with five large tokens", "for an absent user", 1.1, "×"}

// refused compares the times of two creates over HTTP that `apitoken serve` refuses,
// because the caller may not make tokens for other users: for a user with five large
// tokens, and for an absent user. The ratio shows whether the time of the answer
// reveals what the other user has. Slower and faster are equally bad.
func (b *bench) refused(f folder) error {
	caller, err := f.fillUsers()
	if err != nil {
		return err
	}
	p, err := b.serve(f)
	if err != nil {
		return err
	}
	c, err := b.plan().Repeat(func() (outside.Slice, error) {
		return outside.Measure(p.pid, refusedRatio(b.refusals(p, caller)))
	})
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	b.report(refusedTime.compared(c, ""))
	return nil
}

// refusals is a job of one connection, which asks for both users in turns, so that a
// change of the machine's speed meets both.
func (b *bench) refusals(p process, caller string) load.Job {
	j := load.Job{Addr: p.addr, Connections: 1, For: b.slice}
	for kind, user := range []string{"large", "absent"} {
		body := fmt.Sprintf(`{"user":{"name":%q}}`, user)
		j.Requests = append(j.Requests, load.Request{Text: load.Text(http.MethodPost, createPath, caller, body), Kind: kind, Status: http.StatusForbidden})
	}
	return j
}

// refusedRatio is a load with the ratio of the two medians.
func refusedRatio(j load.Job) outside.Load {
	return func() (outside.Sent, error) {
		r, err := send(j)
		if err != nil {
			return outside.Sent{}, err
		}
		ratio := outside.Median(load.Millis(r.Kinds[0])) / outside.Median(load.Millis(r.Kinds[1]))
		return outside.Sent{Requests: r.Count(), Value: max(ratio, 1/ratio)}, nil
	}
}

// fillUsers gives the user large five tokens of the largest size, and returns a
// token of a caller without permissions.
func (f folder) fillUsers() (caller string, err error) {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	i := issuer.New(issuer.Config{Store: store, Keys: f.keys})
	ctx := context.Background()
	wish := token.Wish{
		Name: strings.Repeat("n", token.MaxName), Description: strings.Repeat("d", token.MaxDescription),
		Scopes: slices.Repeat([]string{"GET /" + strings.Repeat("s", token.MaxScope-len("GET /"))}, token.MaxScopes),
	}
	for range perOwner {
		if _, _, err := i.Create(ctx, guard.Principal{Owner: "large"}, "", wish); err != nil {
			return "", err
		}
	}
	_, text, err := i.Create(ctx, guard.Principal{Owner: "caller"}, "", token.Wish{})
	return text.Reveal(), err
}
