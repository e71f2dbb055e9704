package issuer

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Get is one token, live or expired. A missing one, one that was revoked, and
// somebody else's that the caller may not view are refused alike: not_found.
func (i *Issuer) Get(ctx context.Context, by guard.Principal, id string) (Token, error) {
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return Token{}, err
	}
	if t.State == events.StateRevoked {
		return Token{}, token.NotFound()
	}
	return t, nil
}

// find is a token that the caller may see, whether or not it has ended, and
// the settings by which that was decided. For a missing token the settings are
// read as for somebody else's, so that not even trouble tells the two apart.
func (i *Issuer) find(ctx context.Context, by guard.Principal, id string) (Token, settings.State, error) {
	if !secret.IsID(id) {
		return Token{}, settings.State{}, token.NotFound()
	}
	v, use, err := i.store.Token(ctx, id)
	missing := errors.Is(err, events.ErrNotFound)
	if err != nil && !missing {
		return Token{}, settings.State{}, fmt.Errorf("reading token %s: %w: %w", id, ErrBusy, err)
	}
	set, err := i.settingsFor(ctx, by, v.Owner)
	if err != nil {
		return Token{}, set, err
	}
	t := i.told(v, use)
	if missing || t.State == events.StateGone || !mayView(by, set, v.Owner) {
		return Token{}, set, token.NotFound()
	}
	return t, set, nil
}

// mayView says whether the caller may see the owner's tokens and history.
func mayView(by guard.Principal, set settings.State, owner string) bool {
	return owner == by.Owner || set.Holds(by.Owner, settings.ActionView)
}
