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

// causeOf is why the caller ends a session of the owner, if it is not its own.
func causeOf(by guard.Principal, owner string) events.Cause {
	if by.Owner == owner {
		return events.CauseUser
	}
	return events.CauseAdmin
}

// urgentSessionRules are the rules for sessions. A thief who signs in all the time must
// not keep an end from taking effect.
func urgentSessionRules() Rules[session.State, session.Command] {
	r := sessionRules
	r.Urgent = true
	return r
}

// closeSession ends a live session. A session that has a live view and is not in the
// state was put back; it ends again.
func (i *Issuer) closeSession(ctx context.Context, m events.Meta, v events.View, cause events.Cause, ifMatch []uint64) error {
	r := urgentSessionRules()
	r.Decode = withPutBack(ctx, i, v, session.DecodeState, session.PutBack)
	c := session.Close{ID: v.ID, Owner: v.Owner, IfMatch: ifMatch, Cause: cause}
	_, err := do(ctx, i, r, events.SessionStream(v.Owner), m, func(at time.Time) session.Command { return session.At(c, at) })
	if isNotFound(err) {
		return token.NotFound()
	}
	return err
}

// closeUnbacked ends the sessions of the owner that were opened with a token which no
// longer backs them. Every command that ends or disables a token, rotates it, or lets it
// do less calls it before it answers, also if the token had changed before: an earlier
// call may have ended between its two writes. So a token gives nothing more after the
// answer, whatever it has opened.
func (i *Issuer) closeUnbacked(ctx context.Context, m events.Meta, c session.CloseUnbacked) error {
	r := urgentSessionRules()
	r.Decide = func(s session.State, cmd session.Command) ([]events.Fact, error) {
		if !s.HasOpenedWith() {
			return nil, nil
		}
		c := cmd.(session.CloseUnbacked)
		tokens, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(c.Owner))
		if err != nil {
			return nil, err
		}
		for _, v := range tokens.Tokens {
			if v.StateAt(i.now()) == events.StateActive {
				c.Tokens = append(c.Tokens, v)
			}
		}
		return session.Decide(s, c)
	}
	_, err := do(ctx, i, r, events.SessionStream(c.Owner), m, func(at time.Time) session.Command { return session.At(c, at) })
	if err != nil {
		return fmt.Errorf("closing the sessions of the token: %w", err)
	}
	return nil
}

// revokeSession ends a session as Revoke does with a token.
func (i *Issuer) revokeSession(ctx context.Context, by guard.Principal, set settings.State, t Token, ifMatch []uint64) error {
	m := maker(by, set, t.Owner)
	if t.LiveAt(i.now()) {
		if err := token.Check(token.Revoke{By: m, ID: t.ID, Owner: t.Owner}); err != nil {
			return fmt.Errorf("checking the end of a session: %w", err)
		}
		cause := causeOf(by, t.Owner)
		if by.TokenID == t.ID {
			cause = events.CauseSignOut
		}
		err := i.closeSession(ctx, i.meta(by, set), t.View, cause, ifMatch)
		if !isNotFound(err) {
			return err
		}
		// Another command or the time was faster. The view shows how the session ended.
		if t, _, err = i.find(ctx, by, t.ID); err != nil {
			return err
		}
	}
	return revokeEnded(t, m)
}
