package issuer

import (
	"context"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Account is what the service keeps about one user beside the tokens and the
// permissions.
type Account struct {
	Owner      string
	Suspended  bool
	Live       int  // live tokens
	OwnLimit   *int // the user's own token limit; nil: that of the settings
	TokenLimit int  // the one that applies

	Expiration time.Duration // default and maximum lifetime of the user's tokens, of the settings; 0: neither
}

// Account returns the account of an owner, an owner key. For another user it takes
// view or edit. The account of a user without a history is not suspended and empty.
func (i *Issuer) Account(ctx context.Context, by guard.Principal, owner string) (Account, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return Account{}, err
	}
	if err := mayRead(by, set, owner, "reading the limit or the suspension of another user"); err != nil {
		return Account{}, err
	}
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return Account{}, err
	}
	return i.account(s, set, owner), nil
}

func (i *Issuer) account(s token.State, set settings.State, owner string) Account {
	return Account{Owner: owner, Suspended: s.Suspended, Live: s.Live(i.now()), OwnLimit: s.TokenLimit, TokenLimit: s.Limit(policy(set)), Expiration: set.Expiration}
}

// SetLimit gives the owner, an owner key, a token limit of its own; nil is that of
// the settings. It ends no token: a user above the limit makes no new ones. It takes
// edit.
func (i *Issuer) SetLimit(ctx context.Context, by guard.Principal, owner string, limit *int) (Account, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return Account{}, err
	}
	after, err := i.run(ctx, whileActing(ctx, i, by, tokenRules), i.meta(by, set), owner, token.SetLimit{By: maker(by, set, owner), Owner: owner, Limit: limit})
	if err != nil {
		return Account{}, err
	}
	return i.account(after, set, owner), nil
}

// mayRead refuses a caller who neither is the owner nor holds view or edit. The
// doing begins the sentence of the refusal.
func mayRead(by guard.Principal, set settings.State, owner, doing string) error {
	if by.Owner == owner || may(by, set, settings.ActionView) || may(by, set, settings.ActionEdit) {
		return nil
	}
	return &events.Refusal{Code: token.CodePermissionDenied, Field: "user", Detail: doing + ` needs the permission view or edit on the realm "security"`}
}
