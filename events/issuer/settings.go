package issuer

import (
	"cmp"
	"context"
	"slices"
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
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	return i.runSettings(ctx, by, set, func(at time.Time) settings.Command {
		c.At, c.By = at, settingsMaker(by)
		return c
	})
}

// SetPermissions gives the user, an owner key, exactly these actions, and returns
// the settings. It takes edit, and the caller must hold every action that it gives
// or takes. The last holder of edit who is not suspended cannot lose it.
func (i *Issuer) SetPermissions(ctx context.Context, by guard.Principal, user string, actions []string) (settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	takesEdit := set.Holds(by.Owner, settings.ActionEdit) && set.Holds(user, settings.ActionEdit) && !slices.Contains(actions, settings.ActionEdit)
	if takesEdit {
		if last, err := i.isLastEditor(ctx, set, user); err != nil || last {
			return settings.State{}, cmp.Or(err, settings.LastEditor())
		}
	}
	after, err := i.runSettings(ctx, by, set, func(at time.Time) settings.Command {
		return settings.Grant{At: at, By: settingsMaker(by), User: user, Actions: actions}
	})
	if err != nil || !takesEdit {
		return after, err
	}
	return after, i.giveEditBack(ctx, by, after, user, set.Actions(user))
}

// giveEditBack gives the user its actions again if no holder of edit is left who is
// not suspended: the other one was suspended at the same time. See keepAnEditor.
func (i *Issuer) giveEditBack(ctx context.Context, by guard.Principal, after settings.State, user string, actions []string) error {
	if left, err := i.hasEditor(ctx, after, ""); err != nil || left {
		return err
	}
	_, err := i.runSettings(ctx, by, after, func(at time.Time) settings.Command {
		return settings.Grant{At: at, By: token.Maker{Operator: true}, User: user, Actions: actions}
	})
	return cmp.Or(err, settings.LastEditor())
}

// Permissions returns the actions that an owner, an owner key, may do on other
// users' tokens. For another user it takes view or edit.
func (i *Issuer) Permissions(ctx context.Context, by guard.Principal, owner string) ([]string, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	if err := mayRead(by, set, owner, "reading the permissions of another user"); err != nil {
		return nil, err
	}
	return set.Actions(owner), nil
}

func settingsMaker(by guard.Principal) token.Maker {
	return token.Maker{Owner: by.Owner, TokenID: by.TokenID, Outgoing: by.Credential == guard.CredentialOutgoing}
}

// runSettings runs a command on the settings, which were set before. It drops the cache, so that the next
// call of this process sees the change.
func (i *Issuer) runSettings(ctx context.Context, by guard.Principal, set settings.State, command func(at time.Time) settings.Command) (settings.State, error) {
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
