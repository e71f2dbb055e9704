package events

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// View is everything that is known about one token. Authorize reads this one
// item. Times are UTC and whole microseconds. The JSON names are short because a
// state has many views.
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
	Seq         uint64         `json:"q"`           // sequence of the last record that changed it

	// Suspended says that the owner is suspended: the token does not pass.
	Suspended bool `json:"z,omitempty"`

	// Outgoing is the verifier that the last rotation replaced. Its secret passes
	// before OutgoingUntil. Later it is refused, and stays here so that its use is
	// noticed. Rotated is the sequence of the last rotation; 0: never rotated.
	// A session has that of the token From, as it was when the session was opened.
	Outgoing      Verifier  `json:"w,omitzero"`
	OutgoingUntil time.Time `json:"u,omitzero"`
	Rotated       uint64    `json:"k,omitempty"`

	// Kind is KindSession for a session, and empty for a token. Only a session has the
	// members after it.
	Kind        string    `json:"y,omitempty"`
	Via         string    `json:"j,omitempty"` // how it was opened, see ViaOIDC
	Permissions []string  `json:"g,omitempty"` // actions from groups, in the order of settings.Actions
	MakesUntil  time.Time `json:"m,omitzero"`  // nothing that it makes may end later; zero: no bound
	From        string    `json:"b,omitempty"` // the token that it was opened with; empty: none
	UI          bool      `json:"l,omitempty"` // it was opened at the page

	Ended     Ending    `json:"-"`
	EndedAt   time.Time `json:"-"`
	KeepUntil time.Time `json:"-"` // when the store may remove the view of an ended token; zero: never

	// Seal is over all other fields, see Check. NewCommit makes it. A view in a
	// state has none, because the head's seal covers the state.
	Seal Verifier `json:"-"`

	// VerifierDigest is only in a list, in place of Verifier, Outgoing and Rotated:
	// lists need not have them. A store that returns the verifier leaves it zero.
	VerifierDigest Hash `json:"-"`
}

// KindSession is the kind of a session: a token that a sign-in opens. It ends after
// hours and is listed only when asked for.
const KindSession = "session"

// IsSession reports whether the view is one of a session.
func (v View) IsSession() bool { return v.Kind == KindSession }

// Stream is the log with the records about the token: the owner's tokens or the
// owner's sessions.
func (v View) Stream() Stream {
	if v.IsSession() {
		return SessionStream(v.Owner)
	}
	return UserStream(v.Owner)
}

// Ending says how a token ended; empty for a token that has not ended.
type Ending string

const (
	EndedRevoked Ending = "revoked"
	EndedExpired Ending = "expired"
)

// TokenState is the state of a token at one moment.
type TokenState string

const (
	StateActive   TokenState = "active"
	StateDisabled TokenState = "disabled" // disabled, or its owner is suspended
	StateExpired  TokenState = "expired"
	StateRevoked  TokenState = "revoked"
	StateGone     TokenState = "gone" // ended and past its retention: treated as unknown
)

// AllStates returns every state of a token.
func AllStates() []TokenState {
	return []TokenState{StateActive, StateDisabled, StateExpired, StateRevoked, StateGone}
}

// StateAt is the token's state at the time now. Time alone decides about expiry:
// a token is expired from the instant ExpiresAt, whether or not the store
// recorded the expiry or removed the item.
func (v View) StateAt(now time.Time) TokenState {
	switch {
	case v.Ended != "" && past(v.KeepUntil, now):
		return StateGone
	case v.Ended == EndedRevoked:
		return StateRevoked
	case v.Ended == EndedExpired || past(v.ExpiresAt, now):
		return StateExpired
	case v.Disabled, v.Suspended:
		return StateDisabled
	}
	return StateActive
}

// OutgoingAt reports whether the outgoing secret passes at the time now, as far as
// its own end decides.
func (v View) OutgoingAt(now time.Time) bool {
	return !v.Outgoing.isZero() && now.Before(v.OutgoingUntil)
}

// LiveAt reports whether the token is neither revoked nor expired. A disabled
// token is live and counts for the limit.
func (v View) LiveAt(now time.Time) bool {
	s := v.StateAt(now)
	return s == StateActive || s == StateDisabled
}

// Position is the place of the token in lists.
func (v View) Position() Position { return Position{At: v.CreatedAt, ID: v.ID} }

// Position is a place in the order of lists: by creation, then by id. Without an
// id it is before all tokens of its time. The zero Position is before everything.
type Position struct {
	At time.Time
	ID string
}

// Compare is negative if p is before q, zero if they are equal, and positive if p
// is after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(p.At.Compare(q.At), cmp.Compare(p.ID, q.ID))
}

// Query selects tokens for a list, or sessions. No list has both.
type Query struct {
	Kind   string       // KindSession: sessions; empty: tokens
	Owners []string     // the tokens of these owners, which are few; none: of all owners
	States []TokenState // tokens in one of these states at Now; none: in any state but StateGone
	Now    time.Time
	After  Position // only tokens after this position
	Limit  int      // the largest number of tokens, 1 or more
}

// Matches reports whether the query selects the view. It ignores Limit.
func (q Query) Matches(v View) bool {
	if v.Kind != q.Kind || len(q.Owners) > 0 && !slices.Contains(q.Owners, v.Owner) {
		return false
	}
	return q.SelectsState(v) && v.Position().Compare(q.After) > 0
}

// SelectsState reports whether the query selects the state of the view. It needs
// only the fields of the view that StateAt needs.
func (q Query) SelectsState(v View) bool {
	state := v.StateAt(q.Now)
	if len(q.States) == 0 {
		return state != StateGone
	}
	return slices.Contains(q.States, state)
}

// Page is a part of a list, in its order. It may have fewer tokens than the limit,
// even none, and still have More: a store ends a page after a bounded amount of
// work.
type Page struct {
	Views   []View
	Damaged []*DamagedView // entries that the store could not decode; Views lacks them
	More    bool           // there may be more
	Next    Position       // the After of the next page, if More; later than the After of this page
}

// Use is when and from where a token was last used.
type Use struct {
	At      time.Time
	Address string

	// Every is the least time since the stored use, for Uses.Touch; zero: TouchEvery. No
	// store keeps it.
	Every time.Duration
}

// Since is the time up to which a stored use is old enough to be replaced by this one.
func (u Use) Since() time.Time {
	if u.Every > 0 {
		return u.At.Add(-u.Every)
	}
	return u.At.Add(-TouchEvery)
}

// TouchEvery is the least time between two stored uses of a token.
const TouchEvery = 15 * time.Minute

// TouchUIEvery is the least time between two stored uses of a session that was opened at
// the page: the page ends a session that was idle for half an hour.
const TouchUIEvery = 5 * time.Minute

// UseEvery is the least time between two stored uses of the token.
func (v View) UseEvery() time.Duration {
	if v.IsSession() && v.UI {
		return TouchUIEvery
	}
	return TouchEvery
}

// Reply is the encrypted answer of a command that may be sent again. Package
// issuer seals it.
type Reply struct {
	Key    string
	Sealed []byte
	At     time.Time // of the command
}

// ReplyValid is how long a reply is valid after its time. A store may remove the
// reply later.
const ReplyValid = 24 * time.Hour
