package issuer

import (
	"context"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
)

// settingsAge is how old the settings may be that decide about one's own
// tokens. About other people's, and about settings, decides what was just read.
const settingsAge = 5 * time.Second

// settingsCache holds the settings as they were last read. They are only read
// from then on, so that many calls may share them.
type settingsCache struct{ last atomic.Pointer[reading] }

type reading struct {
	state settings.State
	at    time.Time // before the read began, by the wall clock
}

// settingsFor is the settings for a call about the owner's tokens.
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
