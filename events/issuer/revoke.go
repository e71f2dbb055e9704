package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Revoke ends a live token or session; this is final. The guard denies it, and each
// session that was opened with the token, as soon as Revoke has returned. To revoke an expired token is no error and changes nothing.
// A missing token and another user's token that the caller may not view are
// not_found. A revoked token that the caller may view is not_found_revoked. A
// token that the caller may view but not delete is permission_denied; then Revoke
// reads only the token's view and not the owner's stream.
// A live view that was put back after its token ended is live for the guard, so
// Revoke ends the token again. With sequences in ifMatch, the token's Seq must be
// one of them, otherwise the refusal is version_conflict; no token has Seq 0.
func (i *Issuer) Revoke(ctx context.Context, by guard.Principal, id string, ifMatch ...uint64) error {
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return err
	}
	if t.IsSession() {
		return i.revokeSession(ctx, by, set, t, ifMatch)
	}
	if t.LiveAt(i.now()) {
		err := i.revoke(ctx, i.meta(by, set), maker(by, set, t.Owner), policy(set), t.View, ifMatch)
		if !isNotFound(err) {
			return err
		}
		// Another command or the time was faster. The view shows how the token ended.
		if t, set, err = i.find(ctx, by, id); err != nil {
			return err
		}
	}
	return i.alreadyEnded(ctx, by, set, t)
}

// alreadyEnded returns the answer to a revocation of a token that has ended, after it
// ended the sessions of the token again: see closeUnbacked.
func (i *Issuer) alreadyEnded(ctx context.Context, by guard.Principal, set settings.State, t Token) error {
	m := maker(by, set, t.Owner)
	if token.Check(token.Revoke{By: m, ID: t.ID, Owner: t.Owner}) == nil {
		if err := i.closeUnbacked(ctx, i.meta(by, set), session.CloseUnbacked{Owner: t.Owner, Cause: causeOf(by, t.Owner)}); err != nil {
			return err
		}
	}
	return revokeEnded(t, m)
}

// end ends a live token or session.
func (i *Issuer) end(ctx context.Context, m events.Meta, by token.Maker, p token.Policy, v events.View) error {
	if v.IsSession() {
		return i.closeSession(ctx, m, v, events.CauseAdmin, nil)
	}
	return i.revoke(ctx, m, by, p, v, nil)
}

// revokeEnded returns the answer to a revocation of a token that has ended.
func revokeEnded(t Token, by token.Maker) error {
	switch t.State {
	case events.StateRevoked:
		return token.NotFoundRevoked(t.EndedTime())
	case events.StateExpired:
		if err := token.Check(token.Revoke{By: by, ID: t.ID, Owner: t.Owner}); err != nil {
			return fmt.Errorf("checking the revocation: %w", err)
		}
		return nil
	}
	return token.NotFound()
}

// revoke returns not_found always with the same text. The view before the command
// may show that the token has ended, or the rules may find it during the command,
// because another command was faster.
func (i *Issuer) revoke(ctx context.Context, m events.Meta, by token.Maker, p token.Policy, v events.View, ifMatch []uint64) error {
	c := token.Revoke{Policy: p, By: by, ID: v.ID, Owner: v.Owner, IfMatch: ifMatch}
	if err := token.Check(c); err != nil {
		return fmt.Errorf("checking the revocation: %w", err)
	}
	_, err := do(ctx, i, i.revokeRules(ctx, v), events.UserStream(v.Owner), m, func(at time.Time) token.Command {
		c.At = at
		return c
	})
	if isNotFound(err) {
		return token.NotFound()
	}
	if err != nil {
		return err
	}
	m.Command = newCommandID()
	return i.closeUnbacked(ctx, m, session.CloseUnbacked{Owner: v.Owner, Cause: by.Cause(v.Owner)})
}

// revokeRules returns the urgent rules for tokens, with one addition: see withPutBack.
func (i *Issuer) revokeRules(ctx context.Context, v events.View) Rules[token.State, token.Command] {
	r := urgentRules()
	r.Decode = withPutBack(ctx, i, v, token.DecodeState, token.PutBack)
	return r
}

// withPutBack returns a decoder of states with one addition: a token or session that has
// a live view and is not in the state is added to the state. Its view was put back to an
// older one. The view is read after the head, so one that another command has just ended
// is not added.
func withPutBack[S interface {
	Find(id string) (events.View, bool)
}](ctx context.Context, i *Issuer, v events.View, decode func(version int, stored []byte) (S, error), putBack func(S, events.View) S) func(int, []byte) (S, error) {
	return func(version int, stored []byte) (S, error) {
		s, err := decode(version, stored)
		if err != nil {
			return s, err
		}
		if _, found := s.Find(v.ID); found {
			return s, nil
		}
		live, err := i.liveView(ctx, v.Owner, v.ID)
		if err != nil || live.ID == "" {
			return s, err
		}
		return putBack(s, live), nil
	}
}

// liveView returns the view of a live token of the owner, and the zero view if
// there is none.
func (i *Issuer) liveView(ctx context.Context, owner, id string) (events.View, error) {
	v, _, err := i.readView(ctx, id)
	if errors.Is(err, events.ErrNotFound) || err == nil && (v.Owner != owner || !v.LiveAt(i.now())) {
		return events.View{}, nil
	}
	return v, err
}

func isNotFound(err error) bool {
	r, ok := errors.AsType[*events.Refusal](err)
	return ok && r.Code == token.CodeNotFound
}
