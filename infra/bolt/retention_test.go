package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
	"apitoken/localstack/longtest"
)

const (
	retainedOwners = 50
	retention      = time.Minute
)

// retained is a service with a retention of one minute, and with a clock that the
// test moves.
type retained struct {
	testing.TB
	path string
	now  time.Time
	made int // tokens

	store  *bolt.Store
	issuer *issuer.Issuer
	kept   []issuer.Token // one of each owner, that lives
}

// TestTheFileDoesNotGrowWithItsHistory creates and ends 2,000 tokens, or as many as
// RETAINED says, in each of three rounds. With APITOKEN_SHORTER=1 they are 500. After
// each round the file has nothing past its retention, of no kind, and after the third
// one it is not larger than after the second. Lists, histories and chains stay right.
func TestTheFileDoesNotGrowWithItsHistory(t *testing.T) {
	n := 2000
	if longtest.Shorter() {
		n = 500
	}
	if text := os.Getenv("RETAINED"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("RETAINED: %v", err)
		}
	}
	r := &retained{TB: t, path: filepath.Join(t.TempDir(), "apitoken.db"), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	r.open()
	rate, minute := 0, retention
	settingstest.Apply(t, r.store, storetest.Keys, r.now, retention, settings.Change{ChangeRate: &rate, Retention: &minute})
	for owner := range retainedOwners {
		r.kept = append(r.kept, r.create(owner, 0))
	}
	var used []int64
	for range 3 {
		r.round(n / retainedOwners)
		c := r.count()
		used = append(used, c.Used)
		t.Logf("%d tokens were made, the file uses %d KB, and has %v", r.made, c.Used>>10, c.All)
	}
	if used[2] > used[1] {
		t.Errorf("the file used %d bytes after the second round and %d after the third, want no more", used[1], used[2])
	}
}

func (r *retained) open() {
	r.Helper()
	r.store = bolttest.OpenFile(r, r.path, bolt.Options{NoSync: true})
	r.issuer = issuer.New(issuer.Config{Store: r.store, Keys: storetest.Keys, Now: func() time.Time { return r.now }})
}

func (r *retained) by(owner int) guard.Principal {
	return guard.Principal{Owner: fmt.Sprintf("user%03d", owner), TokenID: "JhxND7ci"}
}

// create makes a token, with an Idempotency-Key and a use.
func (r *retained) create(owner int, lives time.Duration) issuer.Token {
	r.Helper()
	r.now, r.made = r.now.Add(100*time.Microsecond), r.made+1
	key := issuer.RequestKey{Route: "create", Value: strconv.Itoa(r.made)}
	made, err := r.issuer.CreateOnce(r.Context(), r.by(owner), key, "", token.Wish{ExpiresIn: lives})
	if err == nil {
		err = r.store.Touch(r.Context(), made.ID, events.Use{At: r.now})
	}
	if err != nil {
		r.Fatalf("creating a token: %v", err)
	}
	return made.Token
}

// round makes tokens of each owner: of three, two are revoked and one expires. It
// puts a notice about each, and collects when everything is past its retention. The
// replies and the notices are kept longer than a minute.
func (r *retained) round(tokens int) {
	r.Helper()
	for owner := range retainedOwners {
		for n := range tokens {
			made := r.create(owner, time.Second)
			r.notify(made)
			if n%3 == 2 {
				r.now = r.now.Add(2 * time.Second) // the next command records the expiry
				continue
			}
			if err := r.issuer.Revoke(r.Context(), r.by(owner), made.ID); err != nil {
				r.Fatalf("revoking a token: %v", err)
			}
		}
		r.now = r.now.Add(2 * time.Second)
		if _, err := r.issuer.Expire(r.Context(), r.by(owner).Owner); err != nil {
			r.Fatalf("recording expiries: %v", err)
		}
	}
	r.sendAll()
	r.now = r.now.AddDate(0, 0, 31)
	if _, err := r.store.Collect(r.Context(), r.now); err != nil {
		r.Fatalf("Collect: %v", err)
	}
	r.check()
}

func (r *retained) notify(made issuer.Token) {
	r.Helper()
	m, err := events.NewNotice(events.Expires(made.View, 1), r.now)
	if err == nil {
		err = r.store.Notify(r.Context(), m)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func (r *retained) sendAll() {
	r.Helper()
	for {
		ms, err := r.store.Pending(r.Context(), r.now.AddDate(1, 0, 0), 1000)
		var ids []string
		for _, m := range ms {
			ids = append(ids, m.ID)
		}
		if err := errors.Join(err, r.store.Sent(r.Context(), ids...)); err != nil {
			r.Fatal(err)
		}
		if len(ms) == 0 {
			return
		}
	}
}

// check looks at the kept token of each owner, which is the only one in its list,
// and continues its history.
func (r *retained) check() {
	r.Helper()
	for owner, kept := range r.kept {
		by := r.by(owner)
		states := []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}
		p, err := r.issuer.List(r.Context(), by, issuer.ListQuery{Owners: []string{by.Owner}, States: states, Limit: 100})
		if err != nil || len(p.Tokens) != 1 || p.Tokens[0].ID != kept.ID || p.Tokens[0].LastUse.At.IsZero() {
			r.Fatalf("the list of %s: got %+v, %v, want only token %s with its use", by.Owner, p.Tokens, err, kept.ID)
		}
		if _, err := r.issuer.Update(r.Context(), by, kept.ID, token.Update{Wish: token.Wish{Name: fmt.Sprint(r.now)}, Given: token.Members{Name: true}}); err != nil {
			r.Fatalf("updating the token that was kept: %v", err)
		}
		rs, err := r.store.History(r.Context(), events.UserStream(by.Owner), 0, 1000)
		if err != nil || len(rs) != 1 {
			r.Fatalf("the history of %s: got %d records, %v, want only the last one", by.Owner, len(rs), err)
		}
		h, err := r.store.Head(r.Context(), events.UserStream(by.Owner))
		if err := errors.Join(err, h.Check(storetest.Keys, events.UserStream(by.Owner)), events.Verify(rs[0].Prev, rs)); err != nil || h.Hash != rs[0].Hash {
			r.Errorf("the chain and the head of %s: %v", by.Owner, err)
		}
	}
	r.sendAll()
}

// count closes the file, counts its entries and opens it again.
func (r *retained) count() bolttest.Census {
	r.Helper()
	if err := r.store.Close(); err != nil {
		r.Fatal(err)
	}
	c := bolttest.Count(r, r.path, r.now)
	for bucket, gone := range c.Gone {
		r.Errorf("bucket %s: %d of %d entries are past their retention", bucket, gone, c.All[bucket])
	}
	for _, bucket := range []string{"token", "order", "owner"} {
		if c.All[bucket] != retainedOwners {
			r.Errorf("bucket %s has %d entries, want %d", bucket, c.All[bucket], retainedOwners)
		}
	}
	for _, bucket := range []string{"reply", "notice", "outbox", "due"} {
		if c.All[bucket] != 0 {
			r.Errorf("bucket %s has %d entries, want none", bucket, c.All[bucket])
		}
	}
	if c.All["head"] != retainedOwners+1 {
		r.Errorf("there are %d heads, want %d", c.All["head"], retainedOwners+1)
	}
	r.open()
	return c
}
