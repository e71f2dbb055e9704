package token

import (
	"fmt"
	"time"

	"apitoken/events"
)

// MaxTokenLimit is the largest token limit of an owner.
const MaxTokenLimit = 50

// Policy has the settings that apply to a command, as they are at its time.
type Policy struct {
	TokenLimit    int           // live tokens that an owner may have
	Expiration    time.Duration // default and maximum lifetime; zero: neither
	Retention     time.Duration // how long an ended token is kept; zero: for ever
	ChangeRate    int           // counted changes of an owner's tokens in an hour; zero: no limit
	RotationGrace time.Duration // how long an outgoing secret passes, unless the rotation says otherwise
}

// Command is a wish to change an owner's tokens. The interface is sealed. Each
// command carries its time, and all random values that its facts need. Owner is
// the owner key of the user that the tokens act for.
type Command interface{ command() }

// Create makes a token with the members of its Wish. Without a wanted expiry,
// the token gets the default lifetime of the policy.
type Create struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID    string // minted; the store refuses an id that any token ever had
	Owner string
	Wish
	Verifier events.Verifier

	// Recovery says that the token gives a lost access back: the owner's limit
	// does not apply, and a maximum lifetime below an hour counts as an hour. At most
	// MaxTokenLimit+1 tokens are live, so no series of recoveries makes the owner's
	// state too large. Only an operator may set it.
	Recovery bool
}

// Update changes the members of a live token that Given names, to those of its
// Wish. If the token has these values already, it leads to no facts.
type Update struct {
	At     time.Time
	Now    time.Time // of the clock, for the end of the outgoing secret; zero: At
	Policy Policy
	By     Maker

	ID      string
	Owner   string
	IfMatch []uint64 // if not nil: the view's Seq must be one of these

	Wish        // a lifetime begins with the creation of the token
	Given       Members
	Enabled     *bool // nil: as it is
	EndOutgoing bool  // the outgoing secret ends now
}

// Members says which members of a Wish are given. A member that is given and
// empty has the meaning that it has in a Create, with one exception: an expiry
// that is given and zero means that the token never expires.
type Members struct{ Name, Description, Expiry, Scopes, SourceIPs bool }

// Rotate gives a live token a new secret. The secret before passes until the end
// of the grace or of the token, whichever is earlier. An older one ends.
type Rotate struct {
	At     time.Time
	Now    time.Time // of the clock, for the beginning of the grace; zero: At
	Policy Policy
	By     Maker

	ID      string
	Owner   string
	IfMatch []uint64 // as in Update

	Grace    *time.Duration // 0 to MaxGrace; nil: that of the policy
	Verifier events.Verifier
}

// Revoke ends a live token permanently. WithChildren also ends the tokens of the
// owner that were made with it, and those made with them. This also works for a
// token that has ended. One command ends at most maxFacts tokens: repeat it while
// HasChildren.
type Revoke struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID           string
	Owner        string
	IfMatch      []uint64 // as in Update; not nil: the children of a token that has ended do not end
	WithChildren bool
}

// RevokeShown ends what a secret gives that somebody has shown. It needs no
// permission: the secret is in the wrong hands, or its user is done with it. A
// current secret ends its token. An outgoing secret ends only itself. The command
// leads to no facts if the secret gives nothing any more, or if a rotation has just
// replaced it.
type RevokeShown struct {
	At  time.Time
	Now time.Time // of the clock, for the end of the outgoing secret; zero: At

	ID       string
	Owner    string
	Shown    events.Verifier // of the secret; the guard has compared it with the secret
	Outgoing bool            // the verifier was that of the outgoing secret
}

// Suspend makes all tokens of the owner useless, until Reinstate. It leads to no
// facts if the owner is suspended.
type Suspend struct {
	At time.Time
	By Maker

	Owner  string
	Reason string // may be empty

	// LastEditor says that all other users with the permission edit are suspended,
	// or that there are none. The settings know it, and not the owner's stream.
	LastEditor bool
}

// Reinstate ends a suspension. It leads to no facts if there is none.
type Reinstate struct {
	At time.Time
	By Maker

	Owner  string
	Reason string // may be empty
}

// Offboard suspends the owner, or ends at most 40 tokens of an owner who is
// suspended. Repeat it until it leads to no facts.
type Offboard struct {
	At time.Time
	By Maker

	Owner      string
	Reason     string // may be empty
	LastEditor bool   // as in Suspend
}

// SetLimit gives the owner a token limit of its own. It ends no token.
type SetLimit struct {
	At time.Time
	By Maker

	Owner string
	Limit *int // 0 to MaxTokenLimit; nil: that of the policy
}

// Expire records expiries that have passed, at most maxFacts. The service itself
// gives it.
type Expire struct {
	At    time.Time
	Owner string
}

func (Create) command()      {}
func (Update) command()      {}
func (Rotate) command()      {}
func (Revoke) command()      {}
func (RevokeShown) command() {}
func (Suspend) command()     {}
func (Reinstate) command()   {}
func (Offboard) command()    {}
func (SetLimit) command()    {}
func (Expire) command()      {}

// At returns the command with this time.
func At(c Command, at time.Time) Command {
	switch c := c.(type) {
	case Create:
		c.At = at
		return c
	case Update:
		c.At = at
		return c
	case Rotate:
		c.At = at
		return c
	case Revoke:
		c.At = at
		return c
	case RevokeShown:
		c.At = at
		return c
	case Suspend:
		c.At = at
		return c
	case Reinstate:
		c.At = at
		return c
	case Offboard:
		c.At = at
		return c
	case SetLimit:
		c.At = at
		return c
	case Expire:
		c.At = at
		return c
	}
	panic(fmt.Sprintf("token: command of unknown type %T", c))
}
