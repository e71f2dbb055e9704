// Package listtest compares the lists of the service on a store with a simple model:
// all tokens, selected one by one.
package listtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
)

var (
	owners   = []string{"ann", "ACTIVE_DIRECTORY:ann", "bob", "maker"}
	makers   = []string{"maker", "bob"} // of tokens of other users
	viewers  = []string{"viewer", "ann", "stranger"}
	states   = []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}
	start    = time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC) // some tokens are of the next month
	lifetime = []time.Duration{0, 0, time.Hour, 60 * time.Hour, 500 * time.Hour}
)

// population is a service with tokens in all states.
type population struct {
	testing.TB
	*issuer.Issuer
	rand   *rand.Rand
	now    time.Time
	tokens []issuer.Token // all, in the order of lists, as Get shows them
}

// Run makes random tokens on an empty store, and compares random lists of them with
// the model. It reads each list page by page. tokens and lists are their numbers.
func Run(t *testing.T, store issuer.Store, k events.Keys, tokens, lists int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	p := &population{TB: t, rand: rand.New(rand.NewPCG(seed, 0)), now: start}
	settingstest.Apply(t, store, k, start, 0, settings.Change{TokenLimit: new(50), ChangeRate: new(0)})
	for _, maker := range makers {
		settingstest.Apply(t, store, k, start, 0, settings.Grant{User: maker, Actions: settings.Actions()})
	}
	settingstest.Apply(t, store, k, start, 0, settings.Grant{User: "viewer", Actions: []string{settings.ActionView}})
	p.Issuer = issuer.New(issuer.Config{Store: store, Keys: k, Now: func() time.Time { return p.now }})
	p.populate(tokens)
	selected := 0
	for range lists {
		selected += p.compare()
	}
	if selected == 0 {
		t.Error("no list had a token")
	}
}

// populate makes tokens. Some are used, changed or ended at once or later.
func (p *population) populate(tokens int) {
	p.Helper()
	if _, _, err := p.Bootstrap(p.Context(), "maker", false); err != nil { // its creator is the operator
		p.Fatal(err)
	}
	texts := map[string]secret.Token{}
	var ids []string
	for range tokens {
		p.now = p.now.Add(time.Duration(p.rand.IntN(120)) * time.Minute)
		owner := pick(p.rand, owners)
		by := pick(p.rand, append(slices.Clone(makers), owner))
		made, text, err := p.Create(p.Context(), guard.Principal{Owner: by}, owner, token.Wish{ExpiresIn: pick(p.rand, lifetime)})
		if err != nil {
			continue // at the limit
		}
		parsed, err := secret.Parse(text.Reveal())
		if err != nil {
			p.Fatal(err)
		}
		texts[made.ID], ids = parsed, append(ids, made.ID)
		p.meddle(pick(p.rand, ids), texts)
	}
	p.now = p.now.Add(time.Hour)
	if _, _, err := p.Create(p.Context(), guard.Principal{Owner: "other"}, "", token.Wish{}); err != nil { // a store writes the uses with a commit, at the latest
		p.Fatal(err)
	}
	p.readAll()
}

func (p *population) meddle(id string, texts map[string]secret.Token) {
	p.Helper()
	admin := guard.Principal{Owner: "maker"}
	var err error
	switch p.rand.IntN(6) {
	case 0:
		err = p.Revoke(p.Context(), admin, id)
	case 1:
		_, err = p.Update(p.Context(), admin, id, token.Update{Enabled: new(p.rand.IntN(2) == 0)})
	case 2, 3:
		_, _ = p.Guard().Check(p.Context(), texts[id], netip.Addr{}) // a denial is no use
	}
	if _, refused := errors.AsType[*events.Refusal](err); err != nil && !refused {
		p.Fatal(err)
	}
}

// readAll reads all tokens one by one.
func (p *population) readAll() {
	p.Helper()
	page, err := p.List(p.Context(), guard.Principal{Owner: "viewer"}, issuer.ListQuery{States: states, Limit: issuer.MaxLimit})
	if err != nil || page.More {
		p.Fatalf("listing all tokens: %v, more: %v", err, page.More)
	}
	for _, listed := range page.Tokens {
		t, err := p.Get(p.Context(), guard.Principal{Owner: "viewer"}, listed.ID, states...)
		if err != nil {
			p.Fatal(err)
		}
		p.tokens = append(p.tokens, t)
	}
	slices.SortFunc(p.tokens, func(a, b issuer.Token) int { return a.Position().Compare(b.Position()) })
}

// compare compares one random list with the model, and returns its length.
func (p *population) compare() int {
	p.Helper()
	caller := pick(p.rand, viewers)
	q := p.query()
	var want, got []string
	for _, t := range p.tokens {
		if (caller == "viewer" || t.Owner == caller) && selects(q, t) {
			want = append(want, t.ID)
		}
	}
	for pages, first := 0, q; ; pages++ {
		page, err := p.List(p.Context(), guard.Principal{Owner: caller}, q)
		if err != nil {
			p.Fatalf("%+v: %v", first, err)
		}
		for _, t := range page.Tokens {
			got = append(got, t.ID)
		}
		switch {
		case len(page.Tokens) > q.Limit:
			p.Fatalf("%+v: a page has %d tokens", first, len(page.Tokens))
		case page.More && page.Next.Compare(q.After) <= 0, pages > 2*len(p.tokens)+20:
			p.Fatalf("%+v: after %d pages the next page is at %v, and this page was after %v", first, pages, page.Next, q.After)
		}
		if !page.More {
			break
		}
		q.After, q.Limit = page.Next, 1+p.rand.IntN(20)
	}
	if !slices.Equal(got, want) {
		p.Errorf("%s lists %s: got %v, want %v", caller, describe(q), got, want)
	}
	return len(want)
}

// selects is the model: whether the query selects a token, as the documents say it.
func selects(q issuer.ListQuery, t issuer.Token) bool {
	f, wanted := q.Filter, q.States
	if len(wanted) == 0 {
		wanted = states[:2]
	}
	used := t.LastUse.At
	if used.IsZero() {
		used = t.CreatedAt
	}
	return slices.Contains(wanted, t.State) &&
		(len(q.Owners) == 0 || slices.Contains(q.Owners, t.Owner)) &&
		(len(f.Creators) == 0 || slices.Contains(f.Creators, t.Creator)) &&
		(f.ExpiresBefore == nil || !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(*f.ExpiresBefore)) &&
		(f.NeverExpires == nil || *f.NeverExpires == t.ExpiresAt.IsZero()) &&
		(f.UnusedSince == nil || used.Before(*f.UnusedSince))
}

// query draws a query. Its instants are often those of a token, because "before" is
// exact.
func (p *population) query() (q issuer.ListQuery) {
	q.Limit = 1 + p.rand.IntN(20)
	if p.rand.IntN(2) == 0 {
		q.Owners = owners[:1+p.rand.IntN(len(owners))]
	}
	if p.rand.IntN(3) > 0 {
		q.States = states[:1+p.rand.IntN(len(states))]
	}
	if p.rand.IntN(3) == 0 {
		q.Filter.Creators = pick(p.rand, [][]string{{"maker"}, {"bob", "ann"}, {token.Operator}, {"nobody"}})
	}
	if p.rand.IntN(3) == 0 {
		q.Filter.ExpiresBefore = new(p.instant(func(t issuer.Token) time.Time { return t.ExpiresAt }))
	}
	if p.rand.IntN(3) == 0 {
		q.Filter.NeverExpires = new(p.rand.IntN(2) == 0)
	}
	if p.rand.IntN(3) == 0 {
		q.Filter.UnusedSince = new(p.instant(func(t issuer.Token) time.Time { return t.LastUse.At }))
	}
	return q
}

// instant draws an instant of some token or the next microsecond, or a creation.
func (p *population) instant(of func(issuer.Token) time.Time) time.Time {
	t := pick(p.rand, p.tokens)
	at := of(t)
	if at.IsZero() {
		at = t.CreatedAt
	}
	return at.Add(time.Duration(p.rand.IntN(2)) * time.Microsecond)
}

func describe(q issuer.ListQuery) string {
	f := q.Filter
	text := fmt.Sprintf("owners %v, states %v, creators %v", q.Owners, q.States, f.Creators)
	if f.ExpiresBefore != nil {
		text += ", expires before " + f.ExpiresBefore.String()
	}
	if f.NeverExpires != nil {
		text += fmt.Sprint(", never expires ", *f.NeverExpires)
	}
	if f.UnusedSince != nil {
		text += ", unused since " + f.UnusedSince.String()
	}
	return text
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
