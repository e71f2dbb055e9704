package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/localstack/longtest"
)

const (
	leavers      = 40 // at most
	killed       = 4  // offboardings that shall be killed between two steps; with APITOKEN_SHORTER=1 only 1
	leaverTokens = 50 // an offboarding has three steps: it suspends, ends 40, and ends 10
)

// TestKilledServerEndsAnOffboardingTheSame kills the server at random moments while it
// offboards a user with 50 tokens. After the next start the same call ends what is
// left. If the user was suspended before the end, no token passes in between. At the
// end the history of each user has the same records.
func TestKilledServerEndsAnOffboardingTheSame(t *testing.T) {
	c := &crash{t: t, dir: filepath.Join(t.TempDir(), "data"), rnd: rand.New(rand.NewPCG(crashSeed(t), 0)), limit: leaverTokens}
	c.start()
	admin := c.client(c.admin())
	if _, err := admin.ChangeSettings(t.Context(), httpapi.SettingsChange{TokenLimit: new(leaverTokens)}); err != nil {
		t.Fatal(err)
	}
	took := c.offboardWhole("user000")
	users, between, enough := 1, 0, killed
	if longtest.Shorter() {
		enough = 1
	}
	for ; users < leavers && between < enough; users++ {
		var inBetween bool
		if inBetween, took = c.offboardKilled(fmt.Sprintf("user%03d", users), took); inBetween {
			between++
		}
	}
	t.Logf("%d of %d offboardings were killed between their steps; a whole one takes %v", between, users-1, took)
	if between == 0 {
		t.Error("none was killed between its steps, so this test shows nothing")
	}
	c.endCleanly()
	c.checkLeavers(users)
}

// offboardWhole offboards a user without a kill, and returns how long it takes.
func (c *crash) offboardWhole(user string) time.Duration {
	c.t.Helper()
	texts, began := c.tokensOf(user), time.Now()
	done, err := c.client(c.admin()).Offboard(c.t.Context(), user, "left")
	took := time.Since(began)
	if err != nil || done.EndedTokens != leaverTokens {
		c.t.Fatalf("got %+v, %v", done, err)
	}
	c.checkRefused(texts, "token_revoked")
	return took
}

// offboardKilled kills the server while it offboards a user, and repeats the call. It
// reports whether the kill came between two steps, and how long the next offboarding
// probably takes: the machine may be busier than before, or less busy.
func (c *crash) offboardKilled(user string, took time.Duration) (between bool, next time.Duration) {
	c.t.Helper()
	texts := c.tokensOf(user)
	pause := time.Duration(c.rnd.Int64N(int64(took)))
	var calls sync.WaitGroup
	next = took
	calls.Go(func() {
		began := time.Now()
		_, err := c.client(c.admin()).Offboard(c.t.Context(), user, "left")
		if err == nil {
			next = time.Since(began)
		}
		if p, ok := errors.AsType[*httpapi.Problem](err); ok {
			c.t.Errorf("got %v, want no answer or success", p)
		}
	})
	time.Sleep(pause)
	c.server.end(syscall.SIGKILL)
	calls.Wait()
	c.start()
	admin := c.client(c.admin())
	found, err := admin.Suspension(c.t.Context(), user)
	if err != nil {
		c.t.Fatal(err)
	}
	if found.Suspended {
		c.checkRefused(texts, "")
	} else {
		next = 2 * took // the kill was too early
	}
	done, err := admin.Offboard(c.t.Context(), user, "left")
	if err != nil || done.EndedTokens != found.LiveTokens || done.LiveTokens != 0 || !done.Suspended {
		c.t.Fatalf("repeated: got %+v, %v, want that it ends %d tokens", done, err, found.LiveTokens)
	}
	c.checkRefused(texts, "token_revoked")
	return found.Suspended && found.LiveTokens > 0, next
}

// tokensOf makes the tokens of a user.
func (c *crash) tokensOf(user string) []secret.Secret {
	c.t.Helper()
	admin, texts := c.client(c.admin()), make([]secret.Secret, leaverTokens)
	var all sync.WaitGroup
	for first := range crashClients {
		all.Go(func() {
			for n := first; n < leaverTokens; n += crashClients {
				made, err := admin.Create(c.t.Context(), httpapi.CreateRequest{User: &name.Identity{Name: user}})
				if err != nil {
					c.t.Errorf("creating for %s: %v", user, err)
				}
				texts[n] = made.BearerToken
			}
		})
	}
	all.Wait()
	return texts
}

// checkRefused shows each token. With the code "" each refusal will do.
func (c *crash) checkRefused(texts []secret.Secret, code string) {
	c.t.Helper()
	for _, text := range texts {
		_, err := c.client(text).WhoAmI(c.t.Context())
		p, refused := errors.AsType[*httpapi.Problem](err)
		if !refused || p.Status != 401 || code != "" && p.Code != code {
			c.t.Fatalf("a token of the user: got %v, want 401 %s", err, code)
		}
	}
}

// checkLeavers compares the records of the users.
func (c *crash) checkLeavers(users int) {
	c.t.Helper()
	f, err := datadir.OpenExisting(c.t.Context(), c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for n := range users {
		kinds := map[string]int{}
		for _, r := range c.checkStream(c.t.Context(), f, events.UserStream(fmt.Sprintf("user%03d", n))) {
			kinds[r.Type]++
		}
		want := map[string]int{"TokenCreated": leaverTokens, "UserSuspended": 1, "TokenRevoked": leaverTokens}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			c.t.Errorf("user%03d: got %v, want %v", n, kinds, want)
		}
	}
}
