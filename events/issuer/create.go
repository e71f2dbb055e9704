package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// mints is how many token ids are tried. With a million tokens one id is
// taken with a chance of 5 in a billion, so more tries would only hide a fault.
const mints = 4

// NewToken is what a caller asks a token to be. At most one of ExpiresAt and
// ExpiresIn is given; with neither, the settings decide.
type NewToken struct {
	Owner       string // owner key; empty: the caller
	Name        string // empty: OWNER_api_token
	Description string
	ExpiresAt   time.Time
	ExpiresIn   time.Duration
	Scopes      []string       // none: all that the owner may do
	SourceIPs   []netip.Prefix // none: from anywhere
}

// Create makes a token and returns it with its text, which is nowhere kept and
// never told again. What the rules refuse leaves nothing behind.
func (i *Issuer) Create(ctx context.Context, by guard.Principal, in NewToken) (Token, secret.Secret, error) {
	in.Owner = cmp.Or(in.Owner, by.Owner)
	set, err := i.settingsFor(ctx, by, in.Owner)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	return i.create(ctx, i.meta(by, set), maker(by, set), set, in)
}

// create tries one minted id after the other: a taken one wrote nothing, so
// all tries are one command.
func (i *Issuer) create(ctx context.Context, m events.Meta, by token.Maker, set settings.State, in NewToken) (Token, secret.Secret, error) {
	for range mints {
		minted := secret.Mint(i.prefix)
		v, err := i.add(ctx, m, by, set, in, minted)
		if err == nil {
			return i.told(v, events.Use{}), minted.Text(), nil
		}
		if !errors.Is(err, events.ErrIDTaken) {
			return Token{}, secret.Secret{}, err
		}
	}
	return Token{}, secret.Secret{}, fmt.Errorf("minting a token id: %d in a row are in use: chance is broken", mints)
}

func (i *Issuer) add(ctx context.Context, m events.Meta, by token.Maker, set settings.State, in NewToken, minted secret.Token) (events.View, error) {
	verifier, err := secret.NewVerifier(i.keys, minted, in.Owner)
	if err != nil {
		return events.View{}, fmt.Errorf("making the verifier of token %s: %w", minted.ID, err)
	}
	after, err := Do(ctx, i.store, i.keys, tokenRules, events.UserStream(in.Owner), m, func(at time.Time) token.Command {
		return token.Create{
			At: at, Policy: policy(set), By: by,
			ID: minted.ID, Owner: in.Owner, Name: in.Name, Description: in.Description,
			ExpiresAt: in.ExpiresAt, ExpiresIn: in.ExpiresIn,
			Scopes: in.Scopes, SourceIPs: in.SourceIPs, Verifier: verifier,
		}
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
