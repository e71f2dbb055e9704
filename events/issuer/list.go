package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

const (
	// DefaultLimit is the page size if the caller names none.
	DefaultLimit = 100
	// MaxLimit is the largest page size; a larger limit means MaxLimit.
	MaxLimit = 1000
)

// maxHeads is the maximum number of owners that List answers from their heads. A
// name without a domain means three owners: a local user, and a user of each of
// the two directories.
const maxHeads = 3

// ListQuery selects tokens.
type ListQuery struct {
	Kind   string              // events.KindSession: sessions in place of tokens; empty: tokens
	Owners []string            // owner keys; none: all owners whose tokens the caller may view
	States []events.TokenState // none: the live states
	After  events.Position     // only tokens later than this position
	Limit  int                 // below 1: DefaultLimit; above MaxLimit: MaxLimit
	Filter Filter              // selects some of these tokens
}

// ListPage is a part of a list, in the order of events.Position.
type ListPage struct {
	Tokens []Token
	More   bool            // there may be more tokens
	Next   events.Position // the After of the next page, if More

	// Account is that of the owner, in a list of the live tokens of one owner;
	// otherwise nil. Its settings are those of the last 5 seconds.
	Account *Account
}

// List returns tokens, or sessions. It skips owners whose tokens the caller may not view. Live
// tokens of up to three owners are as fresh as the last commit. All other lists
// may miss the latest changes, and leave out tokens with a damaged view.
func (i *Issuer) List(ctx context.Context, by guard.Principal, q ListQuery) (ListPage, error) {
	states, err := statesToList(q.States)
	if err != nil {
		return ListPage{}, err
	}
	owners, some, err := i.ownersToList(ctx, by, q.Owners)
	if err != nil || !some {
		return ListPage{}, err
	}
	query := events.Query{Kind: q.Kind, Owners: owners, States: states, Now: i.now(), After: q.After, Limit: pageSize(q.Limit)}
	if !q.Filter.isZero() {
		return i.filtered(ctx, query, q.Filter)
	}
	page, account, err := i.views(ctx, query)
	if err != nil {
		return ListPage{}, err
	}
	p, err := i.withUses(ctx, query, page)
	p.Account = account
	return p, err
}

// statesToList returns the states to list; none means the live states. No caller
// may list tokens past their retention.
func statesToList(states []events.TokenState) ([]events.TokenState, error) {
	if len(states) == 0 {
		return []events.TokenState{events.StateActive, events.StateDisabled}, nil
	}
	for _, s := range states {
		switch s {
		case events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked:
		default:
			return nil, &events.Refusal{
				Code: token.CodeInvalidField, Field: "state",
				Detail: "a state is unknown; allowed: active, disabled, expired, revoked",
			}
		}
	}
	return states, nil
}

// ownersToList returns those of the asked owners whose tokens the caller may
// view, and false if there are none. An empty list, asked or returned, means all
// owners.
func (i *Issuer) ownersToList(ctx context.Context, by guard.Principal, asked []string) ([]string, bool, error) {
	owners := slices.Compact(slices.Sorted(slices.Values(asked)))
	own := []string{by.Owner}
	if slices.Equal(owners, own) {
		return own, true, nil
	}
	set, err := i.readSettings(ctx)
	if err != nil {
		return nil, false, err
	}
	if may(by, set, settings.ActionView) {
		return owners, true, nil
	}
	return own, len(owners) == 0 || slices.Contains(owners, by.Owner), nil
}

// views reads a page, and the account for ListPage.
func (i *Issuer) views(ctx context.Context, q events.Query) (events.Page, *Account, error) {
	live := !slices.ContainsFunc(q.States, func(s events.TokenState) bool { return s != events.StateActive && s != events.StateDisabled })
	if live && len(q.Owners) > 0 && len(q.Owners) <= maxHeads {
		return i.fromHeads(ctx, q)
	}
	page, err := i.fromList(ctx, q)
	return page, nil, err
}

// fromList reads the list of the store, without its damaged views.
func (i *Issuer) fromList(ctx context.Context, q events.Query) (events.Page, error) {
	page, err := i.store.Tokens(ctx, q)
	if err != nil {
		return events.Page{}, fmt.Errorf("listing tokens: %w", busyUnlessDamaged(err))
	}
	return i.withoutDamaged(ctx, page), nil
}

// withoutDamaged returns the page without the views that have no valid seal. It
// logs each damaged view: the caller gets the other tokens of the page and does
// not see the fault.
func (i *Issuer) withoutDamaged(ctx context.Context, page events.Page) events.Page {
	for _, d := range page.Damaged {
		i.logDamaged(ctx, d)
	}
	page.Damaged = nil
	page.Views = slices.DeleteFunc(page.Views, func(v events.View) bool {
		err := v.Check(i.keys)
		if d, damaged := errors.AsType[*events.DamagedView](err); damaged {
			i.logDamaged(ctx, d)
		}
		return err != nil
	})
	return page
}

func (i *Issuer) logDamaged(ctx context.Context, d *events.DamagedView) {
	i.log.LogAttrs(ctx, slog.LevelError, "a damaged view was left out of a list", slog.String("token_id", d.TokenID), slog.Any("error", d))
}

// fromHeads merges the live tokens of a few owners. The state in a head has all
// live tokens of its owner. Its views need no seals, because load checks the seal
// of the head.
func (i *Issuer) fromHeads(ctx context.Context, q events.Query) (events.Page, *Account, error) {
	var p events.Page
	var account *Account
	for _, owner := range q.Owners {
		views, of, err := i.inHead(ctx, q.Kind, owner)
		if err != nil {
			return events.Page{}, nil, err
		}
		if len(q.Owners) == 1 {
			account = of
		}
		for _, v := range views {
			if q.Matches(v) {
				p.Views = append(p.Views, v)
			}
		}
	}
	slices.SortFunc(p.Views, func(a, b events.View) int { return a.Position().Compare(b.Position()) })
	if len(p.Views) > q.Limit {
		p.Views = p.Views[:q.Limit]
		p.More, p.Next = true, p.Views[q.Limit-1].Position()
	}
	return p, account, nil
}

// inHead returns the views without a recorded end that the head of an owner has, and
// of the head with the tokens the account.
func (i *Issuer) inHead(ctx context.Context, kind, owner string) ([]events.View, *Account, error) {
	if kind == events.KindSession {
		s, _, err := load(ctx, i.store, i.keys, sessionRules, events.SessionStream(owner))
		return s.Sessions, nil, err
	}
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return nil, nil, err
	}
	set, err := i.recentSettings(ctx)
	if err != nil {
		return nil, nil, err
	}
	return s.Tokens, new(i.account(s, set, owner)), nil
}

func (i *Issuer) withUses(ctx context.Context, q events.Query, page events.Page) (ListPage, error) {
	p := ListPage{Tokens: make([]Token, len(page.Views)), More: page.More, Next: page.Next}
	if len(page.Views) == 0 {
		return p, nil
	}
	ids := make([]string, len(page.Views))
	for n, v := range page.Views {
		ids[n] = v.ID
	}
	uses, err := i.lastUses(ctx, ids)
	if err != nil {
		return ListPage{}, err
	}
	for n, v := range page.Views {
		p.Tokens[n] = tokenAt(v, uses[v.ID], q.Now)
	}
	return p, nil
}

// lastUses returns the uses without those that cannot be decoded. It logs the
// damaged ones: a use is only shown, so a damaged use must not end a list.
func (i *Issuer) lastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	uses, err := i.store.LastUses(ctx, ids)
	switch {
	case errors.Is(err, events.ErrDamaged):
		i.log.LogAttrs(ctx, slog.LevelError, "a damaged last use was left out of a list", slog.Any("error", err))
	case err != nil:
		return nil, fmt.Errorf("reading last uses: %w", busyUnlessDamaged(err))
	}
	return uses, nil
}

func pageSize(limit int) int {
	if limit < 1 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}
