package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const (
	verbKills = 8
	verbCalls = 150 // at most, from a start to a kill
)

// TestKilledServerKeepsItsPromises kills the server at random moments while clients
// give every command about tokens. Each client has a user of its own, so the answers
// say what is true. After the next start an answered command is in effect, and one
// without an answer is in effect wholly or not at all. A create or a rotation that is
// repeated with its key, also by a token that rotated itself and has only the secret
// before, gives one token and one secret. At the end every chain and seal verifies,
// and every record was published.
func TestKilledServerKeepsItsPromises(t *testing.T) {
	seed := crashSeed(t)
	c := &crash{t: t, dir: filepath.Join(t.TempDir(), "data"), rnd: rand.New(rand.NewPCG(seed, 0)), limit: manyTokens}
	c.start()
	if _, err := c.client(c.admin()).ChangeSettings(t.Context(), httpapi.SettingsChange{ChangeRate: new(0)}); err != nil {
		t.Fatal(err)
	}
	users := make([]*crashUser, crashClients)
	for n := range users {
		users[n] = &crashUser{crash: c, name: fmt.Sprintf("user%03d", n), rnd: rand.New(rand.NewPCG(seed, uint64(n+1))), lostCalls: map[string]int{}}
	}
	for range verbKills {
		c.commandUntilKilled(users)
		c.start()
		for _, u := range users {
			u.settle()
			u.check()
		}
	}
	c.endCleanly()
	c.checkEvents(c.checkStore())
	lost := map[string]int{}
	answered, inEffect := 0, 0
	for _, u := range users {
		answered, inEffect = answered+u.answered, inEffect+u.inEffect
		for verb, n := range u.lostCalls {
			lost[verb] += n
		}
	}
	t.Logf("%d commands were answered; without an answer: %v, of which %d were in effect", answered, lost, inEffect)
	if len(lost) < 3 || answered < 100 {
		t.Errorf("the run does not show enough: %d answered, without an answer %v", answered, lost)
	}
}

// manyTokens is a limit that no user of this test reaches.
const manyTokens = 50

// commandUntilKilled lets each client give commands until the server is killed: when
// a random number of commands have begun and a random time has passed.
func (c *crash) commandUntilKilled(users []*crashUser) {
	alive, kill := context.WithCancel(c.t.Context())
	defer kill()
	after, pause := 20+c.rnd.Int64N(verbCalls-20), time.Duration(c.rnd.IntN(3000))*time.Microsecond
	var begun atomic.Int64
	var clients sync.WaitGroup
	killed := make(chan struct{})
	for _, u := range users {
		clients.Go(func() {
			for alive.Err() == nil && u.lost == nil && !c.t.Failed() {
				if begun.Add(1)-1 == after {
					time.AfterFunc(pause, func() {
						c.server.end(syscall.SIGKILL)
						kill()
						close(killed)
					})
				}
				u.command(alive)
			}
		})
	}
	clients.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	<-killed
}

// crashUser is a user and the truth about it. One client gives all commands.
type crashUser struct {
	*crash
	name      string
	rnd       *rand.Rand
	tokens    []*crashToken // that are not revoked
	revoked   []secret.Secret
	suspended bool
	limit     *int

	lost      *call // the command without an answer
	answered  int
	inEffect  int
	lostCalls map[string]int
}

// crashToken is the truth about a token.
type crashToken struct {
	id                string
	text, before      secret.Secret // before: the outgoing secret
	name, description string
	disabled          bool
	rotatedItself     bool
}

// command gives a random command.
func (u *crashUser) command(alive context.Context) {
	c := u.draw()
	err := c.send(alive)
	if _, refused := errors.AsType[*httpapi.Problem](err); refused {
		u.t.Errorf("%s for %s: %v", c.verb, u.name, err)
		return
	}
	if err != nil {
		u.lost = &c
		return
	}
	u.answered++
	c.done()
}

// settle learns what the command without an answer did. A command with a key is sent
// again, twice: both answers have the same secret.
func (u *crashUser) settle() {
	u.t.Helper()
	c := u.lost
	if u.lost = nil; c == nil {
		return
	}
	u.lostCalls[c.verb]++
	if c.settled != nil {
		if c.settled() {
			u.inEffect++
			c.done()
		}
		return
	}
	var texts [2]string
	for n := range texts {
		if err := c.send(u.t.Context()); err != nil {
			u.t.Fatalf("repeating %s for %s: %v", c.verb, u.name, err)
		}
		texts[n] = c.made().BearerToken.Reveal()
	}
	if texts[0] != texts[1] {
		u.t.Errorf("two repeats of %s for %s made two secrets", c.verb, u.name)
	}
	c.done()
}

// check compares the user and its tokens with the truth.
func (u *crashUser) check() {
	u.t.Helper()
	page, err := u.asAdmin().List(u.t.Context(), httpapi.ListQuery{User: u.name})
	if err != nil || len(page.Entries) != len(u.tokens) {
		u.t.Errorf("%s has %d live tokens, %v; want %d", u.name, len(page.Entries), err, len(u.tokens))
	}
	if u.limit != nil && u.limitNow() != *u.limit {
		u.t.Errorf("%s has the limit %d, want %d", u.name, u.limitNow(), *u.limit)
	}
	for _, text := range u.revoked {
		u.expectCode(text, "token_revoked")
	}
	for _, k := range u.tokens {
		e := u.entry(k)
		if e.Name != k.name || e.Description != k.description || e.Enabled == k.disabled {
			u.t.Errorf("got %+v, want %+v", e, *k)
		}
		want := ""
		switch {
		case u.suspended:
			want = "token_suspended"
		case k.disabled:
			want = "token_disabled"
		}
		u.expectCode(k.text, want)
		if k.before.Reveal() != "" {
			u.expectCode(k.before, want)
		}
	}
}

func (u *crashUser) expectCode(text secret.Secret, want string) {
	u.t.Helper()
	if _, err := u.client(text).WhoAmI(u.t.Context()); codeOf(err) != want || want == "" && err != nil {
		u.t.Errorf("a secret of %s: got %v, want %q", u.name, err, want)
	}
}

func (u *crashUser) entry(k *crashToken) httpapi.Entry {
	u.t.Helper()
	e, err := u.asAdmin().Get(u.t.Context(), k.id)
	if err != nil {
		u.t.Fatal(err)
	}
	return e
}

func (u *crashUser) limitNow() int {
	u.t.Helper()
	l, err := u.asAdmin().Limit(u.t.Context(), u.name)
	if err != nil {
		u.t.Fatal(err)
	}
	return l.Effective
}

// codeOf returns the code of a problem; "" if the error is none.
func codeOf(err error) string {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return p.Code
	}
	return ""
}
