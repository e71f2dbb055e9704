package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/secret"
)

// Notices is the part of events.Outbox that a guard needs.
type Notices interface {
	Notify(context.Context, events.Message) error
}

// Config is what a guard needs. Views, Uses, Notices and Keys are required.
type Config struct {
	Views   events.Views
	Uses    events.Uses
	Notices Notices // gets TokenReused
	Keys    events.Keys
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: none

	// Judged is called with each verdict of Guard.Judge: with its denial, its fault, or
	// neither if the request passes. It must not wait. Default: none.
	Judged func(*Denial, error)
}

// Guard checks credentials. Many goroutines may use one guard.
type Guard struct {
	views   events.Views
	uses    events.Uses
	notices Notices
	keys    events.Keys
	now     func() time.Time
	log     *slog.Logger
	judged  func(*Denial, error)
	sent    sentNotices
	dropped drops
}

// New returns a guard.
func New(c Config) *Guard {
	g := &Guard{views: c.Views, uses: c.Uses, notices: c.Notices, keys: c.Keys, now: c.Now, log: c.Logger, judged: c.Judged}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.judged == nil {
		g.judged = func(*Denial, error) {}
	}
	return g
}

// Check checks a token that a client at the address source has sent. The zero
// address means unknown; a token with source ranges is then denied. Check reads
// the store once. If the token passes, it stores the use before it returns, at
// most once in events.TouchEvery. The error is a *Denial, or a fault that says
// nothing about the token.
//
// If the secret is right, Check returns the principal with a denial too, so that
// logs can name the refused token. Such a principal may not act.
func (g *Guard) Check(ctx context.Context, t secret.Token, source netip.Addr) (Principal, error) {
	i, err := g.Inspect(ctx, t, source)
	switch {
	case err != nil:
		return Principal{}, err
	case i.Denial != nil:
		return i.Principal(), i.Denial
	}
	g.StoreUse(ctx, i)
	return i.Principal(), nil
}

// Inspection is the result of Inspect. View and Use are set if the secret is
// right, also if the token is denied. Denial is nil if the token passes.
type Inspection struct {
	View   events.View
	Use    events.Use
	Source netip.Addr
	Denial *Denial

	// Outgoing says that the secret is the one that the last rotation replaced. If
	// the denial then has CodeReplaced, Inspect has published its use as TokenReused.
	Outgoing bool
}

// Inspect checks a token as Check does, for code that must know the owner before
// it answers. It stores no use, and a denial is part of the result. The error is
// a fault. A view without a valid seal is a fault too, whether or not the secret
// is right: nothing may be decided from the fields of such a view.
//
// If the secret is an outgoing one after its grace, Inspect publishes the notice
// events.TokenReused before it returns. So every check of a credential publishes
// it, whatever the caller does with the result.
func (g *Guard) Inspect(ctx context.Context, t secret.Token, source netip.Addr) (Inspection, error) {
	v, use, err := g.views.Token(ctx, t.ID)
	if errors.Is(err, events.ErrNotFound) {
		return Inspection{Denial: invalid}, nil
	}
	if err != nil {
		return Inspection{}, fmt.Errorf("reading token %s: %w", t.ID, err)
	}
	v.ID = t.ID // the seal covers this id; the stored view may have another one
	if err := v.Check(g.keys); err != nil {
		return Inspection{}, fmt.Errorf("reading token %s: %w", t.ID, err)
	}
	// Take the time after the read: a slow read must not prolong a token's life.
	now := g.now()
	state := v.StateAt(now)
	if state == events.StateGone {
		return Inspection{Denial: invalid}, nil
	}
	credential, err := g.credentialOf(v, t)
	if err != nil {
		return Inspection{}, fmt.Errorf("verifying token %s: %w", t.ID, err)
	}
	if credential == "" {
		return Inspection{Denial: invalid}, nil
	}
	i := Inspection{View: v, Use: use, Source: source.Unmap().WithZone(""), Outgoing: credential == CredentialOutgoing}
	i.Denial = denialFor(v, state, i.Source)
	if i.Outgoing && i.Denial != revoked && i.Denial != expired && !v.OutgoingAt(now) {
		i.Denial = replaced
		g.publishReuse(ctx, v, now)
	}
	return i, nil
}

// credentialOf says which secret of the token was shown; empty if none. Only a
// token that was rotated, with another secret than the current one, needs a
// second HMAC.
func (g *Guard) credentialOf(v events.View, t secret.Token) (string, error) {
	ok, err := secret.Verify(g.keys, v.Verifier, t, v.Owner)
	if ok || err != nil {
		return CredentialCurrent, err
	}
	if v.Rotated == 0 {
		return "", nil
	}
	ok, err = secret.Verify(g.keys, v.Outgoing, t, v.Owner)
	if !ok || err != nil {
		return "", err
	}
	return CredentialOutgoing, nil
}

// denialFor returns why a token with the right secret is denied, or nil if the
// token passes. An unknown source is in no range.
func denialFor(v events.View, state events.TokenState, source netip.Addr) *Denial {
	switch state {
	case events.StateRevoked:
		return revoked
	case events.StateExpired:
		return expired
	case events.StateDisabled:
		if v.Suspended {
			return suspended
		}
		return disabled
	case events.StateActive:
	default:
		panic("guard: token in unknown state " + string(state))
	}
	if len(v.SourceIPs) == 0 || slices.ContainsFunc(v.SourceIPs, func(p netip.Prefix) bool { return p.Contains(source) }) {
		return nil
	}
	return WrongSource
}

// Principal returns the principal of the inspected token, or the zero Principal
// if the secret is wrong. It may act only if Denial is nil.
func (i Inspection) Principal() Principal {
	p := Principal{
		Owner: i.View.Owner, TokenID: i.View.ID, Kind: cmp.Or(i.View.Kind, KindToken), Credential: CredentialCurrent,
		Permissions: i.View.Permissions, Via: i.View.Via, MakesUntil: i.View.MakesUntil, From: i.View.From, UI: i.View.UI,
		Scopes: i.View.Scopes, SourceIPs: i.View.SourceIPs, ExpiresAt: i.View.ExpiresAt, Rotated: i.View.Rotated, Address: i.Source,
	}
	if i.View.IsSession() {
		p.Name = i.View.Name
	}
	if i.Outgoing {
		p.Credential = CredentialOutgoing
		if until := i.View.OutgoingUntil; p.ExpiresAt.IsZero() || until.Before(p.ExpiresAt) {
			p.ExpiresAt = until
		}
	}
	return p
}
