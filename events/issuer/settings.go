package issuer

import (
	"context"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
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
