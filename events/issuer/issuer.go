package issuer

import (
	"log/slog"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// Store is what the issuer needs of a store.
type Store interface {
	events.Log
	events.Views
	events.Uses
}

// Config is what an issuer and its guard need. Store and Keys are required.
type Config struct {
	Store  Store
	Keys   events.Keys
	Prefix string           // of new tokens; may be empty, otherwise one that secret.ValidPrefix accepts
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // the guard's, default: none
}

// Issuer answers calls. Many goroutines may use one. Its errors are an
// *events.Refusal, which is an answer for the caller, or a fault; of the
// faults, those that wrap ErrBusy are worth trying again.
type Issuer struct {
	store  Store
	guard  *guard.Guard
	keys   events.Keys
	prefix string
	clock  func() time.Time
	cache  settingsCache
}

// New makes an issuer, and its guard on the same store, keys and clock.
func New(c Config) *Issuer {
	if c.Now == nil {
		c.Now = time.Now
	}
	g := guard.New(guard.Config{Views: c.Store, Uses: c.Store, Keys: c.Keys, Now: c.Now, Logger: c.Logger})
	return &Issuer{store: c.Store, guard: g, keys: c.Keys, prefix: c.Prefix, clock: c.Now}
}

// Guard decides about the credentials of the tokens that this issuer makes.
func (i *Issuer) Guard() *guard.Guard { return i.guard }

// Token is a token as whoever may see it sees it: without its secret. State is
// the state at the time of the answer.
type Token struct {
	events.View
	State   events.TokenState
	LastUse events.Use // zero: never used
}

var (
	tokenRules = Rules[token.State, token.Command]{
		StateV: token.StateV, Decode: token.DecodeState, Encode: token.EncodeState,
		Decide: token.Decide, Fold: token.Fold, Effect: token.Effect,
	}
	settingsRules = Rules[settings.State, settings.Command]{
		StateV: settings.StateV, Decode: settings.DecodeState, Encode: settings.EncodeState,
		Decide: settings.Decide, Fold: settings.Fold,
	}
)

// now is the wall clock in UTC. The monotonic one stops while a Lambda sandbox
// is frozen, so nothing is measured with it.
func (i *Issuer) now() time.Time { return i.clock().UTC().Round(0) }

// told is a view as it is answered.
func (i *Issuer) told(v events.View, use events.Use) Token {
	return Token{View: v, State: v.StateAt(i.now()), LastUse: use}
}

// meta says who gives a command, and when.
func (i *Issuer) meta(by guard.Principal, set settings.State) events.Meta {
	m := events.Meta{Command: newCommand(), Actor: by.Owner, TokenID: by.TokenID, At: i.now(), Retention: set.Retention}
	if by.Address.IsValid() {
		m.Address = by.Address.String()
	}
	return m
}

// maker is the caller as the rules want to know it.
func maker(by guard.Principal, set settings.State) token.Maker {
	return token.Maker{
		Owner: by.Owner, TokenID: by.TokenID, Scopes: by.Scopes, SourceIPs: by.SourceIPs, ExpiresAt: by.ExpiresAt,
		MayCreate: set.Holds(by.Owner, settings.ActionCreate),
		MayEdit:   set.Holds(by.Owner, settings.ActionEdit),
		MayDelete: set.Holds(by.Owner, settings.ActionDelete),
	}
}

func policy(set settings.State) token.Policy {
	return token.Policy{TokenLimit: set.TokenLimit, Expiration: set.Expiration, Retention: set.Retention}
}
