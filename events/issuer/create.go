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
	made, err := i.CreateOnce(ctx, by, RequestKey{}, owner, w)
	return made.Token, made.Text, err
}

// CreateOnce is Create for a call that the client may send again with the same
// key: it makes one token, and each call returns the same answer with the same
// secret. The reply is stored encrypted, and only the acting token with this key
// gets it. A refusal stores no reply.
//
// Another command with the key is refused with CodeKeyReused. If the token of the
// answer has ended or was rotated, the call is refused with token.CodeEnded or
// CodeTokenRotated. A reply that was changed is a fault that wraps
// events.ErrDamaged.
func (i *Issuer) CreateOnce(ctx context.Context, by guard.Principal, key RequestKey, owner string, w token.Wish) (Minted, error) {
	owner = cmp.Or(owner, by.Owner)
	set, err := i.settingsFor(ctx, by, owner)
	if err != nil {
		return Minted{}, err
	}
	o, err := i.once(by, key, createForm(owner, w))
	if err != nil {
		return Minted{}, err
	}
	return i.create(ctx, o, i.meta(by, set), token.Create{Policy: policy(set), By: maker(by, set, owner), Owner: owner, Wish: w})
}

// createForm is a creation as the digest of a command covers it. It is made from
// the decoded request, because a client may encode the same request differently
// when the client sends the request again.
func createForm(owner string, w token.Wish) any {
	return struct {
		Owner       string
		Name        string         `json:",omitempty"`
		Description string         `json:",omitempty"`
		ExpiresAt   int64          // Unix microseconds
		ExpiresIn   time.Duration  `json:",omitempty"`
		Scopes      []string       `json:",omitempty"`
		SourceIPs   []netip.Prefix `json:",omitempty"`
	}{owner, w.Name, w.Description, w.ExpiresAt.UnixMicro(), w.ExpiresIn, w.Scopes, w.SourceIPs}
}

// create runs the command with a newly minted token. If the minted id is taken,
// nothing was written, and create tries another id. So all tries are one command.
func (i *Issuer) create(ctx context.Context, o *once, m events.Meta, c token.Create) (Minted, error) {
	if err := token.Check(c); err != nil {
		return Minted{}, fmt.Errorf("checking the creation: %w", err)
	}
	for range idTries {
		made, err := i.tryID(ctx, o, m, c, secret.Mint(i.prefix))
		if !errors.Is(err, events.ErrIDTaken) {
			return made, err
		}
	}
	return Minted{}, fmt.Errorf("minting a token id: %d random ids in a row are in use: the random source is broken", idTries)
}

// tryID runs the command with the time, the minted id and its verifier. The error
// may wrap events.ErrIDTaken.
func (i *Issuer) tryID(ctx context.Context, o *once, m events.Meta, c token.Create, minted secret.Token) (Minted, error) {
	verifier, err := secret.NewVerifier(i.keys, minted, c.Owner)
	if err != nil {
		return Minted{}, fmt.Errorf("making the verifier of token %s: %w", minted.ID, err)
	}
	c.ID, c.Verifier = minted.ID, verifier
	return o.do(ctx, tokenRules, c.Owner, m, minted, func(at time.Time) token.Command {
		c.At = at
		return c
	})
}
