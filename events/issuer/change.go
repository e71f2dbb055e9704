package issuer

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Update changes the members of a live token that given names, whether it is
// enabled, and the end of its outgoing secret, and returns the token. A session that was
// opened with the token ends if the token may do less than the session. An update
// that changes nothing writes nothing. The guard obeys an update as soon as
// Update has returned. A missing token and another user's token that the caller
// may not view are not_found. A revoked token that the caller may view is
// not_found_revoked, also for a caller who may not change it. An expired token is
// token_ended.
func (i *Issuer) Update(ctx context.Context, by guard.Principal, id string, u token.Update) (Token, error) {
	r := tokenRules
	if u.Enabled != nil && !*u.Enabled {
		r = urgentRules() // disabling is how a leaked token is stopped for the time being
	}
	changed, err := i.change(ctx, by, id, r, func(set settings.State, t Token, at time.Time) (token.Command, error) {
		c := token.Update{Policy: policy(set), By: maker(by, set, t.Owner), ID: id, Owner: t.Owner, At: at}
		c.Now = i.now()
		c.IfMatch, c.Wish, c.Given, c.Enabled, c.EndOutgoing = u.IfMatch, u.Wish, u.Given, u.Enabled, u.EndOutgoing
		return c, nil
	})
	if err != nil || u.Enabled == nil && !u.Given.Expiry && !u.Given.Scopes && !u.Given.SourceIPs {
		return changed, err
	}
	return changed, i.closeChanged(ctx, by, session.CloseUnbacked{Owner: changed.Owner})
}

// closeChanged ends the sessions that a changed token no longer backs.
func (i *Issuer) closeChanged(ctx context.Context, by guard.Principal, c session.CloseUnbacked) error {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return err
	}
	c.Cause = causeOf(by, c.Owner)
	return i.closeUnbacked(ctx, i.meta(by, set), c)
}

// change finds a token, checks the command, and runs it with the rules. build returns the
// command for the token with the time at.
func (i *Issuer) change(ctx context.Context, by guard.Principal, id string, r Rules[token.State, token.Command], build func(settings.State, Token, time.Time) (token.Command, error)) (Token, error) {
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return Token{}, err
	}
	if t.IsSession() {
		return Token{}, unchangeable()
	}
	if t.State == events.StateRevoked { // as for Revoke: who may view the token learns that it is revoked
		return Token{}, token.NotFoundRevoked(t.EndedTime())
	}
	c, err := build(set, t, i.now())
	if err != nil {
		return Token{}, fmt.Errorf("making the command: %w", err)
	}
	if err := token.Check(c); err != nil {
		return Token{}, fmt.Errorf("checking the change of token %s: %w", id, err)
	}
	if err := endedRefusal(t); err != nil {
		return Token{}, err
	}
	after, err := do(ctx, i, i.actingRules(ctx, by, t.Owner, r), events.UserStream(t.Owner), i.meta(by, set), func(at time.Time) token.Command {
		c, _ := build(set, t, at) // its error does not depend on the time
		return c
	})
	if isNotFound(err) {
		return Token{}, i.endedMeanwhile(ctx, by, id)
	}
	if err != nil {
		return Token{}, err
	}
	v, _ := after.Find(id)
	return i.tokenOf(v, t.LastUse), nil
}

// CodeSession is the code of the refusal to change or rotate a session.
const CodeSession = "session_unchangeable"

func unchangeable() error {
	return &events.Refusal{Code: CodeSession, Detail: "this is a session; it can only be ended, and is neither changed nor rotated; sign in again for another one"}
}

// endedMeanwhile returns the refusal for a token that another command ended
// after it was found.
func (i *Issuer) endedMeanwhile(ctx context.Context, by guard.Principal, id string) error {
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return err
	}
	if err := endedRefusal(t); err != nil {
		return err
	}
	return fmt.Errorf("token %s: %w: its view is live, but its owner's head does not have it", id, events.ErrDamaged)
}

// endedRefusal returns the refusal of a change of a token that has ended, and nil
// for a live token.
func endedRefusal(t Token) error {
	switch t.State {
	case events.StateRevoked:
		return token.NotFoundRevoked(t.EndedTime())
	case events.StateExpired:
		return token.Ended(t.ExpiresAt)
	}
	return nil
}
