package issuer

import (
	"context"
	"slices"
	"time"

	"apitoken/events"
)

const (
	// maxLooked is the maximum number of tokens that one List with a Filter looks at.
	maxLooked = MaxLimit
	// filterPage is the least number of tokens that List reads at a time for a
	// Filter: few of them may be selected. It is more than the live tokens of
	// maxHeads owners, so List reads each head once.
	filterPage = 200
)

// Filter selects some of the tokens that a list has without it. No index has these
// members, so List reads the other tokens too: a page may be short or empty and have
// More. The zero Filter selects all tokens. A token matches if all members match,
// whatever its state is.
type Filter struct {
	Creators      []string   // tokens that one of these users made, as owner keys; none: all
	ExpiresBefore *time.Time // tokens that expire, and with an expiry before this instant; nil: all
	NeverExpires  *bool      // true: tokens without an expiry, false: tokens with one; nil: all

	// UnusedSince selects tokens whose last use, or creation if they were never used,
	// is before this instant; nil: all. A stored last use is up to events.TouchEvery
	// earlier than the real one.
	UnusedSince *time.Time
}

func (f Filter) isZero() bool {
	return len(f.Creators) == 0 && f.ExpiresBefore == nil && f.NeverExpires == nil && f.UnusedSince == nil
}

// matches reports whether the filter selects the view, as far as the view decides.
func (f Filter) matches(v events.View) bool {
	never := v.ExpiresAt.IsZero()
	switch {
	case len(f.Creators) > 0 && !slices.Contains(f.Creators, v.Creator):
		return false
	case f.ExpiresBefore != nil && (never || !v.ExpiresAt.Before(*f.ExpiresBefore)):
		return false
	case f.NeverExpires != nil && *f.NeverExpires != never:
		return false
	}
	return true
}

// matchesUse reports whether the filter selects the token, as far as its last use
// decides.
func (f Filter) matchesUse(t Token) bool {
	last := t.LastUse.At
	if last.IsZero() {
		last = t.CreatedAt
	}
	return f.UnusedSince == nil || last.Before(*f.UnusedSince)
}

// filtered reads tokens until it has a page of those that the filter selects. It
// ends the page earlier after maxLooked tokens, or when the store ends a page
// earlier: then a further read may be long.
func (i *Issuer) filtered(ctx context.Context, q events.Query, f Filter) (ListPage, error) {
	found, limit := []Token{}, q.Limit
	for looked := 0; ; {
		q.Limit = min(max(limit-len(found), filterPage), maxLooked-looked)
		looked += q.Limit
		page, account, err := i.views(ctx, q)
		if err != nil {
			return ListPage{}, err
		}
		short := len(page.Views) < q.Limit
		page.Views = slices.DeleteFunc(page.Views, func(v events.View) bool { return !f.matches(v) })
		some, err := i.withUses(ctx, q, page)
		if err != nil {
			return ListPage{}, err
		}
		found = append(found, slices.DeleteFunc(some.Tokens, func(t Token) bool { return !f.matchesUse(t) })...)
		switch {
		case len(found) > limit:
			return ListPage{Tokens: found[:limit:limit], More: true, Next: found[limit-1].Position(), Account: account}, nil
		case !page.More || short || len(found) == limit || looked == maxLooked:
			return ListPage{Tokens: found, More: page.More, Next: page.Next, Account: account}, nil
		}
		q.After = page.Next
	}
}
