package settings

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
)

// Fold is the state after a fact. It never fails, since the fact is history,
// and leaves its input as it was. The time is of no account here; it is there
// because rules of all streams fold alike.
func Fold(s State, f events.Fact, _ time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.SettingsChanged:
		return changed(s, f)
	case events.PermissionsChanged:
		return granted(s, f)
	}
	panic(fmt.Sprintf("settings: no rule folds the fact %T", f))
}

func changed(s State, f events.SettingsChanged) State {
	if f.TokenLimit != nil {
		s.TokenLimit = *f.TokenLimit
	}
	if f.Expiration != nil {
		s.Expiration = time.Duration(*f.Expiration) * time.Second
	}
	if f.Retention != nil {
		s.Retention = time.Duration(*f.Retention) * time.Second
	}
	return s
}

func granted(s State, f events.PermissionsChanged) State {
	holders := maps.Clone(s.Holders)
	if holders == nil {
		holders = map[string][]string{}
	}
	if len(f.Actions) == 0 {
		delete(holders, f.User)
	} else {
		holders[f.User] = slices.Clone(f.Actions)
	}
	s.Holders = holders
	return s
}
