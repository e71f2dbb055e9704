package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/secret"
)

// touchTime is the maximum time that a request waits while its use is stored.
const touchTime = 100 * time.Millisecond

// Config is what a guard needs. Views, Uses and Keys are required.
type Config struct {
	Views  events.Views
	Uses   events.Uses
	Keys   events.Keys
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: none
}

// Guard checks credentials. Many goroutines may use one guard.
type Guard struct {
	views   events.Views
	uses    events.Uses
	keys    events.Keys
	now     func() time.Time
	log     *slog.Logger
	dropped atomic.Uint64
}

// New returns a guard.
func New(c Config) *Guard {
	g := &Guard{views: c.Views, uses: c.Uses, keys: c.Keys, now: c.Now, log: c.Logger}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
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
	// the denial then has CodeReplaced, its use may be published as TokenReused.
	Outgoing bool
}

// Inspect checks a token as Check does, for code that must know the owner before
// it answers. It stores no use, and a denial is part of the result. The error is
// a fault. A view without a valid seal is a fault too, whether or not the secret
// is right: nothing may be decided from the fields of such a view.
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
	return wrongSource
}

// Principal returns the principal of the inspected token, or the zero Principal
// if the secret is wrong. It may act only if Denial is nil.
func (i Inspection) Principal() Principal {
	p := Principal{
		Owner: i.View.Owner, TokenID: i.View.ID, Kind: KindToken, Credential: CredentialCurrent,
		Scopes: i.View.Scopes, SourceIPs: i.View.SourceIPs, ExpiresAt: i.View.ExpiresAt, Address: i.Source,
	}
	if i.Outgoing {
		p.Credential, p.ExpiresAt = CredentialOutgoing, i.View.OutgoingUntil
	}
	return p
}

// StoreUse stores the use of a token that passed, if the last stored use is at
// least events.TouchEvery old. It takes at most 100 ms and continues when the
// request is cancelled. A failure does not affect the request: StoreUse counts
// the failure and drops the use.
func (g *Guard) StoreUse(ctx context.Context, i Inspection) {
	now := instant.Cut(g.now())
	if now.Sub(i.Use.At) < events.TouchEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTime)
	defer cancel()
	use := events.Use{At: now}
	if i.Source.IsValid() {
		use.Address = i.Source.String()
	}
	if err := g.uses.Touch(ctx, i.View.ID, use); err != nil {
		g.dropped.Add(1)
		g.log.DebugContext(ctx, "last use not stored", "token_id", i.View.ID, "error", err)
	}
}

// Dropped returns the number of uses that this guard could not store.
func (g *Guard) Dropped() uint64 { return g.dropped.Load() }
