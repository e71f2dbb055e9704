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

// mints is how many token ids are tried. With a million tokens one id is
// taken with a chance of 5 in a billion, so more tries would only hide a fault.
const mints = 4

// Create makes a token for the owner (a key; empty: the caller) and returns it
// with its text. The text is stored nowhere and never returned again. A refused
// Create writes nothing.
func (i *Issuer) Create(ctx context.Context, by guard.Principal, owner string, w token.Wish) (Token, secret.Secret, error) {
	owner = cmp.Or(owner, by.Owner)
	set, err := i.settingsFor(ctx, by, owner)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	return i.create(ctx, i.meta(by, set), token.Create{Policy: policy(set), By: maker(by, set), Owner: owner, Wish: w})
}

// create adds time, id and verifier to the command. It tries one minted id after
// the other. A taken id wrote nothing, so all tries are one command.
func (i *Issuer) create(ctx context.Context, m events.Meta, c token.Create) (Token, secret.Secret, error) {
	for range mints {
		minted := secret.Mint(i.prefix)
		v, err := i.tryID(ctx, m, c, minted)
		if err == nil {
			return i.told(v, events.Use{}), minted.Text(), nil
		}
		if !errors.Is(err, events.ErrIDTaken) {
			return Token{}, secret.Secret{}, err
		}
	}
	return Token{}, secret.Secret{}, fmt.Errorf("minting a token id: %d in a row are in use: chance is broken", mints)
}

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
		return events.View{}, fmt.Errorf("token %s was created and is not in its owner's state", minted.ID)
	}
	return v, nil
}
