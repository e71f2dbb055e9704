package issuer

import (
	"log/slog"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Store has the ports that the issuer needs.
type Store interface {
	events.Log
	events.Streams
	events.Views
	events.Uses
	events.Replies
	guard.Notices
}

// Config configures an issuer and its guard. Store and Keys are required.
type Config struct {
	Store  Store
	Keys   events.Keys
	Prefix string           // of new tokens; empty, or a prefix that secret.ValidPrefix accepts
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // for the guard, and for damaged views and records that a list leaves out; default: none

	Judged func(*guard.Denial, error) // see guard.Config; default: none

	// Introspected is called with the reason of each answer of Introspect and Describe,
	// "" if the token is active. It must not wait. Default: none.
	Introspected func(reason string)
}

// Issuer runs the calls of the API. Many goroutines may use one issuer. Its
// errors are *events.Refusal, which is an answer for the caller, or faults. A
// retry may help after a fault that wraps ErrBusy.
type Issuer struct {
	store  Store
	guard  *guard.Guard
	keys   events.Keys
	prefix string
	clock  func() time.Time
	log    *slog.Logger
	cache  settingsCache
	turns  turns

	introspected func(reason string)
}

// New returns an issuer. Its guard has the same store, keys and clock.
func New(c Config) *Issuer {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Introspected == nil {
		c.Introspected = func(string) {}
	}
	g := guard.New(guard.Config{Views: c.Store, Uses: c.Store, Notices: c.Store, Keys: c.Keys, Now: c.Now, Logger: c.Logger, Judged: c.Judged})
	return &Issuer{store: c.Store, guard: g, keys: c.Keys, prefix: c.Prefix, clock: c.Now, log: c.Logger, introspected: c.Introspected}
}

// Guard returns the guard that checks the tokens of this issuer.
func (i *Issuer) Guard() *guard.Guard { return i.guard }

// Token is the answer about one token, without its secret. State is the state at
// the time of the answer.
type Token struct {
	events.View
	State   events.TokenState
	LastUse events.Use // zero: never used

	// PreviousSecretUntil is when the outgoing secret of a live token ends; zero: no
	// outgoing secret passes. A disabled token keeps its outgoing secret.
	PreviousSecretUntil time.Time
}

// EndedTime returns when the token was revoked or expired, or the zero time if it
// is live. The time of an expiry does not depend on whether it is recorded.
func (t Token) EndedTime() time.Time {
	switch t.State {
	case events.StateRevoked:
		return t.EndedAt
	case events.StateExpired:
		return t.ExpiresAt
	}
	return time.Time{}
}

var (
	tokenRules = Rules[token.State, token.Command]{
		StateV: token.StateV, Decode: token.DecodeState, Encode: token.EncodeState,
		Decide: token.Decide, Fold: token.Fold, Effect: token.Effect,
	}
	sessionRules = Rules[session.State, session.Command]{
		StateV: session.StateV, Decode: session.DecodeState, Encode: session.EncodeState,
		Decide: session.Decide, Fold: session.Fold, Effect: session.Effect,
	}
	settingsRules = Rules[settings.State, settings.Command]{
		StateV: settings.StateV, Decode: settings.DecodeState, Encode: settings.EncodeState,
		Decide: settings.Decide, Fold: settings.Fold,
	}
)

// now returns the time of the wall clock in UTC, in whole microseconds and without
// a monotonic reading. The monotonic clock stops while a Lambda sandbox is frozen,
// so nothing is measured with it.
func (i *Issuer) now() time.Time { return instant.Cut(i.clock()) }

// tokenOf builds the answer for one view.
func (i *Issuer) tokenOf(v events.View, use events.Use) Token { return tokenAt(v, use, i.now()) }

// tokenAt builds the answer for one view at the time now. A view of a list has no
// outgoing verifier, so the end of the outgoing secret alone decides whether that
// secret passes.
func tokenAt(v events.View, use events.Use, now time.Time) Token {
	t := Token{View: v, State: v.StateAt(now), LastUse: use}
	if v.LiveAt(now) && now.Before(v.OutgoingUntil) {
		t.PreviousSecretUntil = v.OutgoingUntil
	}
	return t
}

// meta returns the id, actor and time of a new command.
func (i *Issuer) meta(by guard.Principal, set settings.State) events.Meta {
	m := events.Meta{Command: newCommandID(), Actor: by.Owner, TokenID: by.TokenID, At: i.now(), Retention: set.Retention}
	if by.Address.IsValid() {
		m.Address = by.Address.String()
	}
	if by.UI {
		m.ActorVia = events.ViaUI
		if by.UIAddress.IsValid() {
			m.ActorAddress = by.UIAddress.String()
		}
	}
	return m
}

// maker returns the caller with its permissions, as the rules need it for a
// command about the owner. A session is bound by MakesUntil and not by its own end.
func maker(by guard.Principal, set settings.State, owner string) token.Maker {
	m := token.Maker{
		Owner: by.Owner, TokenID: by.TokenID, Scopes: by.Scopes, SourceIPs: by.SourceIPs, ExpiresAt: by.ExpiresAt,
		Own:       by.Kind == guard.KindToken && by.Owner == owner,
		Rotated:   by.Rotated,
		Outgoing:  by.Credential == guard.CredentialOutgoing,
		MayCreate: may(by, set, settings.ActionCreate),
		MayEdit:   may(by, set, settings.ActionEdit),
		MayDelete: may(by, set, settings.ActionDelete),

		LacksActions: !set.MayAllOf(callerOf(by), owner),
	}
	if by.Kind == guard.KindSession {
		m.Session, m.Permissions, m.ExpiresAt = true, by.Permissions, by.MakesUntil
		if by.Owner == owner {
			m.OpenedWith = by.From
		}
	}
	return m
}

// callerOf returns the caller as the permissions see it.
func callerOf(by guard.Principal) settings.Caller {
	return settings.Caller{Owner: by.Owner, Session: by.Permissions}
}

// may reports whether the caller may do the action on other users' tokens.
func may(by guard.Principal, set settings.State, action string) bool {
	return set.May(callerOf(by), action)
}

// policy returns the settings that the rules for tokens need.
func policy(set settings.State) token.Policy {
	return token.Policy{TokenLimit: set.TokenLimit, ChangeRate: set.ChangeRate, Expiration: set.Expiration, Retention: set.Retention, RotationGrace: set.RotationGrace}
}
