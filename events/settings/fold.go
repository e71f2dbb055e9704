package settings

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
)

// Fold returns the state after a fact. It cannot fail, because the fact has
// happened, and does not change its input. The time is unused. It is a parameter
// so that the folds of all streams have the same signature.
func Fold(s State, f events.Fact, _ time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.SettingsChanged:
		return changed(s, f)
	case events.PermissionsChanged:
		return granted(s, f)
	case events.GroupChanged:
		return mapped(s, f)
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
	if f.ChangeRate != nil {
		s.ChangeRate = *f.ChangeRate
	}
	if f.RotationGrace != nil {
		s.RotationGrace = time.Duration(*f.RotationGrace) * time.Second
	}
	if f.WarningDays != nil {
		s.WarningDays = append([]int(nil), *f.WarningDays...)
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
