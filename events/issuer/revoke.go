package issuer

import (
	"context"
	"errors"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// Revoke ends a live token for good; it is refused from the moment that Revoke
// returns. A token that has ended, one that is missing, and somebody else's
// that the caller may not view are not_found; one that the caller may view and
// not delete is permission_denied.
func (i *Issuer) Revoke(ctx context.Context, by guard.Principal, id string) error {
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return err
	}
	if !t.LiveAt(i.now()) {
		return token.NotFound()
	}
	return i.revoke(ctx, i.meta(by, set), maker(by, set), policy(set), t.View)
}

// revoke answers not_found in one wording, whoever finds out: the view before
// the command, or the rules in the middle of it because somebody was faster.
func (i *Issuer) revoke(ctx context.Context, m events.Meta, by token.Maker, p token.Policy, v events.View) error {
	_, err := Do(ctx, i.store, i.keys, tokenRules, events.UserStream(v.Owner), m, func(at time.Time) token.Command {
		return token.Revoke{At: at, Policy: p, By: by, ID: v.ID, Owner: v.Owner}
	})
	if isNotFound(err) {
		return token.NotFound()
	}
	return err
}

func isNotFound(err error) bool {
	r, ok := errors.AsType[*events.Refusal](err)
	return ok && r.Code == token.CodeNotFound
}
