package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
)

// TestFaultsLoseAndDoubleNothing makes 10,000 random operations while requests
// go wrong in every way, on every call. Each owner has one caller at a time, who
// knows what it was answered; that must hold whatever happened on the way.
func TestFaultsLoseAndDoubleNothing(t *testing.T) {
	const operations, callers, owners = 10_000, 16, 96
	seed := uint64(20261121)
	t.Logf("seed %d", seed)
	c := client(t)
	f := newFaulty(seed)
	s := newScene(dynamo.New(via(c, f), newTable(t, c)), time.Now)
	all := make([]*caller, owners)
	for i := range all {
		all[i] = &caller{scene: s, owner: fmt.Sprintf("user%d", i), known: map[string]*tokenKnown{}}
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range operations / callers {
				all[r.IntN(owners/callers)*callers+i].operate(t, r)
			}
		})
	}
	wg.Wait()
	f.land()
	var total tally
	for _, c := range all {
		c.expectStored(t)
		total.add(c.tally)
	}
	t.Logf("%+v, faults %v", total, f.count)
	if total.answered == 0 || total.outages == 0 || total.refused == 0 || len(f.count) != len(kinds) {
		t.Errorf("got %+v and faults %v: something never happened, so this showed nothing", total, f.count)
	}
}

// tally counts what came of operations.
type tally struct{ answered, refused, outages int }

func (t *tally) add(o tally) {
	t.answered += o.answered
	t.refused += o.refused
	t.outages += o.outages
}

// caller is an owner that remembers its answers.
type caller struct {
	*scene
	owner  string
	known  map[string]*tokenKnown
	unsure int // creates of which no answer came
	tally  tally
}

// tokenKnown is a token with a secret that its caller knows.
type tokenKnown struct {
	text    secret.Secret
	revoked bool // answered
	unsure  bool // a revoke went without an answer
}

func (c *caller) operate(t *testing.T, r *rand.Rand) {
	rate := 0.12
	if r.IntN(12) == 0 {
		rate = 0.85 // an outage
	}
	ctx, cancel := context.WithTimeout(withFaults(t.Context(), rate), time.Duration(100+r.IntN(1900))*time.Millisecond)
	defer cancel()
	by := guard.Principal{Owner: c.owner}
	id, known := c.pick(r)
	switch n := r.IntN(10); {
	case n < 4 || known == nil:
		c.create(t, ctx, by)
	case n < 6:
		c.revoke(t, ctx, by, id, known)
	case n < 9:
		c.authorize(t, ctx, id, known)
	default:
		c.list(t, ctx, by)
	}
}

func (c *caller) pick(r *rand.Rand) (string, *tokenKnown) {
	skip := 0
	if len(c.known) > 0 {
		skip = r.IntN(len(c.known))
	}
	for id, k := range c.known {
		if skip--; skip < 0 {
			return id, k
		}
	}
	return "", nil
}

// live is how many tokens the owner has at least, and at most.
func (c *caller) live() (least, most int) {
	for _, k := range c.known {
		if !k.revoked {
			most++
			if !k.unsure {
				least++
			}
		}
	}
	return least, most + c.unsure
}

func (c *caller) create(t *testing.T, ctx context.Context, by guard.Principal) {
	made, text, err := c.Create(ctx, by, "", token.Wish{})
	least, most := c.live()
	switch refusal, refused := errors.AsType[*events.Refusal](err); {
	case err == nil:
		c.tally.answered++
		c.known[made.ID] = &tokenKnown{text: text}
		if least >= tokenLimit {
			t.Errorf("%s: a token was made while there were at least %d", c.owner, least)
		}
	case refused:
		c.tally.refused++
		if refusal.Code != "token_limit_reached" || most < tokenLimit {
			t.Errorf("%s: refused with %s while there were at most %d tokens", c.owner, refusal.Code, most)
		}
	default:
		c.tally.outages++
		c.unsure++
	}
}

func (c *caller) revoke(t *testing.T, ctx context.Context, by guard.Principal, id string, known *tokenKnown) {
	err := c.Revoke(ctx, by, id)
	switch _, refused := errors.AsType[*events.Refusal](err); {
	case err == nil:
		c.tally.answered++
		if known.revoked {
			t.Errorf("%s: token %s was revoked twice", c.owner, id)
		}
		known.revoked = true
	case refused:
		c.tally.refused++
		if !known.revoked && !known.unsure {
			t.Errorf("%s: revoking live token %s: %v", c.owner, id, err)
		}
		known.revoked = true
	default:
		c.tally.outages++
		known.unsure = true
	}
}

// authorize shows that an outage is an error and never a refusal.
func (c *caller) authorize(t *testing.T, ctx context.Context, id string, known *tokenKnown) {
	parsed, err := secret.Parse(known.text.Reveal())
	if err != nil {
		t.Error(err)
		return
	}
	_, err = c.Guard().Check(ctx, parsed, netip.Addr{})
	switch denial, denied := errors.AsType[*guard.Denial](err); {
	case err == nil:
		c.tally.answered++
		if known.revoked {
			t.Errorf("%s: revoked token %s passes", c.owner, id)
		}
	case denied:
		c.tally.refused++
		if denial.Code != guard.CodeRevoked || !known.revoked && !known.unsure {
			t.Errorf("%s: live token %s was denied: %s", c.owner, id, denial.Code)
		}
	default:
		c.tally.outages++
	}
}

func (c *caller) list(t *testing.T, ctx context.Context, by guard.Principal) {
	page, err := c.List(ctx, by, issuer.ListQuery{Owners: []string{c.owner}, Limit: 100})
	if err != nil {
		c.tally.outages++
		if refusal, refused := errors.AsType[*events.Refusal](err); refused {
			t.Errorf("%s: listing one's own tokens: %v", c.owner, refusal)
		}
		return
	}
	c.tally.answered++
	least, most := c.live()
	if n := len(page.Tokens); n < least || n > most {
		t.Errorf("%s: %d tokens are listed, want %d to %d", c.owner, n, least, most)
	}
}

// expectStored compares the remembered answers with the stored data.
func (c *caller) expectStored(t *testing.T) {
	state, rs := c.expectSound(t, c.owner)
	created := 0
	for _, r := range rs {
		if r.Type == "TokenCreated" {
			created++
		}
	}
	if created < len(c.known) || created > len(c.known)+c.unsure {
		t.Errorf("%s: %d tokens were made, %d answered and %d not", c.owner, created, len(c.known), c.unsure)
	}
	for id, k := range c.known {
		_, stands := state.Find(id)
		if stands == k.revoked && !k.unsure {
			t.Errorf("%s: token %s, revoked: %v, stands in the state: %v", c.owner, id, k.revoked, stands)
		}
		if err := c.check(t, k.text); (err == nil) != stands {
			t.Errorf("%s: token %s stands in the state: %v, and authorize says %v", c.owner, id, stands, err)
		}
	}
}
