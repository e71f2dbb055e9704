// Package tokentest changes tokens in tests, as an operator at the store does. The
// operator needs no permission.
package tokentest

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
)

var rules = issuer.Rules[token.State, token.Command]{
	StateV: token.StateV, Decode: token.DecodeState, Encode: token.EncodeState, Decide: token.Decide, Fold: token.Fold, Effect: token.Effect,
}

// Store has the ports that the commands need.
type Store interface {
	events.Log
	events.Views
}

// Rotate gives a token a new secret and returns the token with it. The secret
// before becomes the outgoing one and passes for the grace, from the time at.
func Rotate(t testing.TB, s Store, k events.Keys, at time.Time, id string, grace time.Duration) secret.Token {
	t.Helper()
	v, _, err := s.Token(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	rotated := secret.Renew("", id)
	verifier, err := secret.NewVerifier(k, rotated, v.Owner)
	if err != nil {
		t.Fatal(err)
	}
	m := events.Meta{Command: secret.Mint("").ID, Actor: token.Operator, At: at, Retention: 400 * 24 * time.Hour}
	_, err = issuer.Do(t.Context(), s, k, rules, events.UserStream(v.Owner), m, func(at time.Time) token.Command {
		return token.Rotate{At: at, By: token.Maker{Owner: token.Operator, Operator: true}, ID: id, Owner: v.Owner, Grace: &grace, Verifier: verifier}
	})
	if err != nil {
		t.Fatal(err)
	}
	return rotated
}
