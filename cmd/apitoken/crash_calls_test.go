package main

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"slices"

	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// call is one command. send gives it, and done makes it true. A call that hands out a
// secret has made, the last answer, and may be sent again. Any other call has
// settled, which learns after a restart whether it is in effect.
type call struct {
	verb    string
	send    func(context.Context) error
	done    func()
	settled func() bool
	made    func() httpapi.Created
}

// draw returns a command that the truth allows. A suspended user gets no other
// command than its end.
func (u *crashUser) draw() call {
	if u.suspended {
		return u.suspend(false)
	}
	if len(u.tokens) < 2 || len(u.tokens) < 4 && u.rnd.IntN(4) == 0 {
		return u.create()
	}
	k := u.tokens[u.rnd.IntN(len(u.tokens))]
	verbs := []func() call{
		func() call { return u.update(k) },
		func() call { return u.enable(k, k.disabled) },
		func() call { return u.rotate(k, false) },
		func() call { return u.revoke(k) },
		func() call { return u.suspend(true) },
		u.setLimit,
	}
	if !k.rotatedItself && !k.disabled {
		itself := func() call { return u.rotate(k, true) }
		verbs = append(verbs, itself, itself)
	}
	return verbs[u.rnd.IntN(len(verbs))]()
}

func (u *crashUser) asAdmin() *httpapi.Client { return u.client(u.admin()) }

func (u *crashUser) create() call {
	key := crand.Text()
	var made httpapi.Created
	return call{"create", func(ctx context.Context) (err error) {
		made, err = u.asAdmin().CreateWithKey(ctx, key, httpapi.CreateRequest{User: &name.Identity{Name: u.name}})
		return err
	}, func() {
		u.tokens = append(u.tokens, &crashToken{id: made.ID, text: made.BearerToken, name: made.Name})
	}, nil, func() httpapi.Created { return made }}
}

// rotate rotates a token. The token itself has only the old secret until the answer.
func (u *crashUser) rotate(k *crashToken, itself bool) call {
	key := crand.Text()
	var made httpapi.Created
	send := func(ctx context.Context) (err error) {
		made, err = u.asAdmin().Rotate(ctx, k.id, httpapi.RotateRequest{Key: key})
		return err
	}
	verb := "rotate"
	if itself {
		verb = "rotate itself"
		send = func(ctx context.Context) (err error) {
			made, err = u.client(k.text).RotateSelf(ctx, httpapi.RotateRequest{Key: key})
			return err
		}
	}
	return call{verb, send, func() {
		k.before, k.text, k.rotatedItself = k.text, made.BearerToken, k.rotatedItself || itself
	}, nil, func() httpapi.Created { return made }}
}

// update changes two members at once.
func (u *crashUser) update(k *crashToken) call {
	n := fmt.Sprint("name", u.rnd.IntN(1000))
	return call{"update", func(ctx context.Context) error {
		_, err := u.asAdmin().Update(ctx, k.id, httpapi.UpdateRequest{Name: &n, Description: &n})
		return err
	}, func() {
		k.name, k.description = n, n
	}, func() bool { return u.entry(k).Name == n }, nil}
}

func (u *crashUser) enable(k *crashToken, enabled bool) call {
	return call{"enable", func(ctx context.Context) error {
		_, err := u.asAdmin().Update(ctx, k.id, httpapi.UpdateRequest{Enabled: &enabled})
		return err
	}, func() {
		k.disabled = !enabled
	}, func() bool { return u.entry(k).Enabled == enabled }, nil}
}

func (u *crashUser) revoke(k *crashToken) call {
	return call{"revoke", func(ctx context.Context) error {
		return u.asAdmin().Revoke(ctx, k.id)
	}, func() {
		u.tokens = slices.DeleteFunc(u.tokens, func(x *crashToken) bool { return x == k })
		u.revoked = append(u.revoked, k.text)
	}, func() bool {
		_, err := u.asAdmin().Get(u.t.Context(), k.id)
		return codeOf(err) == "not_found_revoked"
	}, nil}
}

// suspend suspends the user, or reinstates it.
func (u *crashUser) suspend(suspended bool) call {
	return call{map[bool]string{true: "suspend", false: "reinstate"}[suspended], func(ctx context.Context) (err error) {
		if suspended {
			_, err = u.asAdmin().Suspend(ctx, u.name, "lost a laptop")
		} else {
			_, err = u.asAdmin().Reinstate(ctx, u.name)
		}
		return err
	}, func() {
		u.suspended = suspended
	}, func() bool {
		now, err := u.asAdmin().Suspension(u.t.Context(), u.name)
		if err != nil {
			u.t.Fatal(err)
		}
		return now.Suspended == suspended
	}, nil}
}

func (u *crashUser) setLimit() call {
	limit := 5 + u.rnd.IntN(20)
	return call{"set the limit", func(ctx context.Context) error {
		_, err := u.asAdmin().SetLimit(ctx, u.name, &limit)
		return err
	}, func() {
		u.limit = &limit
	}, func() bool { return u.limitNow() == limit }, nil}
}
