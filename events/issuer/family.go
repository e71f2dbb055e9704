package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/session"
	"apitoken/events/token"
)

// maxSteps is the largest number of commits of one call. An owner has at most 51
// live tokens, so a few commits are enough unless other commands make new ones.
const maxSteps = 16

// RevokeWithChildren ends a live token, and the owner's tokens that were made with
// it or with its children. It works in several commits if there are many, and may
// run again. It also ends the children of a token that ended before. The refusals
// are those of Revoke. The Seq of the token is compared with ifMatch only before
// the first commit, because that commit changes it.
func (i *Issuer) RevokeWithChildren(ctx context.Context, by guard.Principal, id string, ifMatch ...uint64) error {
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return err
	}
	if t.IsSession() { // a session is the parent of no token
		return i.revokeSession(ctx, by, set, t, ifMatch)
	}
	c := token.Revoke{Policy: policy(set), By: maker(by, set, t.Owner), ID: id, Owner: t.Owner, IfMatch: ifMatch, WithChildren: true}
	if err := token.Check(c); err != nil {
		if t.State == events.StateRevoked { // as for Revoke: who may view the token learns that it is revoked
			return token.NotFoundRevoked(t.EndedTime())
		}
		return fmt.Errorf("checking the revocation: %w", err)
	}
	if !t.LiveAt(i.now()) && slices.Contains(ifMatch, t.Seq) {
		c.IfMatch = nil // the rules do not have the Seq of an ended token
	}
	for step := range maxSteps {
		after, err := do(ctx, i, i.revokeRules(ctx, t.View), events.UserStream(t.Owner), i.meta(by, set), func(at time.Time) token.Command {
			c.At = at
			return c
		})
		switch {
		case isNotFound(err) && step == 0:
			return i.alreadyEnded(ctx, by, set, t)
		case err != nil && !isNotFound(err):
			return err
		case err != nil || !token.HasChildren(after, id, i.now()): // not found: another command was faster
			return i.closeUnbacked(ctx, i.meta(by, set), session.CloseUnbacked{Owner: t.Owner, Cause: c.By.Cause(t.Owner)})
		}
		c.IfMatch = nil
	}
	return fmt.Errorf("revoking token %s with its children: after %d commits there are new children: %w", id, maxSteps, ErrBusy)
}
