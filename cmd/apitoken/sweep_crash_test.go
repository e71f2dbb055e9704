package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/eventfile"
)

const (
	sweptOwners = 400 // each with a token that expires soon, and one that has expired
	sweepKills  = 8
)

// TestKilledServerWarnsAndExpiresOnce kills the server at random moments of its
// sweep. At the end each token that expires soon has one warning, each expired token
// one record, and all of them are in the file of events.
func TestKilledServerWarnsAndExpiresOnce(t *testing.T) {
	rnd, partial := rand.New(rand.NewPCG(crashSeed(t), 0)), 0
	for tries := 0; partial < 2 && tries < 3; tries++ { // a machine that stops for seconds lets a sweep end
		c := &crash{t: t, dir: filepath.Join(t.TempDir(), "data"), rnd: rnd}
		partial = c.killSweeps()
	}
	if partial < 2 {
		t.Errorf("%d kills were in the middle of the sweep, which shows too little", partial)
	}
}

// killSweeps sweeps a new store with kills, checks the result, and returns the number of
// kills in the middle of the sweep.
func (c *crash) killSweeps() (partial int) {
	c.t.Helper()
	soon, past := c.createDue()
	for range sweepKills {
		before := c.sweptEvents()
		c.start()
		c.awaitSwept(min(before+1+c.rnd.IntN(160), 2*sweptOwners-1))
		c.server.end(syscall.SIGKILL)
		if warned, expired := c.progress(soon, past); warned+expired < 2*sweptOwners {
			partial++
		}
	}
	c.start()
	c.awaitSwept(2 * sweptOwners)
	c.endCleanly()
	c.checkSwept(soon, past)
	return partial
}

// createDue creates the tokens 100 days ago, and returns their ids.
func (c *crash) createDue() (soon, past []string) {
	c.t.Helper()
	f, err := datadir.Open(c.t.Context(), c.dir, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	then := time.Now().AddDate(0, 0, -100)
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Now: func() time.Time { return then }})
	soon, past = make([]string, sweptOwners), make([]string, sweptOwners)
	var all sync.WaitGroup
	free := make(chan struct{}, 64)
	for n := range sweptOwners {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			for ids, days := range map[*[]string]int{&soon: 105, &past: 50} {
				made, _, err := i.Create(c.t.Context(), guard.Principal{Owner: fmt.Sprintf("user%03d", n)}, "", token.Wish{ExpiresIn: time.Duration(days) * 24 * time.Hour})
				if err != nil {
					c.t.Error(err)
				}
				(*ids)[n] = made.ID
			}
		})
	}
	all.Wait()
	return soon, past
}

// sweptEvents counts the events of sweeps in the file of events. The server may begin
// a new part meanwhile; then the next count has the events of the part before.
func (c *crash) sweptEvents() (n int) {
	c.t.Helper()
	parts, err := eventfile.Parts(filepath.Join(c.dir, "events.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, part := range parts {
		b, err := os.ReadFile(part)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.t.Fatal(err)
		}
		n += bytes.Count(b, []byte(`"detail-type":"TokenExpir`))
	}
	return n
}

// awaitSwept waits for a number of events of sweeps. The last server may have fewer
// left to write than the count of earlier repeats, so it waits for its line too.
func (c *crash) awaitSwept(n int) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if c.sweptEvents() >= n && (n < 2*sweptOwners || strings.Contains(c.server.log.String(), "the sweep of expiries is done")) {
			return
		}
	}
	c.t.Logf("%d of %d events came", c.sweptEvents(), n)
}

// progress opens the store and counts the noted warnings and the recorded expiries.
func (c *crash) progress(soon, past []string) (warned, expired int) {
	c.t.Helper()
	f, err := datadir.OpenExisting(c.t.Context(), c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	err = f.Store.Expiring(c.t.Context(), "", time.Time{}, time.Now().AddDate(1, 0, 0), func(page []events.Expiring) error {
		for _, e := range page {
			if e.Warned > 0 {
				warned++
			}
			if e.ExpiresAt.Before(time.Now()) {
				expired--
			}
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	expired += len(past)
	c.t.Logf("killed after %d warnings and %d expiries of %d each", warned, expired, len(soon))
	return warned, expired
}

func (c *crash) checkSwept(soon, past []string) {
	c.t.Helper()
	published, repeats := c.published()
	warnings, expiries := map[string]int{}, map[string]int{}
	for stream, ms := range published {
		for _, m := range ms {
			switch m.Type {
			case "TokenExpiring":
				warnings[m.Subject]++
			case "TokenExpired":
				expiries[m.Subject]++
			}
		}
		if stream != "" {
			if err := events.VerifyMessages(events.Hash{}, ms); err != nil {
				c.t.Errorf("the published stream %s: %v", stream, err)
			}
		}
	}
	for n := range sweptOwners {
		if warnings[soon[n]] != 1 || expiries[past[n]] != 1 {
			c.t.Errorf("user%03d: %d warnings and %d expiries, want one of each", n, warnings[soon[n]], expiries[past[n]])
		}
	}
	if len(warnings) != sweptOwners || len(expiries) != sweptOwners {
		c.t.Errorf("%d tokens have warnings and %d expired, want %d", len(warnings), len(expiries), sweptOwners)
	}
	c.t.Logf("%d lines repeated", repeats)
}
