package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Suspend makes all tokens of the owner, an owner key, useless until Reinstate, and ends
// all sessions of the owner. When it has returned, the guard denies them, no command
// makes or changes a token of the owner, and no session is opened. It may run again: it
// writes to two streams, and after an interruption only the first may be written. It
// takes edit. Users cannot suspend themselves, and the last holder of edit who is not
// suspended cannot be suspended.
func (i *Issuer) Suspend(ctx context.Context, by guard.Principal, owner, reason string) (Account, error) {
	after, set, err := i.suspend(ctx, by, owner, urgentRules(), func(m token.Maker, last bool) token.Command {
		return token.Suspend{By: m, Owner: owner, Reason: reason, LastEditor: last}
	})
	if err == nil {
		err = i.suspendSessions(ctx, i.meta(by, set), owner, reason)
	}
	if err == nil {
		err = i.keepAnEditor(ctx, by, set, owner)
	}
	if err != nil {
		return Account{}, err
	}
	return i.account(after, set, owner), nil
}

// Reinstate ends a suspension. Tokens that ended meanwhile stay ended. It may run
// again. It takes edit.
func (i *Issuer) Reinstate(ctx context.Context, by guard.Principal, owner, reason string) (Account, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return Account{}, err
	}
	after, err := i.reinstate(ctx, whileActing(ctx, i, by, tokenRules), by, set, maker(by, set, owner), owner, reason)
	if err != nil {
		return Account{}, err
	}
	return i.account(after, set, owner), nil
}

func (i *Issuer) reinstate(ctx context.Context, r Rules[token.State, token.Command], by guard.Principal, set settings.State, m token.Maker, owner, reason string) (token.State, error) {
	after, err := i.run(ctx, r, i.meta(by, set), owner, token.Reinstate{By: m, Owner: owner, Reason: reason})
	if err != nil {
		return after, err
	}
	_, err = do(ctx, i, urgentSessionRules(), events.SessionStream(owner), i.meta(by, set), func(at time.Time) session.Command {
		return session.Reinstate{At: at, Owner: owner, Reason: reason}
	})
	return after, err
}

// suspendSessions ends the sessions of an owner whose tokens were suspended before, and
// bars new ones.
func (i *Issuer) suspendSessions(ctx context.Context, m events.Meta, owner, reason string) error {
	_, err := do(ctx, i, urgentSessionRules(), events.SessionStream(owner), m, func(at time.Time) session.Command {
		return session.Suspend{At: at, Owner: owner, Reason: reason}
	})
	return err
}

// Offboarding is the answer of Offboard.
type Offboarding struct {
	Account
	Ended int // the tokens that this call ended, without those that an earlier call ended
}

// Offboard suspends the owner, ends all its sessions, and then ends all its tokens, in
// steps. After an
// interruption the finished steps stay in effect; Offboard may run again. It takes
// edit and delete, and the refusals of Suspend apply.
//
// Only the step that suspends may be taken back. After a step that ends tokens an end
// of the suspension would leave a holder of edit without a token.
func (i *Issuer) Offboard(ctx context.Context, by guard.Principal, owner, reason string) (Offboarding, error) {
	var out Offboarding
	for n := range maxSteps {
		var step offboardStep
		after, set, err := i.suspend(ctx, by, owner, step.rules(), func(m token.Maker, last bool) token.Command {
			return token.Offboard{By: m, Owner: owner, Reason: reason, LastEditor: last}
		})
		if err == nil && n == 0 {
			err = i.suspendSessions(ctx, i.meta(by, set), owner, reason)
		}
		if err == nil && step.suspends {
			err = i.keepAnEditor(ctx, by, set, owner)
		}
		if err != nil {
			return Offboarding{}, err
		}
		out = Offboarding{Account: i.account(after, set, owner), Ended: out.Ended + step.ended}
		if out.Suspended && out.Live == 0 {
			return out, nil
		}
	}
	return Offboarding{}, fmt.Errorf("offboarding user %s: after %d steps there are live tokens: %w", owner, maxSteps, ErrBusy)
}

// urgentRules are the rules for tokens. A thief who makes tokens all the time must not
// keep a suspension, a revocation or a disabling from taking effect.
func urgentRules() Rules[token.State, token.Command] {
	r := tokenRules
	r.Urgent = true
	return r
}

// offboardStep says what one step of an offboarding does.
type offboardStep struct {
	suspends bool
	ended    int // the tokens that it revokes
}

// rules returns the rules for tokens. Each decision replaces the step, so after Do it
// is the decision in effect.
func (o *offboardStep) rules() Rules[token.State, token.Command] {
	r := urgentRules()
	r.Decide = func(s token.State, c token.Command) ([]events.Fact, error) {
		facts, err := token.Decide(s, c)
		*o = offboardStep{}
		for _, f := range facts {
			switch f.(type) {
			case events.UserSuspended:
				o.suspends = true
			case events.TokenRevoked:
				o.ended++
			}
		}
		return facts, err
	}
	return r
}

// suspend runs one step of a suspension or an offboarding, and returns the state
// after it. The caller calls keepAnEditor after a step that may suspend.
func (i *Issuer) suspend(ctx context.Context, by guard.Principal, owner string, r Rules[token.State, token.Command], build func(m token.Maker, last bool) token.Command) (token.State, settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return token.State{}, set, err
	}
	m := maker(by, set, owner)
	if err := token.Check(build(m, false)); err != nil {
		return token.State{}, set, fmt.Errorf("checking the suspension: %w", err)
	}
	last, err := i.isLastEditor(ctx, set, owner)
	if err != nil {
		return token.State{}, set, err
	}
	c := build(m, last)
	after, err := do(ctx, i, whileActing(ctx, i, by, r), events.UserStream(owner), i.meta(by, set), func(at time.Time) token.Command { return token.At(c, at) })
	return after, set, err
}

// keepAnEditor ends the suspension again if no holder of edit is left who is not
// suspended. Suspensions are in the streams of the users and permissions are in that
// of the settings, so no one commit sees both: two holders may suspend each other at
// the same time. Each reads all others after its own write, so the later one sees
// both suspensions. If the process ends in between, Bootstrap helps. The caller may
// take its suspension back with the permissions that it had then.
func (i *Issuer) keepAnEditor(ctx context.Context, by guard.Principal, then settings.State, owner string) error {
	set, err := i.readSettings(ctx)
	if err != nil {
		return err
	}
	if !set.Holds(owner, settings.ActionEdit) {
		return nil
	}
	if left, err := i.hasEditor(ctx, set, ""); err != nil || left {
		return err
	}
	if _, err := i.reinstate(ctx, tokenRules, by, set, maker(by, then, owner), owner, "no other holder of edit was left"); err != nil {
		return err
	}
	return token.LastEditor()
}

// isLastEditor reports whether the owner holds edit and all other holders of edit
// are suspended, or there are none.
func (i *Issuer) isLastEditor(ctx context.Context, set settings.State, owner string) (bool, error) {
	if !set.Holds(owner, settings.ActionEdit) {
		return false, nil
	}
	left, err := i.hasEditor(ctx, set, owner)
	return !left, err
}

// hasEditor reports whether a user holds edit and is not suspended. The user without
// does not count. A holder with a damaged head does not count either: it must not
// keep the others from stopping a thief. It is the error if there is no other holder.
func (i *Issuer) hasEditor(ctx context.Context, set settings.State, without string) (bool, error) {
	var damaged error
	for _, other := range slices.Sorted(maps.Keys(set.Holders)) {
		if other == without || !set.Holds(other, settings.ActionEdit) {
			continue
		}
		s, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(other))
		switch {
		case errors.Is(err, events.ErrDamaged):
			damaged = cmp.Or(damaged, err)
		case err != nil || !s.Suspended:
			return err == nil, err
		}
	}
	return false, damaged
}

// run checks a command about an owner and runs it with the rules, each try with the time of the
// stream. It returns the state after the command.
func (i *Issuer) run(ctx context.Context, r Rules[token.State, token.Command], m events.Meta, owner string, c token.Command) (token.State, error) {
	if err := token.Check(c); err != nil {
		return token.State{}, fmt.Errorf("checking the command: %w", err)
	}
	return do(ctx, i, r, events.UserStream(owner), m, func(at time.Time) token.Command { return token.At(c, at) })
}
