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
	"apitoken/events/session"
	"apitoken/events/token"
)

// Rotate gives a live token a new secret, and returns the token and its new text.
// The text is not stored and never returned again. The sessions that were opened with the
// token end, except the caller's own. The secret before passes for
// the grace; nil is that of the settings. The refusals are those of Update.
func (i *Issuer) Rotate(ctx context.Context, by guard.Principal, id string, ifMatch []uint64, grace *time.Duration) (Token, secret.Secret, error) {
	made, err := i.RotateOnce(ctx, by, RequestKey{}, id, ifMatch, grace)
	return made.Token, made.Text, err
}

// RotateOnce is Rotate for a call that the client may send again with the same
// key, as CreateOnce is for Create: it makes one secret, and each call returns it.
// ifMatch does not decide whether two calls are the same, because the rotation
// itself makes it stale.
//
// A caller with an outgoing secret is refused with token.CodeDeniedByCredential,
// with one exception: if this secret's token rotated itself with this key, and that
// rotation replaced this secret, the caller gets the answer of that rotation. So a
// lost answer locks no caller out.
func (i *Issuer) RotateOnce(ctx context.Context, by guard.Principal, key RequestKey, id string, ifMatch []uint64, grace *time.Duration) (Minted, error) {
	o, err := i.once(by, key, rotateForm(id, grace))
	if err != nil {
		return Minted{}, err
	}
	made, found, err := o.replacedBy(ctx, by, id)
	if found {
		return made, i.closeChanged(ctx, by, session.CloseUnbacked{Owner: by.Owner, Rotated: id, Rotation: made.Rotated})
	}
	if err != nil {
		return made, err
	}
	t, set, err := i.find(ctx, by, id)
	if err != nil {
		return Minted{}, err
	}
	if t.IsSession() {
		return Minted{}, unchangeable()
	}
	minted := secret.Renew(i.prefix, id)
	verifier, err := secret.NewVerifier(i.keys, minted, t.Owner)
	if err != nil {
		return Minted{}, fmt.Errorf("making the verifier of token %s: %w", id, err)
	}
	c := token.Rotate{
		Policy: policy(set), By: maker(by, set, t.Owner), ID: id, Owner: t.Owner, At: i.now(),
		IfMatch: ifMatch, Grace: grace, Verifier: verifier,
	}
	o.use, o.admits = t.LastUse, c.CheckView
	if err := o.checkRotation(ctx, t, c); err != nil {
		return Minted{}, err
	}
	made, err = o.do(ctx, tokenRules, t.Owner, i.meta(by, set), minted, func(at time.Time) token.Command {
		c.At, c.Now = at, i.now()
		return c
	})
	if isNotFound(err) {
		err = i.endedMeanwhile(ctx, by, id)
	}
	if err != nil {
		return made, err
	}
	closing := session.CloseUnbacked{Owner: t.Owner, Rotated: id, Rotation: made.Rotated, Keep: by.TokenID}
	return made, i.closeChanged(ctx, by, closing)
}

// rotateForm is a rotation as the digest of a command covers it.
func rotateForm(id string, grace *time.Duration) any {
	return struct {
		ID    string
		Grace *time.Duration // nil: that of the settings
	}{id, grace}
}

// checkRotation refuses a rotation that no state of the owner's tokens allows, and
// that of a token that has ended. A caller without the permission, who may view the
// token, learns that it is revoked. A repeat, which is checked as a new call, learns
// that the token of its answer has ended.
func (o *once) checkRotation(ctx context.Context, t Token, c token.Rotate) error {
	denied, ended := token.Check(c), endedRefusal(t)
	switch {
	case denied != nil && t.State == events.StateRevoked:
		return ended
	case denied != nil:
		return fmt.Errorf("checking the rotation of token %s: %w", t.ID, denied)
	case ended == nil:
		return nil
	}
	earlier, _, err := o.find(ctx)
	if err == nil && earlier != nil {
		_, err = o.replay(ctx, *earlier)
	}
	return cmp.Or(err, ended)
}

// replacedBy returns the answer of the rotation that replaced the secret that the
// caller shows, if the caller has the key of that rotation. In every other case it
// returns found false, and the rules refuse the caller. There is at most one
// outgoing secret, and the last rotation replaced it. So that rotation is the one
// whose answer has the token's current secret.
func (o *once) replacedBy(ctx context.Context, by guard.Principal, id string) (made Minted, found bool, err error) {
	if by.Credential != guard.CredentialOutgoing || by.TokenID != id || len(o.keys) == 0 {
		return Minted{}, false, nil
	}
	a, _, err := o.find(ctx)
	if err != nil || a == nil || a.Command != o.digest { // the digest covers the id
		return Minted{}, false, err
	}
	v, _, err := o.issuer.readView(ctx, id)
	if errors.Is(err, events.ErrNotFound) {
		return Minted{}, false, nil
	}
	if err != nil {
		return Minted{}, false, err
	}
	now := o.issuer.now()
	if v.Owner != by.Owner || v.StateAt(now) != events.StateActive || !v.OutgoingAt(now) || !v.Verifier.Equal(a.View.Verifier) {
		return Minted{}, false, nil
	}
	return a.minted(), true, nil
}
