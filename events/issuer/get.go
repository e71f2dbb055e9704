package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Get returns one token in one of the states. No states means every state but
// revoked. A missing token and another user's token that the caller may not view
// get the same refusal: not_found. For a revoked token that the caller may view,
// the refusal is not_found_revoked.
func (i *Issuer) Get(ctx context.Context, by guard.Principal, id string, states ...events.TokenState) (Token, error) {
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return Token{}, err
	}
	return inStates(t, states)
}

// inStates returns the token if it is in one of the states, and otherwise the
// refusal. No states means every state but revoked.
func inStates(t Token, states []events.TokenState) (Token, error) {
	switch {
	case slices.Contains(states, t.State):
		return t, nil
	case t.State == events.StateRevoked:
		return Token{}, token.NotFoundRevoked(t.EndedTime())
	case len(states) > 0:
		return Token{}, token.NotInState()
	}
	return t, nil
}

// find returns a token that the caller may view, ended or not, and the settings
// with which find decided this. For a missing token it reads the settings as for
// another user's token. So even a fault of the store does not show whether a token
// exists. A damaged view is a fault for every caller: its owner may be forged too.
func (i *Issuer) find(ctx context.Context, by guard.Principal, id string) (Token, settings.State, error) {
	if !secret.IsID(id) {
		return Token{}, settings.State{}, token.NotFound()
	}
	v, use, err := i.readView(ctx, id)
	missing := errors.Is(err, events.ErrNotFound)
	if err != nil && !missing {
		return Token{}, settings.State{}, err
	}
	set, err := i.settingsFor(ctx, by, v.Owner)
	if err != nil {
		return Token{}, set, err
	}
	t := i.tokenOf(v, use)
	if missing || t.State == events.StateGone || !mayView(by, set, v.Owner) {
		return Token{}, set, token.NotFound()
	}
	return t, set, nil
}

// readView reads a view and checks its seal. After an error it returns no view.
func (i *Issuer) readView(ctx context.Context, id string) (events.View, events.Use, error) {
	v, use, err := i.store.Token(ctx, id)
	if err == nil {
		err = v.Check(i.keys)
	}
	switch {
	case errors.Is(err, events.ErrNotFound):
		return events.View{}, events.Use{}, err
	case err != nil:
		return events.View{}, events.Use{}, fmt.Errorf("reading token %s: %w", id, busyUnlessDamaged(err))
	}
	return v, use, nil
}

// mayView reports whether the caller may view the owner's tokens and history.
func mayView(by guard.Principal, set settings.State, owner string) bool {
	return owner == by.Owner || may(by, set, settings.ActionView)
}
