package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/token"
)

// The codes of the refusals of a repeated command.
const (
	CodeKeyReused    = "idempotency_key_reused"
	CodeTokenRotated = "token_rotated"
)

// keyHeader names the idempotency key in refusals.
const keyHeader = "Idempotency-Key"

// RequestKey makes a command safe to send again. The same acting token, route,
// value and command get the answer of the first call for events.ReplyValid. The
// zero RequestKey says that every call is a new command.
type RequestKey struct {
	Route string // the operation: method and pattern of the path
	Value string // chosen by the client
}

// Minted is the answer of a command that hands out a new secret.
type Minted struct {
	Token
	Text     secret.Secret // the whole token
	Replayed bool          // this is the answer of an earlier call

}

// once runs one command at most once for its request key.
type once struct {
	issuer *Issuer
	by     guard.Principal
	keys   []replyKey // without a request key: none
	digest [sha256.Size]byte

	use    events.Use              // of the token before the command, for the answer
	admits func(events.View) error // refuses a replay for the token as it is now; nil: it refuses none
}

// once returns the way to run a command of the caller. command has all that the
// client asked for, in a form that encoding/json encodes; two requests that ask for
// the same have the same form.
func (i *Issuer) once(by guard.Principal, key RequestKey, command any) (*once, error) {
	o := &once{issuer: i, by: by}
	if key.Value == "" {
		return o, nil
	}
	if by.TokenID == "" {
		return nil, errors.New("a request key needs an acting token")
	}
	b, err := json.Marshal(command)
	if err != nil {
		return nil, fmt.Errorf("encoding a command: %w", err)
	}
	o.digest = sha256.Sum256(b)
	o.keys, err = replyKeysOf(i.keys, by.TokenID, key)
	return o, err
}

// errReplay ends a command that has a reply already.
var errReplay = errors.New("the command has a reply")

// do runs the command that gives the minted secret to a token. The reply is read
// after the head and before the decision, and is a part of the commit. So of two
// calls at the same time one commits, and the other gets a conflict, reads again
// and finds the reply. A caller of do has checked the command (token.Check),
// because do may answer it without a decision.
func (o *once) do(ctx context.Context, r Rules[token.State, token.Command], owner string, m events.Meta, minted secret.Token, command func(at time.Time) token.Command) (Minted, error) {
	var earlier *answered
	var expired *events.Reply
	if len(o.keys) > 0 {
		r.Before = func() (err error) {
			if earlier, expired, err = o.find(ctx); earlier != nil {
				return errReplay
			}
			return err
		}
		r.Reply = func(after token.State, at time.Time) (*events.Reply, *events.Reply, error) {
			v, _ := after.Find(minted.ID)
			reply, err := o.keys[0].seal(answered{Command: o.digest, At: at, Text: minted.Text().Reveal(), View: v, Use: o.use})
			return reply, expired, err
		}
	}
	after, err := do(ctx, o.issuer, o.issuer.actingRules(ctx, o.by, owner, r), events.UserStream(owner), m, command)
	if errors.Is(err, errReplay) {
		return o.replay(ctx, *earlier)
	}
	if err != nil {
		return Minted{}, err
	}
	v, found := after.Find(minted.ID)
	if !found {
		return Minted{}, fmt.Errorf("token %s was made, but its owner's state does not have it", minted.ID)
	}
	return Minted{Token: o.issuer.tokenOf(v, o.use), Text: minted.Text()}, nil
}

// find returns the valid reply of an earlier call, or nil. expired is the reply
// that the next one replaces, or nil. Time decides about a reply: the store may
// remove it later.
func (o *once) find(ctx context.Context) (earlier *answered, expired *events.Reply, err error) {
	for n, k := range o.keys {
		r, err := o.issuer.store.Reply(ctx, k.name)
		if errors.Is(err, events.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading the reply of an earlier call: %w", busyUnlessDamaged(err))
		}
		a, err := k.open(r)
		switch {
		case err != nil:
			return nil, nil, err
		case o.issuer.now().Before(a.At.Add(events.ReplyValid)):
			return &a, nil, nil
		case n == 0:
			expired = &r
		}
	}
	return nil, expired, nil
}

// replay returns the answer of an earlier call, if the command is the same and the
// secret of that answer still is the token's current one.
func (o *once) replay(ctx context.Context, a answered) (Minted, error) {
	if a.Command != o.digest {
		return Minted{}, &events.Refusal{Code: CodeKeyReused, Field: keyHeader,
			Detail: keyHeader + " was used for another request in the last 24 hours; a new request needs a new key"}
	}
	v, _, err := o.issuer.readView(ctx, a.View.ID)
	switch {
	case errors.Is(err, events.ErrNotFound) || err == nil && !v.LiveAt(o.issuer.now()):
		return Minted{}, &events.Refusal{Code: token.CodeEnded, Field: keyHeader,
			Detail: fmt.Sprintf("%s belongs to an earlier request, and token %s of its answer has ended; a new request needs a new key", keyHeader, a.View.ID)}
	case err != nil:
		return Minted{}, err
	}
	if o.admits != nil {
		if err := o.admits(v); err != nil {
			return Minted{}, fmt.Errorf("checking the repeat of an earlier request: %w", err)
		}
	}
	if !v.Verifier.Equal(a.View.Verifier) {
		return Minted{}, &events.Refusal{Code: CodeTokenRotated, Field: keyHeader,
			Detail: fmt.Sprintf("%s belongs to an earlier request, and the secret of its answer was replaced: token %s was rotated later", keyHeader, a.View.ID)}
	}
	return a.minted(), nil
}
