// Package settingstest changes settings and permissions in tests, as an operator at
// the store does. The operator needs no permission.
package settingstest

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

var rules = issuer.Rules[settings.State, settings.Command]{
	StateV: settings.StateV, Decode: settings.DecodeState, Encode: settings.EncodeState, Decide: settings.Decide, Fold: settings.Fold,
}

// ByOperator returns the command as one of an operator.
func ByOperator(c settings.Command) settings.Command {
	operator := token.Maker{Owner: token.Operator, Operator: true}
	switch c := c.(type) {
	case settings.Grant:
		c.By = operator
		return c
	case settings.Change:
		c.By = operator
		return c
	case settings.MapGroup:
		c.By = operator
		return c
	}
	return c
}

// Apply runs the command as one of an operator, at a time. An issuer that was made
// before may still have the old settings in its cache.
func Apply(t testing.TB, log events.Log, k events.Keys, at time.Time, retention time.Duration, c settings.Command) {
	t.Helper()
	m := events.Meta{Command: secret.Mint("").ID, Actor: token.Operator, At: at, Retention: retention}
	_, err := issuer.Do(t.Context(), log, k, rules, events.SettingsStream, m, func(time.Time) settings.Command { return ByOperator(c) })
	if err != nil {
		t.Fatal(err)
	}
}
