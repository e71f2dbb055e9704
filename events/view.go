package events

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// View is all that is known of one token, and the one item that is read to
// authorize it. Times are UTC. The JSON names are short because a state holds
// many of these.
type View struct {
	ID          string         `json:"id"`
	Owner       string         `json:"o,omitempty"`
	Creator     string         `json:"c,omitempty"`
	Name        string         `json:"n,omitempty"`
	Description string         `json:"d,omitempty"`
	Verifier    Verifier       `json:"v,omitzero"`
	CreatedAt   time.Time      `json:"t"`
	ExpiresAt   time.Time      `json:"e,omitzero"` // zero: never
	Disabled    bool           `json:"x,omitempty"`
	Scopes      []string       `json:"s,omitempty"` // none: all that the owner may do
	SourceIPs   []netip.Prefix `json:"a,omitempty"` // none: from anywhere
	First       uint64         `json:"f"`           // sequence of its TokenCreated
	Seq         uint64         `json:"q"`           // sequence of the last record about it

	Ended     Ending    `json:"-"`
	EndedAt   time.Time `json:"-"`
	KeepUntil time.Time `json:"-"` // when the view may be collected once the token ended; zero: never
}

// Ending says how a token's life ended; empty while it lives.
type Ending string

const (
	EndedRevoked Ending = "revoked"
	EndedExpired Ending = "expired"
)

// TokenState is what a token is at one moment.
type TokenState string

const (
	StateActive   TokenState = "active"
	StateDisabled TokenState = "disabled"
	StateExpired  TokenState = "expired"
	StateRevoked  TokenState = "revoked"
	StateGone     TokenState = "gone" // ended and past its retention: treated as unknown
)

// StateAt is the token's state at the time now, by the clock alone: a token is
// expired from the very instant ExpiresAt, whether or not anything was written
// or collected since.
func (v View) StateAt(now time.Time) TokenState {
	switch {
	case v.Ended != "" && past(v.KeepUntil, now):
		return StateGone
	case v.Ended == EndedRevoked:
		return StateRevoked
	case v.Ended == EndedExpired || past(v.ExpiresAt, now):
		return StateExpired
	case v.Disabled:
		return StateDisabled
	}
	return StateActive
}

// LiveAt says that the token is neither revoked nor expired; a disabled one
// is live and takes a slot.
func (v View) LiveAt(now time.Time) bool {
	s := v.StateAt(now)
	return s == StateActive || s == StateDisabled
}

// Position is the token's place in lists.
func (v View) Position() Position { return Position{At: v.CreatedAt, ID: v.ID} }

// Position is a place in the order of lists: by creation, then by id. The zero
// Position is before everything.
type Position struct {
	At time.Time
	ID string
}

// Compare is negative, zero or positive as p stands before, at or after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(p.At.Compare(q.At), cmp.Compare(p.ID, q.ID))
}

// Query selects tokens for a list.
type Query struct {
	Owners []string     // their tokens; none: everybody's
	States []TokenState // those in one of these states at Now; none: in any but StateGone
	Now    time.Time
	After  Position // those strictly after it
	Limit  int      // at most so many, 1 or more
}

// Matches says whether the view is one that the query asks for, Limit aside.
func (q Query) Matches(v View) bool {
	if len(q.Owners) > 0 && !slices.Contains(q.Owners, v.Owner) {
		return false
	}
	state := v.StateAt(q.Now)
	if len(q.States) == 0 {
		return state != StateGone && v.Position().Compare(q.After) > 0
	}
	return slices.Contains(q.States, state) && v.Position().Compare(q.After) > 0
}

// Page is a part of a list, in its order.
type Page struct {
	Views []View
	More  bool     // there may be more
	Next  Position // where to go on, if More
}

// Use is when and from where a token was last used.
type Use struct {
	At      time.Time
	Address string
}

// TouchEvery is how much newer a use must be to be worth a write.
const TouchEvery = 15 * time.Minute

// Reply is the sealed answer of a command that may be repeated.
type Reply struct {
	Key    string
	Sealed []byte
	At     time.Time
}
