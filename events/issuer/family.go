package issuer

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// maxSteps is the largest number of commits of one call. An owner has at most 51
// live tokens, so a few commits are enough unless other commands make new ones.
const maxSteps = 16

// RevokeWithChildren ends a live token, and the owner's tokens that were made with
// it or with its children. It works in several commits if there are many, and may
// run again. It also ends the children of a token that ended before. The refusals
// are those of Revoke.
func (i *Issuer) RevokeWithChildren(ctx context.Context, by guard.Principal, id string, ifMatch ...uint64) error {
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return err
	}
	c := token.Revoke{Policy: policy(set), By: maker(by, set, t.Owner), ID: id, Owner: t.Owner, IfMatch: ifMatch, WithChildren: true}
	if err := token.Check(c); err != nil {
		return fmt.Errorf("checking the revocation: %w", err)
	}
	for step := range maxSteps {
		after, err := Do(ctx, i.store, i.keys, i.revokeRules(ctx, t.View), events.UserStream(t.Owner), i.meta(by, set), func(at time.Time) token.Command {
			c.At = at
			return c
		})
		switch {
		case isNotFound(err) && step > 0:
			return nil // another command was faster
		case isNotFound(err):
			return revokeEnded(t, c.By)
		case err != nil:
			return err
		case !token.HasChildren(after, id, i.now()):
			return nil
		}
	}
	return fmt.Errorf("revoking token %s with its children: after %d commits there are new children: %w", id, maxSteps, ErrBusy)
}
