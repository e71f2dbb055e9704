package issuer

import (
	"context"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// settingsAge is the maximum age of cached settings for calls about the caller's
// own tokens. Calls about other users' tokens, or about settings, always read the
// settings again.
const settingsAge = 5 * time.Second

// settingsCache has the settings of the last read. They are never changed after
// the read, so many calls may share them.
type settingsCache struct{ last atomic.Pointer[reading] }

type reading struct {
	state settings.State
	at    time.Time // by the wall clock, before the read began
}

// Settings returns the settings and permissions. It takes view or edit.
func (i *Issuer) Settings(ctx context.Context, by guard.Principal) (settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	if !set.Holds(by.Owner, settings.ActionView) && !set.Holds(by.Owner, settings.ActionEdit) {
		return settings.State{}, &events.Refusal{
			Code: token.CodePermissionDenied, Detail: `reading the settings needs the permission view or edit on the realm "security"`,
		}
	}
	return set, nil
}

// ChangeSettings sets the members of the change that are not nil, and returns the
// settings. It takes edit.
func (i *Issuer) ChangeSettings(ctx context.Context, by guard.Principal, c settings.Change) (settings.State, error) {
	return i.runSettings(ctx, by, func(at time.Time) settings.Command {
		c.At, c.By = at, settingsMaker(by)
		return c
	})
}

// SetPermissions gives the user, an owner key, exactly these actions, and returns
// the settings. It takes edit, and the caller must hold every action that it gives
// or takes.
func (i *Issuer) SetPermissions(ctx context.Context, by guard.Principal, user string, actions []string) (settings.State, error) {
	return i.runSettings(ctx, by, func(at time.Time) settings.Command {
		return settings.Grant{At: at, By: settingsMaker(by), User: user, Actions: actions}
	})
}

func settingsMaker(by guard.Principal) token.Maker {
	return token.Maker{Owner: by.Owner, TokenID: by.TokenID, Outgoing: by.Credential == guard.CredentialOutgoing}
}

// runSettings runs a command on the settings. It drops the cache, so that the next
// call of this process sees the change.
func (i *Issuer) runSettings(ctx context.Context, by guard.Principal, command func(at time.Time) settings.Command) (settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	after, err := Do(ctx, i.store, i.keys, settingsRules, events.SettingsStream, i.meta(by, set), command)
	i.cache.last.Store(nil)
	return after, err
}

// settingsFor returns the settings for a call about the owner's tokens: cached ones
// if the caller is the owner, otherwise newly read ones.
func (i *Issuer) settingsFor(ctx context.Context, by guard.Principal, owner string) (settings.State, error) {
	if owner == by.Owner {
		return i.recentSettings(ctx)
	}
	return i.readSettings(ctx)
}

func (i *Issuer) recentSettings(ctx context.Context) (settings.State, error) {
	if r := i.cache.last.Load(); r != nil {
		if age := i.now().Sub(r.at); age >= 0 && age <= settingsAge {
			return r.state, nil
		}
	}
	return i.readSettings(ctx)
}

func (i *Issuer) readSettings(ctx context.Context) (settings.State, error) {
	at := i.now()
	s, _, err := load(ctx, i.store, i.keys, settingsRules, events.SettingsStream)
	if err != nil {
		return s, err
	}
	i.cache.last.Store(&reading{state: s, at: at})
	return s, nil
}
