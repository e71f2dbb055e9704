package issuer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Suspend makes all tokens of the owner, an owner key, useless until Reinstate.
// When it has returned, the guard denies them, and no command makes or changes a
// token of the owner. It may run again.
func (i *Issuer) Suspend(ctx context.Context, by guard.Principal, owner, reason string) error {
	_, err := i.suspend(ctx, by, owner, func(m token.Maker, last bool) token.Command {
		return token.Suspend{By: m, Owner: owner, Reason: reason, LastEditor: last}
	})
	return err
}

// Reinstate ends a suspension. Tokens that ended meanwhile stay ended. It may run
// again.
func (i *Issuer) Reinstate(ctx context.Context, by guard.Principal, owner, reason string) error {
	set, err := i.readSettings(ctx)
	if err != nil {
		return err
	}
	return i.reinstate(ctx, by, set, maker(by, set, owner), owner, reason)
}

func (i *Issuer) reinstate(ctx context.Context, by guard.Principal, set settings.State, m token.Maker, owner, reason string) error {
	_, err := i.run(ctx, i.meta(by, set), owner, token.Reinstate{By: m, Owner: owner, Reason: reason})
	return err
}

// Offboard suspends the owner and then ends all its tokens, in steps. After an
// interruption the finished steps stay in effect; Offboard may run again.
func (i *Issuer) Offboard(ctx context.Context, by guard.Principal, owner, reason string) error {
	for range maxSteps {
		after, err := i.suspend(ctx, by, owner, func(m token.Maker, last bool) token.Command {
			return token.Offboard{By: m, Owner: owner, Reason: reason, LastEditor: last}
		})
		if err != nil {
			return err
		}
		if after.Suspended && after.Live(i.now()) == 0 {
			return nil
		}
	}
	return fmt.Errorf("offboarding user %s: after %d steps there are live tokens: %w", owner, maxSteps, ErrBusy)
}

func (i *Issuer) suspend(ctx context.Context, by guard.Principal, owner string, build func(m token.Maker, last bool) token.Command) (token.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return token.State{}, err
	}
	m := maker(by, set, owner)
	if err := token.Check(build(m, false)); err != nil {
		return token.State{}, fmt.Errorf("checking the suspension: %w", err)
	}
	last, err := i.isLastEditor(ctx, set, owner)
	if err != nil {
		return token.State{}, err
	}
	c := build(m, last)
	return Do(ctx, i.store, i.keys, urgentRules(), events.UserStream(owner), i.meta(by, set), func(at time.Time) token.Command { return token.At(c, at) })
}

// urgentRules are the rules for tokens. A thief who makes tokens all the time must not
// keep a suspension from taking effect.
func urgentRules() Rules[token.State, token.Command] {
	r := tokenRules
	r.Urgent = true
	return r
}

// isLastEditor reports whether the owner holds edit and all other holders of edit
// are suspended, or there are none. Suspensions are in the streams of the users,
// so two holders who suspend each other at the same time may both succeed. Then
// Bootstrap helps.
func (i *Issuer) isLastEditor(ctx context.Context, set settings.State, owner string) (bool, error) {
	if !set.Holds(owner, settings.ActionEdit) {
		return false, nil
	}
	for _, other := range slices.Sorted(maps.Keys(set.Holders)) {
		if other == owner || !set.Holds(other, settings.ActionEdit) {
			continue
		}
		s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(other))
		if err != nil || !s.Suspended {
			return false, err
		}
	}
	return true, nil
}

// SetLimit gives the owner, an owner key, a token limit of its own; nil is that of
// the settings. It ends no token.
func (i *Issuer) SetLimit(ctx context.Context, by guard.Principal, owner string, limit *int) error {
	set, err := i.readSettings(ctx)
	if err != nil {
		return err
	}
	_, err = i.run(ctx, i.meta(by, set), owner, token.SetLimit{By: maker(by, set, owner), Owner: owner, Limit: limit})
	return err
}

// Expire records the owner's expiries that have passed. Its actor is the operator.
func (i *Issuer) Expire(ctx context.Context, owner string) error {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return err
	}
	_, err = i.run(ctx, i.meta(operator, set), owner, token.Expire{Owner: owner})
	return err
}

// run checks a command about an owner and runs it, each try with the time of the
// stream. It returns the state after the command.
func (i *Issuer) run(ctx context.Context, m events.Meta, owner string, c token.Command) (token.State, error) {
	if err := token.Check(c); err != nil {
		return token.State{}, fmt.Errorf("checking the command: %w", err)
	}
	return Do(ctx, i.store, i.keys, tokenRules, events.UserStream(owner), m, func(at time.Time) token.Command { return token.At(c, at) })
}
