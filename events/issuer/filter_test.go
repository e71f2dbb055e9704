package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/issuer/listtest"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
	"apitoken/localstack/longtest"
)

func TestFilteredListsEqualTheModel(t *testing.T) {
	listtest.Run(t, bolttest.Open(t), storetest.Keys, 300, 400)
}

// lookCounter counts what lists read.
type lookCounter struct {
	events.Store
	calls, views, uses, heads int
}

func (c *lookCounter) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	p, err := c.Store.Tokens(ctx, q)
	c.calls, c.views = c.calls+1, c.views+len(p.Views)
	return p, err
}

func (c *lookCounter) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	c.uses += len(ids)
	return c.Store.LastUses(ctx, ids)
}

func (c *lookCounter) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	if _, user := s.Owner(); user {
		c.heads++
	}
	return c.Store.Head(ctx, s)
}

// TestOneFilteredListLooksAtABoundedNumberOfTokens: a page may be empty and have a
// next page. All pages together have the few tokens that match.
func TestOneFilteredListLooksAtABoundedNumberOfTokens(t *testing.T) {
	longtest.SkipSequential(t)
	const owners, each = 250, 10
	s := newScene(t)
	s.limit(each)
	s.changeRate(0)
	s.grant("viewer", settings.Actions()...)
	for o := range owners {
		for n := range each {
			by := person(fmt.Sprint("user", o))
			if n == 0 && (o == 0 || o == owners-1) {
				by = person("viewer")
			}
			s.wait(time.Millisecond)
			s.create(by, fmt.Sprint("user", o), token.Wish{})
		}
	}
	s.wait(time.Hour)
	for name, test := range map[string]struct {
		filter issuer.Filter
		limit  int
		want   int // tokens
		empty  bool
	}{
		"few":                {issuer.Filter{Creators: []string{"viewer"}}, 10, 2, true},
		"few, one on a page": {issuer.Filter{Creators: []string{"viewer"}}, 1, 2, true},
		"none":               {issuer.Filter{NeverExpires: new(false)}, 1000, 0, true},
		"none unused":        {issuer.Filter{UnusedSince: new(start)}, 100, 0, true},
		"all unused":         {issuer.Filter{UnusedSince: new(s.now())}, 1000, owners * each, false},
		"all, many pages":    {issuer.Filter{UnusedSince: new(s.now())}, 70, owners * each, false},
	} {
		spy := &lookCounter{Store: s.store}
		s.useStore(spy)
		q := issuer.ListQuery{Filter: test.filter, Limit: test.limit}
		got, pages, empty := 0, 0, 0
		for more := true; more; pages++ {
			spy.views, spy.uses, spy.calls = 0, 0, 0
			page, err := s.List(t.Context(), person("viewer"), q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if spy.views > 1000 || spy.uses > 1000 || spy.calls > 5 {
				t.Errorf("%s: one call looked at %d views and %d uses in %d reads, want at most 1000 in 5", name, spy.views, spy.uses, spy.calls)
			}
			if least := min(200, test.limit+1); len(page.Tokens) == test.limit && spy.views > max(200, test.limit)+200 {
				t.Errorf("%s: a full page of %d took a look at %d views, want few more than %d", name, test.limit, spy.views, least)
			}
			if got += len(page.Tokens); len(page.Tokens) == 0 && page.More {
				empty++
			}
			more, q.After = page.More, page.Next
		}
		if got != test.want || empty > 0 != test.empty || pages > owners*each/min(test.limit, 200)+3 {
			t.Errorf("%s: got %d tokens on %d pages, %d of them empty; want %d tokens", name, got, pages, empty, test.want)
		}
	}
}

// TestFilteredLiveTokensOfAFewOwnersAreThoseOfTheirHeads: List reads each head once,
// and not the list of the store.
func TestFilteredLiveTokensOfAFewOwnersAreThoseOfTheirHeads(t *testing.T) {
	s := newScene(t)
	s.limit(50)
	s.changeRate(0)
	s.grant("viewer", settings.Actions()...)
	all := []string{"ann", "ACTIVE_DIRECTORY:ann", "POSIX_USER:ann"}
	for _, owner := range all {
		for n := range 50 {
			wish := token.Wish{}
			if n%25 == 24 {
				wish.ExpiresIn = time.Hour
			}
			s.wait(time.Millisecond)
			s.create(person(owner), "", wish)
		}
	}
	spy := &lookCounter{Store: s.store}
	s.useStore(spy)
	page, err := s.List(t.Context(), person("viewer"), issuer.ListQuery{Owners: all, Limit: 5, Filter: issuer.Filter{NeverExpires: new(false)}})
	if err != nil || len(page.Tokens) != 5 || !page.More || spy.calls != 0 || spy.heads != 3 {
		t.Fatalf("got %d tokens, more %v, %v with %d lists and %d heads read; want 5 and more with 3 heads", len(page.Tokens), page.More, err, spy.calls, spy.heads)
	}
	page, err = s.List(t.Context(), person("viewer"), issuer.ListQuery{Owners: all, Limit: 5, After: page.Next, Filter: issuer.Filter{NeverExpires: new(false)}})
	if err != nil || len(page.Tokens) != 1 || page.More {
		t.Errorf("the next page: got %d tokens, more %v, %v; want the last one", len(page.Tokens), page.More, err)
	}
}

// TestAFilteredListThatTheStoreEndsEarlyGoesOnLater: the store had a bounded amount
// of work for its page, so List does not ask it again in the same call.
func TestAFilteredListThatTheStoreEndsEarlyGoesOnLater(t *testing.T) {
	s := newScene(t)
	s.create(person("ann"), "", token.Wish{})
	s.useStore(&shortStore{Store: s.store})
	filter := issuer.Filter{NeverExpires: new(true)}
	query := issuer.ListQuery{States: []events.TokenState{events.StateActive, events.StateRevoked}, Filter: filter}
	page, err := s.List(t.Context(), person("ann"), query)
	if err != nil || len(page.Tokens) != 0 || !page.More {
		t.Fatalf("got %d tokens, more %v, %v; want none and more", len(page.Tokens), page.More, err)
	}
	query.After = page.Next
	if page, err = s.List(t.Context(), person("ann"), query); err != nil || len(page.Tokens) != 1 || page.More {
		t.Errorf("got %d tokens, more %v, %v; want the last one", len(page.Tokens), page.More, err)
	}
}

// shortStore ends its first page before the first token. A second read before the
// page is answered fails the list.
type shortStore struct {
	events.Store
	reads int
}

func (s *shortStore) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	switch s.reads++; {
	case s.reads == 1:
		return events.Page{More: true, Next: events.Position{At: start.Add(-time.Hour)}}, nil
	case q.After.At.IsZero():
		return events.Page{}, errors.New("the list began again")
	}
	return s.Store.Tokens(ctx, q)
}
