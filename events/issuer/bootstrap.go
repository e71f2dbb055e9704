package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Bootstrap makes the owner an administrator. It grants the owner every action
// on the realm security and makes a token for the owner. Its actor is the
// operator: neither the token limit nor permissions nor the change rate apply, but
// an owner has at most token.MaxTokenLimit+1 live tokens. The token lives as long as
// the settings allow, and at least an hour. With replace it first
// suspends the owner, revokes the owner's other live tokens, so that a lost token is
// useless, and then ends the suspension, also one that was there before. Without
// replace a suspension is a refusal: its end would make the other tokens of the owner
// useful again. It may run again, also after an interruption; the finished steps stay
// in effect, and the owner may be suspended until it succeeds.
func (i *Issuer) Bootstrap(ctx context.Context, owner string, replace bool) (Token, secret.Secret, error) {
	if err := name.ValidOwner(owner); err != nil {
		return Token{}, secret.Secret{}, fmt.Errorf("bootstrapping: %w", err)
	}
	set, err := i.readSettings(ctx)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	if replace {
		if err := i.revokeEvery(ctx, set, owner); err != nil {
			return Token{}, secret.Secret{}, err
		}
	}
	if err := i.grantAll(ctx, set, owner); err != nil {
		return Token{}, secret.Secret{}, err
	}
	if replace {
		if _, err := i.reinstate(ctx, tokenRules, operator, set, operatorMaker, owner, bootstrapReason); err != nil {
			return Token{}, secret.Secret{}, err
		}
	}
	command := token.Create{Policy: policy(set), By: operatorMaker, Owner: owner, Recovery: true}
	made, err := i.create(ctx, &once{issuer: i}, i.meta(operator, set), command)
	return made.Token, made.Text, err
}

// bootstrapReason is the reason of the suspension by Bootstrap, and of its end.
const bootstrapReason = "bootstrap"

var operator = guard.Principal{Owner: token.Operator}

var operatorMaker = token.Maker{Owner: token.Operator, Operator: true}

func (i *Issuer) grantAll(ctx context.Context, set settings.State, owner string) error {
	m := i.meta(operator, set)
	_, err := do(ctx, i, settingsRules, events.SettingsStream, m, func(at time.Time) settings.Command {
		return settings.Grant{At: at, By: operatorMaker, User: owner, Actions: settings.Actions()}
	})
	i.cache.last.Store(nil) // drop the cache, so that the owner sees the new permissions in the next call
	return err
}

// RevokeAgain revokes those of the owner's live tokens that the map has, and
// returns their ids. Its actor is the operator. It is for a store that was
// restored to a time before these tokens were revoked. It also ends a token with
// a live view that the owner's head does not have. It may run again.
func (i *Issuer) RevokeAgain(ctx context.Context, owner string, revoked map[string]bool) ([]string, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	ended, err := i.revokeWhere(ctx, set, owner, func(id string) bool { return revoked[id] })
	if err != nil {
		return ended, err
	}
	var putBack []events.View
	for _, id := range slices.Sorted(maps.Keys(revoked)) {
		v, err := i.liveView(ctx, owner, id)
		if err != nil {
			return ended, err
		}
		if v.ID != "" {
			putBack = append(putBack, v)
		}
	}
	more, err := i.revokeAll(ctx, set, putBack)
	if ended = append(ended, more...); err != nil {
		return ended, err
	}
	return ended, i.closeUnbacked(ctx, i.meta(operator, set), session.CloseUnbacked{Owner: owner, Cause: events.CauseAdmin})
}

// restoreReason is the reason of a suspension by SuspendAgain.
const restoreReason = "suspended again after a restore of the store"

// SuspendAgain suspends the owner, and reports whether the owner was not suspended. Its
// actor is the operator. It is for a store that was restored to a time before the owner
// was suspended. It may run again.
func (i *Issuer) SuspendAgain(ctx context.Context, owner string) (bool, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return false, err
	}
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return false, err
	}
	of, _, err := load(ctx, i.store, i.keys, sessionRules, events.SessionStream(owner))
	if err != nil || s.Suspended && of.Suspended {
		return false, err
	}
	err = i.suspendByOperator(ctx, set, owner, restoreReason)
	return err == nil, err
}

// suspendByOperator suspends the tokens and the sessions of an owner.
func (i *Issuer) suspendByOperator(ctx context.Context, set settings.State, owner, reason string) error {
	suspend := token.Suspend{By: operatorMaker, Owner: owner, Reason: reason}
	_, err := do(ctx, i, urgentRules(), events.UserStream(owner), i.meta(operator, set), func(at time.Time) token.Command { return token.At(suspend, at) })
	if err != nil {
		return err
	}
	return i.suspendSessions(ctx, i.meta(operator, set), owner, reason)
}

// CloseAgain closes those of the owner's live sessions that the map has, and returns
// their ids, as RevokeAgain does for tokens. It may run again.
func (i *Issuer) CloseAgain(ctx context.Context, owner string, closed map[string]bool) (again []string, err error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(closed)) {
		v, err := i.liveView(ctx, owner, id)
		if err != nil {
			return again, err
		}
		if v.ID == "" || !v.IsSession() {
			continue
		}
		switch err := i.closeSession(ctx, i.meta(operator, set), v, events.CauseAdmin, nil); {
		case err == nil:
			again = append(again, id)
		case !isNotFound(err):
			return again, err
		}
	}
	return again, nil
}

// revokeEvery revokes all tokens and sessions of the owner that the guard accepts: those
// in the owner's heads, and those with a live view that was put back after their end. If
// there is one, it first suspends the owner: a thief who makes new tokens with each of
// them must not be faster. The suspension ends the sessions of the head.
func (i *Issuer) revokeEvery(ctx context.Context, set settings.State, owner string) error {
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return err
	}
	of, _, err := load(ctx, i.store, i.keys, sessionRules, events.SessionStream(owner))
	if err != nil {
		return err
	}
	listed, err := i.listedLive(ctx, owner)
	if err != nil || s.Live(i.now()) == 0 && of.Live(i.now()) == 0 && len(listed) == 0 {
		return err
	}
	if err := i.suspendByOperator(ctx, set, owner, bootstrapReason); err != nil {
		return err
	}
	if _, err := i.revokeWhere(ctx, set, owner, func(string) bool { return true }); err != nil {
		return err
	}
	if listed, err = i.listedLive(ctx, owner); err != nil {
		return err
	}
	_, err = i.revokeAll(ctx, set, listed)
	return err
}

// listedLive returns the owner's live views, those of sessions too. The lists of the
// store name the tokens, and each view is read again by its id: a list may lag, and a
// view that was put back may be live where its index entry has ended. It leaves out
// damaged views: the guard accepts none of them.
func (i *Issuer) listedLive(ctx context.Context, owner string) (live []events.View, err error) {
	for _, kind := range []string{"", events.KindSession} {
		of, err := i.listedLiveOf(ctx, kind, owner)
		if err != nil {
			return nil, err
		}
		live = append(live, of...)
	}
	return live, nil
}

func (i *Issuer) listedLiveOf(ctx context.Context, kind, owner string) (live []events.View, err error) {
	q := events.Query{
		Kind: kind, Owners: []string{owner}, Now: i.now(), Limit: MaxLimit,
		States: events.AllStates(),
	}
	for more := true; more; {
		page, err := i.store.Tokens(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the tokens of %s: %w", owner, busyUnlessDamaged(err))
		}
		for _, id := range listedIDs(page) {
			switch v, err := i.liveView(ctx, owner, id); {
			case err != nil && !errors.Is(err, events.ErrDamaged):
				return nil, err
			case err == nil && v.ID != "":
				live = append(live, v)
			}
		}
		more, q.After = page.More, page.Next
	}
	return live, nil
}

// listedIDs are the ids of all tokens of a page. An entry is also damaged if its
// view is whole and differs from its index entry.
func listedIDs(page events.Page) (ids []string) {
	for _, v := range page.Views {
		ids = append(ids, v.ID)
	}
	for _, d := range page.Damaged {
		ids = append(ids, d.TokenID)
	}
	return ids
}

// revokeWhere revokes the owner's live tokens that accept selects, and returns
// their ids. It skips a token that another command ended meanwhile. With an
// error it returns the ids that were revoked before.
func (i *Issuer) revokeWhere(ctx context.Context, set settings.State, owner string, accept func(id string) bool) (revoked []string, err error) {
	s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err != nil {
		return nil, err
	}
	live := slices.DeleteFunc(slices.Clone(s.Tokens), func(v events.View) bool { return !v.LiveAt(i.now()) || !accept(v.ID) })
	return i.revokeAll(ctx, set, live)
}

func (i *Issuer) revokeAll(ctx context.Context, set settings.State, live []events.View) (revoked []string, err error) {
	for _, v := range live {
		err := i.end(ctx, i.meta(operator, set), operatorMaker, policy(set), v)
		switch {
		case err == nil:
			revoked = append(revoked, v.ID)
		case !isNotFound(err):
			return revoked, err
		}
	}
	return revoked, nil
}
