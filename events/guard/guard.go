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
	"apitoken/events/secret"
)

// touchTime is how long noting a last use may keep a request waiting.
const touchTime = 100 * time.Millisecond

// Config is what a guard needs. Views, Uses and Keys are required.
type Config struct {
	Views  events.Views
	Uses   events.Uses
	Keys   events.Keys
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: none
}

// Guard decides about credentials. Many goroutines may use one.
type Guard struct {
	views   events.Views
	uses    events.Uses
	keys    events.Keys
	now     func() time.Time
	log     *slog.Logger
	dropped atomic.Uint64
}

// New makes a guard.
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

// Check decides about a token that was shown by somebody at the address source
// (invalid if unknown; then a token with source ranges is refused). It reads
// once, and notes the use before it returns if the last one is long ago. The
// error is a *Denial, or a fault that says nothing about the token.
func (g *Guard) Check(ctx context.Context, t secret.Token, source netip.Addr) (Principal, error) {
	f, err := g.Inspect(ctx, t, source)
	switch {
	case err != nil:
		return Principal{}, err
	case f.Denial != nil:
		return Principal{}, f.Denial
	}
	g.Note(ctx, f)
	return f.Principal(), nil
}

// Finding is what an inspection found out. View and Use are set if the token's
// secret matched, whatever else speaks against it; Denial is nil if nothing does.
type Finding struct {
	View   events.View
	Use    events.Use
	Source netip.Addr
	Denial *Denial
}

// Inspect is Check for whoever must first see whose token it is: it notes no
// use, and what speaks against the token is part of the answer. The error is a
// fault.
func (g *Guard) Inspect(ctx context.Context, t secret.Token, source netip.Addr) (Finding, error) {
	v, use, err := g.views.Token(ctx, t.ID)
	if errors.Is(err, events.ErrNotFound) {
		return Finding{Denial: invalid}, nil
	}
	if err != nil {
		return Finding{}, fmt.Errorf("reading token %s: %w", t.ID, err)
	}
	// The time is taken after the read, so that a slow one prolongs no life.
	state := v.StateAt(g.now())
	if state == events.StateGone {
		return Finding{Denial: invalid}, nil
	}
	ok, err := secret.Verify(g.keys, v.Verifier, t, v.Owner)
	if err != nil {
		return Finding{}, fmt.Errorf("verifying token %s: %w", t.ID, err)
	}
	if !ok {
		return Finding{Denial: invalid}, nil
	}
	v.ID = t.ID // what the verifier covers, whatever the store says
	source = source.Unmap().WithZone("")
	return Finding{View: v, Use: use, Source: source, Denial: judge(v, state, source)}, nil
}

func judge(v events.View, state events.TokenState, source netip.Addr) *Denial {
	switch state {
	case events.StateRevoked:
		return revoked
	case events.StateExpired:
		return expired
	case events.StateDisabled:
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

// Principal is whom the inspected token acts for, if Denial is nil.
func (f Finding) Principal() Principal {
	return Principal{
		Owner: f.View.Owner, TokenID: f.View.ID, Scopes: f.View.Scopes, SourceIPs: f.View.SourceIPs,
		ExpiresAt: f.View.ExpiresAt, Address: f.Source,
	}
}

// Note keeps the use of a token that passed, if the last one that was kept is
// long ago. It takes 100 ms at most, goes on when the request is cancelled, and
// its trouble is nobody else's: it is counted and dropped.
func (g *Guard) Note(ctx context.Context, f Finding) {
	now := g.now().UTC()
	if now.Sub(f.Use.At) < events.TouchEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTime)
	defer cancel()
	use := events.Use{At: now}
	if f.Source.IsValid() {
		use.Address = f.Source.String()
	}
	if err := g.uses.Touch(ctx, f.View.ID, use); err != nil {
		g.dropped.Add(1)
		g.log.DebugContext(ctx, "last use not noted", "token_id", f.View.ID, "error", err)
	}
}

// Dropped is how many last uses could not be noted since the guard was made.
func (g *Guard) Dropped() uint64 { return g.dropped.Load() }
