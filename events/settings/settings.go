// Package settings holds the rules of the one settings stream: the token limit,
// lifetimes, and who holds which permission on the realm "security".
//
// Permissions live here and not with each owner because "the last holder of
// edit cannot lose it" is a rule over all of them. Like package token it sees
// values only. Whether the caller may change settings is left to the issuer;
// the permissions that it needs for that are in this State.
package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// StateV names the encoding that EncodeState writes. A new one gets the next
// number, and DecodeState keeps reading the older ones.
const StateV = 1

// The actions that a permission on the realm "security" is for.
const (
	ActionView   = "view"
	ActionCreate = "create"
	ActionEdit   = "edit"
	ActionDelete = "delete"
)

// Actions are all of them, in the order in which they are always written.
func Actions() []string { return []string{ActionView, ActionCreate, ActionEdit, ActionDelete} }

// State is what the settings are. Durations are whole seconds.
type State struct {
	Version    uint64 // facts folded so far, which is the stream's version
	TokenLimit int
	Expiration time.Duration       // default and maximum lifetime; zero: neither
	Retention  time.Duration       // how long what ended is kept; zero: for ever
	Holders    map[string][]string // owner key to its actions; nobody is there without any
}

// Initial is the state before the first fact: five tokens for each user, which
// need not expire, and records that are kept for 400 days.
func Initial() State {
	return State{TokenLimit: 5, Retention: 400 * 24 * time.Hour}
}

// Actions are what the owner may do to other people's tokens.
func (s State) Actions(owner string) []string { return slices.Clone(s.Holders[owner]) }

// Holds says whether the owner may do this to other people's tokens.
func (s State) Holds(owner, action string) bool { return slices.Contains(s.Holders[owner], action) }

// encoded is version 1 of the stored form; durations are seconds.
type encoded struct {
	Version    uint64              `json:"n"`
	TokenLimit int                 `json:"l"`
	Expiration int64               `json:"e,omitempty"`
	Retention  int64               `json:"r,omitempty"`
	Holders    map[string][]string `json:"h,omitempty"`
}

// EncodeState gives the bytes that the head keeps, in the encoding StateV. It
// refuses with state_too_large what is above events.MaxState.
func EncodeState(s State) ([]byte, error) {
	b, err := json.Marshal(encoded{
		Version: s.Version, TokenLimit: s.TokenLimit, Holders: s.Holders,
		Expiration: int64(s.Expiration / time.Second), Retention: int64(s.Retention / time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the settings: %w", err)
	}
	if len(b) > events.MaxState {
		return nil, refuse(token.CodeStateTooLarge, "", "the settings have %d bytes; at most %d are allowed", len(b), events.MaxState)
	}
	return b, nil
}

// DecodeState reads what EncodeState wrote under any version of the encoding.
// No bytes are Initial.
func DecodeState(v int, b []byte) (State, error) {
	if len(b) == 0 {
		return Initial(), nil
	}
	if v != 1 {
		return State{}, fmt.Errorf("decoding the settings: unknown encoding %d", v)
	}
	var e encoded
	if err := json.Unmarshal(b, &e); err != nil {
		return State{}, fmt.Errorf("decoding the settings: %w", err)
	}
	return State{
		Version: e.Version, TokenLimit: e.TokenLimit, Holders: e.Holders,
		Expiration: time.Duration(e.Expiration) * time.Second, Retention: time.Duration(e.Retention) * time.Second,
	}, nil
}
