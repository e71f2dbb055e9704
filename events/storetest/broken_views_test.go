package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

// brokenViews has stores that break one promise of events.Views and events.Uses each.
var brokenViews = []breach{
	{"a list drops the seals", "ListsHaveSealedViews", "a listed view: the view of token", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			for i := range p.Views {
				p.Views[i].Seal = events.Verifier{}
			}
			return p, err
		}
	}},
	{"sessions are in the lists of tokens", "TokensAndSessionsOfOneOwnerAreApart", "of the kind : still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			q.Kind = events.KindSession
			sessions, _ := b.Store.Tokens(ctx, q)
			p.Views = append(sessions.Views, p.Views...)[:len(p.Views)]
			return p, err
		}
	}},
	{"what only a session has is lost", "TokensAndSessionsOfOneOwnerAreApart", "the seal of a view that was read back", func(_ *testing.T, b *broken) {
		b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
			v, u, err := b.Store.Token(ctx, id)
			v.MakesUntil = time.Time{}
			return v, u, err
		}
	}},
	{"an ended session stays active", "TheEndOfASessionIsSeenEverywhere", "the ended session: got", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			if len(c.Effect().Changed) > 0 {
				head, err := b.Store.Head(ctx, c.Stream())
				if err != nil {
					return err
				}
				return b.Store.Commit(ctx, rebuilt(t, c, head, events.Effect{}))
			}
			return b.Store.Commit(ctx, c)
		}
	}},
	{"a view loses its verifier, so its seal breaks", "ACommitKeepsTheUse", "the seal of a view that was read back", func(_ *testing.T, b *broken) {
		b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
			v, u, err := b.Store.Token(ctx, id)
			v.Verifier.Kid = "other"
			return v, u, err
		}
	}},
	{"times lose their microseconds", "ACommitIsReadBackAsItWasWritten", "the view: got", func(_ *testing.T, b *broken) {
		b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
			v, u, err := b.Store.Token(ctx, id)
			v.ExpiresAt = v.ExpiresAt.Truncate(time.Millisecond)
			return v, u, err
		}
	}},
	{"lists are sorted by id", "ListsAreInOrder", "all owners' tokens: still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			slices.SortFunc(p.Views, func(a, b events.View) int { return strings.Compare(a.ID, b.ID) })
			return p, err
		}
	}},
	{"states are ignored", "ListsAreFilteredByOwnerAndState", "tokens of some states: still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			q.States = nil
			return b.Store.Tokens(ctx, q)
		}
	}},
	{"a cursor repeats its own token", "ACursorStaysValidWhileTokensChange", "the list before: still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			if !q.After.At.IsZero() {
				q.After.At = q.After.At.Add(-time.Microsecond)
			}
			return b.Store.Tokens(ctx, q)
		}
	}},
	{"a list ends after 36 months", "TokensOfManyMonthsAreListedOnce", "months in pages of 1: still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			if q.After.At.After(q.Now.AddDate(0, 36-months, 0)) {
				return events.Page{}, err
			}
			return p, err
		}
	}},
	{"a page does not move", "TokensOfManyMonthsAreListedOnce", "which is not after", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			if p.More && len(q.States) == 1 {
				p.Next = q.After
			}
			return p, err
		}
	}},
	{"a page ends at the last token that was looked at", "PagesNameOnlyTokensOfTheirOwners", "which is no token of these owners", lookAtEveryone},
	{"a page ends between the tokens", "PagesNameOnlyTokensOfTheirOwners", "which is no token of these owners", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			p, err := b.Store.Tokens(ctx, q)
			if p.More {
				p.Next.At = p.Next.At.Add(time.Microsecond)
			}
			return p, err
		}
	}},
	{"an index keeps the first state", "AListFollowsEveryChangeOfState", "tokens after a change to disabled: still", func(_ *testing.T, b *broken) {
		b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
			states := q.States
			q.States = nil
			p, err := b.Store.Tokens(ctx, q)
			p.Views = slices.DeleteFunc(p.Views, func(events.View) bool { return !slices.Contains(states, events.StateActive) })
			return p, err
		}
	}},
	{"every use is stored", "AUseIsStoredEveryFifteenMinutes", "a use soon after: got", func(_ *testing.T, b *broken) {
		kept := map[string]events.Use{}
		b.touch = func(_ context.Context, id string, u events.Use) error { kept[id] = u; return nil }
		b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
			v, _, err := b.Store.Token(ctx, id)
			return v, kept[id], err
		}
		b.lastUses = func(context.Context, []string) (map[string]events.Use, error) { return kept, nil }
	}},
	{"a use that cannot be decoded ends the read", "AUseThatCannotBeDecodedIsLeftOut", "the number of uses beside one that cannot be decoded: still\n0", func(_ *testing.T, b *broken) {
		b.lastUses = func(ctx context.Context, ids []string) (map[string]events.Use, error) {
			uses, err := b.Store.LastUses(ctx, ids)
			if err != nil {
				return nil, err
			}
			return uses, nil
		}
	}},
	{"a use that cannot be decoded is not reported", "AUseThatCannotBeDecodedIsLeftOut", "LastUses with a use that cannot be decoded: got the error <nil>", func(_ *testing.T, b *broken) {
		b.lastUses = func(ctx context.Context, ids []string) (map[string]events.Use, error) {
			uses, _ := b.Store.LastUses(ctx, ids)
			return uses, nil
		}
	}},
	{"a use that cannot be decoded refuses its token", "AUseThatCannotBeDecodedRefusesNoToken", "Token with a use that cannot be decoded: ", func(_ *testing.T, b *broken) {
		b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
			v, u, err := b.Store.Token(ctx, id)
			if _, damaged := b.Store.LastUses(ctx, []string{id}); err == nil {
				err = damaged
			}
			return v, u, err
		}
	}},
	{"a use that cannot be decoded is dropped in silence", "AUseThatCannotBeDecodedRefusesNoToken", "Touch of a use that cannot be decoded: got <nil>", func(_ *testing.T, b *broken) {
		b.touch = func(ctx context.Context, id string, u events.Use) error {
			b.Store.Touch(ctx, id, u)
			return nil
		}
	}},
}

// lookAtEveryone reads the list of all owners, and drops the tokens of others.
func lookAtEveryone(_ *testing.T, b *broken) {
	b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
		all := q
		all.Owners, all.States = nil, nil
		p, err := b.Store.Tokens(ctx, all)
		p.Views = slices.DeleteFunc(p.Views, func(v events.View) bool { return !q.Matches(v) })
		return p, err
	}
}
