package issuer

import (
	"bytes"
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

	// stateV and stored are what the state was decoded from.
	stateV int
	stored []byte
}

// Settings returns the settings and permissions. It takes view or edit.
func (i *Issuer) Settings(ctx context.Context, by guard.Principal) (settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	if !may(by, set, settings.ActionView) && !may(by, set, settings.ActionEdit) {
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
	return i.runSettings(ctx, whileActing(ctx, i, by, settingsRules), by, set, func(at time.Time) settings.Command {
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
	takesEdit := may(by, set, settings.ActionEdit) && set.Holds(user, settings.ActionEdit) && !slices.Contains(actions, settings.ActionEdit)
	if takesEdit {
		if last, err := i.isLastEditor(ctx, set, user); err != nil || last {
			return settings.State{}, cmp.Or(err, settings.LastEditor())
		}
	}
	after, err := i.runSettings(ctx, whileActing(ctx, i, by, settingsRules), by, set, func(at time.Time) settings.Command {
		return settings.Grant{At: at, By: settingsMaker(by), User: user, Actions: actions}
	})
	if err != nil || !takesEdit {
		return after, err
	}
	return after, i.giveEditBack(ctx, by, after, user, set.Actions(user))
}

// SetGroup lets a group of the identity provider with the alias give exactly these
// actions to the sessions of its members, from their next sign-in, and returns the
// settings. It takes edit, and the caller must hold every action that it gives or takes.
func (i *Issuer) SetGroup(ctx context.Context, by guard.Principal, alias, group string, actions []string) (settings.State, error) {
	set, err := i.readSettings(ctx)
	if err != nil {
		return set, err
	}
	return i.runSettings(ctx, whileActing(ctx, i, by, settingsRules), by, set, func(at time.Time) settings.Command {
		return settings.MapGroup{At: at, By: settingsMaker(by), Alias: alias, Group: group, Actions: actions}
	})
}

// giveEditBack gives the user its actions again if no holder of edit is left who is
// not suspended: the other one was suspended at the same time. See keepAnEditor.
func (i *Issuer) giveEditBack(ctx context.Context, by guard.Principal, after settings.State, user string, actions []string) error {
	if left, err := i.hasEditor(ctx, after, ""); err != nil || left {
		return err
	}
	_, err := i.runSettings(ctx, settingsRules, by, after, func(at time.Time) settings.Command {
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
	return token.Maker{Owner: by.Owner, TokenID: by.TokenID, Permissions: by.Permissions, Outgoing: by.Credential == guard.CredentialOutgoing}
}

// runSettings runs a command on the settings, which were set before, with the rules. It
// drops the cache, so that the next call of this process sees the change.
func (i *Issuer) runSettings(ctx context.Context, r Rules[settings.State, settings.Command], by guard.Principal, set settings.State, command func(at time.Time) settings.Command) (settings.State, error) {
	after, err := do(ctx, i, r, events.SettingsStream, i.meta(by, set), command)
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
	h, err := readHead(ctx, i.store, i.keys, events.SettingsStream)
	if err != nil {
		return settings.State{}, err
	}
	s, err := i.decodeSettings(h)
	if err != nil {
		return settings.State{}, err
	}
	i.cache.last.Store(&reading{state: s, at: at, stateV: h.StateV, stored: h.State})
	return s, nil
}

// decodeSettings returns the settings in a head that was just read and checked. It
// decodes them only if they differ from those of the last read: each create reads
// them, and to decode them takes 10 µs.
func (i *Issuer) decodeSettings(h events.Head) (settings.State, error) {
	if r := i.cache.last.Load(); r != nil && r.stateV == h.StateV && bytes.Equal(r.stored, h.State) {
		return r.state, nil
	}
	return decodeState(settingsRules, events.SettingsStream, h)
}
