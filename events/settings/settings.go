// Package settings holds the rules of the one settings stream: the token limit,
// the change rate, lifetimes, and who holds which permission on the realm
// "security".
//
// Permissions are here and not in each owner's stream, because "the last holder
// of edit cannot lose it" is a rule over all holders. Like package token, this
// package sees values only. The State has the permissions, so these rules also
// decide who may change them: of two holders who take edit from each other at the
// same time, only one succeeds.
package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// StateV is the number of the encoding that EncodeState writes. A new encoding
// gets the next number; DecodeState still reads the older ones.
const StateV = 4

// The values before the first fact that sets one.
const (
	defaultChangeRate = 300
	defaultGrace      = 24 * time.Hour
)

func defaultWarnings() []int { return []int{30, 7, 1} }

// The actions of the realm "security".
const (
	ActionView   = "view"
	ActionCreate = "create"
	ActionEdit   = "edit"
	ActionDelete = "delete"
)

// Actions are all actions, in the order in which they are always written.
func Actions() []string { return []string{ActionView, ActionCreate, ActionEdit, ActionDelete} }

// State is the settings at one moment. Durations are whole seconds.
type State struct {
	Version    uint64 // facts folded so far, which is the stream's version
	TokenLimit int
	Expiration time.Duration       // default and maximum lifetime; zero: neither
	Retention  time.Duration       // how long records and ended tokens are kept; zero: for ever
	ChangeRate int                 // counted changes of an owner's tokens in an hour; zero: no limit
	Holders    map[string][]string // owner key to its actions; users without actions are left out

	// Groups has the actions that a group of an issuer gives to sessions, by the alias of
	// the issuer and the name of the group. Groups without actions are left out.
	Groups map[string]map[string][]string

	RotationGrace time.Duration // how long the secret before a rotation passes, unless the rotation says otherwise
	WarningDays   []int         // days before an expiry, descending; none: no warnings
}

// Initial is the state before the first fact: five tokens and 300 changes in an
// hour for each user, tokens need not expire, and records are kept for 400 days.
// The grace of a rotation is 24 hours, and warnings come 30, 7 and 1 days before
// an expiry.
func Initial() State {
	return State{
		TokenLimit: 5, Retention: 400 * 24 * time.Hour, ChangeRate: defaultChangeRate,
		RotationGrace: defaultGrace, WarningDays: defaultWarnings(),
	}
}

// Actions are the actions that are granted to the owner.
func (s State) Actions(owner string) []string { return slices.Clone(s.Holders[owner]) }

// Holds reports whether the action is granted to the owner. For what a caller may do,
// see May.
func (s State) Holds(owner, action string) bool { return slices.Contains(s.Holders[owner], action) }

// Caller is a caller as the permissions see it: its owner, and the actions that only
// its session has, from groups. A token has none.
type Caller struct {
	Owner   string
	Session []string
}

// May reports whether the caller may do the action on other users' tokens. It is the one
// place that says so: the owner holds the action, or the session has it.
func (s State) May(c Caller, action string) bool {
	return s.Holds(c.Owner, action) || slices.Contains(c.Session, action)
}

// MayAllOf reports whether the caller may do every action that the owner may do, on
// other users' tokens.
func (s State) MayAllOf(c Caller, owner string) bool {
	return !slices.ContainsFunc(s.Holders[owner], func(action string) bool { return !s.May(c, action) })
}

// ActionsOf returns all actions that the caller may do on other users' tokens, in the
// order of Actions.
func (s State) ActionsOf(c Caller) []string {
	return slices.DeleteFunc(Actions(), func(action string) bool { return !s.May(c, action) })
}

// encoded is version 4 of the stored form; durations are seconds. Version 1 has
// no change rate, version 2 has neither grace nor warnings, and version 3 has no groups.
type encoded struct {
	Version    uint64              `json:"n"`
	TokenLimit int                 `json:"l"`
	Expiration int64               `json:"e,omitempty"`
	Retention  int64               `json:"r,omitempty"`
	ChangeRate int                 `json:"c"`
	Holders    map[string][]string `json:"h,omitempty"`

	RotationGrace int64 `json:"g"`
	WarningDays   []int `json:"w,omitempty"`

	Groups map[string]map[string][]string `json:"o,omitempty"`
}

// EncodeState returns the bytes for the head, in the encoding StateV. A state
// above events.MaxState is refused with state_too_large.
func EncodeState(s State) ([]byte, error) {
	b, err := json.Marshal(encoded{
		Version: s.Version, TokenLimit: s.TokenLimit, ChangeRate: s.ChangeRate, Holders: s.Holders,
		Expiration: int64(s.Expiration / time.Second), Retention: int64(s.Retention / time.Second),
		RotationGrace: int64(s.RotationGrace / time.Second), WarningDays: s.WarningDays, Groups: s.Groups,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the settings: %w", err)
	}
	if len(b) > events.MaxState {
		return nil, refuse(token.CodeStateTooLarge, "", "the settings have %d bytes; at most %d are allowed", len(b), events.MaxState)
	}
	return b, nil
}

// DecodeState decodes a state in the encoding v, which is at least 1 and at most
// StateV. If b is empty, it returns Initial.
func DecodeState(v int, b []byte) (State, error) {
	if len(b) == 0 {
		return Initial(), nil
	}
	if v < 1 || v > StateV {
		return State{}, fmt.Errorf("decoding the settings: unknown encoding %d", v)
	}
	var e encoded
	if err := json.Unmarshal(b, &e); err != nil {
		return State{}, fmt.Errorf("decoding the settings: %w", err)
	}
	if v == 1 {
		e.ChangeRate = defaultChangeRate
	}
	if v < 3 {
		e.RotationGrace, e.WarningDays = int64(defaultGrace/time.Second), defaultWarnings()
	}
	return State{
		Version: e.Version, TokenLimit: e.TokenLimit, ChangeRate: e.ChangeRate, Holders: e.Holders,
		Expiration: time.Duration(e.Expiration) * time.Second, Retention: time.Duration(e.Retention) * time.Second,
		RotationGrace: time.Duration(e.RotationGrace) * time.Second, WarningDays: e.WarningDays, Groups: e.Groups,
	}, nil
}
