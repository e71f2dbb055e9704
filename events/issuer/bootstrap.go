package issuer

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// operator is the actor of what is done at the store itself, where nobody has
// shown a token. No user can have this key: the domain holds none.
const operator = "API_OPERATOR_DOMAIN:operator"

// Bootstrap makes somebody the administrator: it grants the owner every action
// on the realm security and makes a token for it, as an operator at the store,
// bound by the limit and by no permission. With replace the owner's earlier
// tokens are revoked first, so that a lost one is worth nothing. It may be run
// again, and after it was cut short; what was done already stays done.
func (i *Issuer) Bootstrap(ctx context.Context, owner string, replace bool) (Token, secret.Secret, error) {
	if err := token.ValidOwner(owner); err != nil {
		return Token{}, secret.Secret{}, fmt.Errorf("bootstrapping: %w", err)
	}
	set, err := i.readSettings(ctx)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	if err := i.grantAll(ctx, set, owner); err != nil {
		return Token{}, secret.Secret{}, err
	}
	if replace {
		if _, err := i.revokeWhere(ctx, set, owner, everything); err != nil {
			return Token{}, secret.Secret{}, err
		}
	}
	command := token.Create{Policy: policy(set), By: theOperator, Owner: owner}
	return i.create(ctx, i.meta(guard.Principal{Owner: operator}, set), command)
}

var theOperator = token.Maker{Owner: operator, Operator: true}

func (i *Issuer) grantAll(ctx context.Context, set settings.State, owner string) error {
	m := i.meta(guard.Principal{Owner: operator}, set)
	_, err := Do(ctx, i.store, i.keys, settingsRules, events.SettingsStream, m, func(at time.Time) settings.Command {
		return settings.Grant{At: at, User: owner, Actions: settings.Actions()}
	})
	i.cache.last.Store(nil) // who was just granted something is not told the old
	return err
}

// RevokeAgain ends those of the owner's live tokens that are named, as an
// operator at the store, and gives their ids. It is for a store that was
// restored to a time before they were revoked, and may be run again.
func (i *Issuer) RevokeAgain(ctx context.Context, owner string, revoked map[string]bool) ([]string, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	return i.revokeWhere(ctx, set, owner, func(id string) bool { return revoked[id] })
}

func everything(string) bool { return true }

// revokeWhere ends the owner's live tokens that the filter names and gives
// their ids. One that somebody else ended meanwhile is as it should be.
func (i *Issuer) revokeWhere(ctx context.Context, set settings.State, owner string, named func(id string) bool) (ended []string, err error) {
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return nil, err
	}
	for _, v := range s.Tokens {
		if !v.LiveAt(i.now()) || !named(v.ID) {
			continue
		}
		err := i.revoke(ctx, i.meta(guard.Principal{Owner: operator}, set), theOperator, policy(set), v)
		switch {
		case err == nil:
			ended = append(ended, v.ID)
		case !isNotFound(err):
			return ended, err
		}
	}
	return ended, nil
}
