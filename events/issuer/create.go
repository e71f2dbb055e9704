package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/token"
)

// idTries is the maximum number of token ids that are tried. With a million
// tokens an id is taken with a probability of 5 in a billion, so more tries
// would only hide a fault.
const idTries = 4

// Create makes a token for the owner, an owner key; empty means the caller. It
// returns the token and its text, which contains the secret. The text is not
// stored and never returned again. A refused Create writes nothing. If the caller
// may not make tokens for the owner, Create reads nothing of the owner.
func (i *Issuer) Create(ctx context.Context, by guard.Principal, owner string, w token.Wish) (Token, secret.Secret, error) {
	owner = cmp.Or(owner, by.Owner)
	set, err := i.settingsFor(ctx, by, owner)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	return i.create(ctx, i.meta(by, set), token.Create{Policy: policy(set), By: maker(by, set, owner), Owner: owner, Wish: w})
}

// create runs the command with a newly minted token. If the minted id is taken,
// nothing was written, and create tries another id. So all tries are one command.
func (i *Issuer) create(ctx context.Context, m events.Meta, c token.Create) (Token, secret.Secret, error) {
	if err := token.Check(c); err != nil {
		return Token{}, secret.Secret{}, fmt.Errorf("checking the creation: %w", err)
	}
	for range idTries {
		minted := secret.Mint(i.prefix)
		v, err := i.tryID(ctx, m, c, minted)
		if err == nil {
			return i.tokenOf(v, events.Use{}), minted.Text(), nil
		}
		if !errors.Is(err, events.ErrIDTaken) {
			return Token{}, secret.Secret{}, err
		}
	}
	return Token{}, secret.Secret{}, fmt.Errorf("minting a token id: %d random ids in a row are in use: the random source is broken", idTries)
}

// tryID runs the command with the time, the minted id and its verifier. It
// returns the view of the new token, or an error that wraps events.ErrIDTaken.
func (i *Issuer) tryID(ctx context.Context, m events.Meta, c token.Create, minted secret.Token) (events.View, error) {
	verifier, err := secret.NewVerifier(i.keys, minted, c.Owner)
	if err != nil {
		return events.View{}, fmt.Errorf("making the verifier of token %s: %w", minted.ID, err)
	}
	c.ID, c.Verifier = minted.ID, verifier
	after, err := Do(ctx, i.store, i.keys, tokenRules, events.UserStream(c.Owner), m, func(at time.Time) token.Command {
		c.At = at
		return c
	})
	if err != nil {
		return events.View{}, err
	}
	v, found := after.Find(minted.ID)
	if !found {
		return events.View{}, fmt.Errorf("token %s was created, but its owner's state does not have it", minted.ID)
	}
	return v, nil
}
