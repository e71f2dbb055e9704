package token

import (
	"time"

	"apitoken/events"
)

// Policy is what the settings say at the moment of a command.
type Policy struct {
	TokenLimit int           // live tokens that an owner may have
	Expiration time.Duration // default and maximum lifetime; zero: neither
	Retention  time.Duration // how long an ended token is remembered; zero: for ever
}

// Command is what somebody wants of an owner's tokens. The interface is
// sealed; each command carries its time and whatever chance decided.
type Command interface{ command() }

// Create makes a token as the wish has it. Without an expiry the token lives as
// long as the policy's default.
type Create struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID    string // minted; the store refuses one that was ever taken
	Owner string // owner key of whom the token will act for
	Wish
	Verifier events.Verifier
}

// Revoke ends a live token for good.
type Revoke struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID    string
	Owner string // whose token it is
}

func (Create) command() {}
func (Revoke) command() {}
