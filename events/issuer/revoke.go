package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// Revoke ends a live token; this is final. The guard denies the token as soon as
// Revoke has returned. To revoke an expired token is no error and changes nothing.
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
	return revokeEnded(t, maker(by, set, t.Owner))
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
	_, err := Do(ctx, i.store, i.keys, i.revokeRules(ctx, v), events.UserStream(v.Owner), m, func(at time.Time) token.Command {
		c.At = at
		return c
	})
	if isNotFound(err) {
		return token.NotFound()
	}
	return err
}

// revokeRules returns the urgent rules for tokens, with one addition: a token that
// has a live view and is not in the state is added to the state. Its view was put
// back to an older one. The view is read after the head, so a token that another
// command has just ended is not added.
func (i *Issuer) revokeRules(ctx context.Context, v events.View) Rules[token.State, token.Command] {
	r := urgentRules()
	r.Decode = func(version int, stored []byte) (token.State, error) {
		s, err := token.DecodeState(version, stored)
		if _, found := s.Find(v.ID); err != nil || found {
			return s, err
		}
		live, err := i.liveView(ctx, v.Owner, v.ID)
		if err != nil || live.ID == "" {
			return s, err
		}
		return token.PutBack(s, live), nil
	}
	return r
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
