package token

import (
	"time"

	"apitoken/events"
)

// Policy has the settings that apply to a command, as they are at its time.
type Policy struct {
	TokenLimit int           // live tokens that an owner may have
	Expiration time.Duration // default and maximum lifetime; zero: neither
	Retention  time.Duration // how long an ended token is kept; zero: for ever
	ChangeRate int           // counted changes of an owner's tokens in an hour; zero: no limit
}

// Command is a wish to change an owner's tokens. The interface is sealed. Each
// command carries its time, and all random values that its facts need.
type Command interface{ command() }

// Create makes a token with the members of its Wish. Without a wanted expiry,
// the token gets the default lifetime of the policy.
type Create struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID    string // minted; the store refuses an id that any token ever had
	Owner string // owner key of the user that the token will act for
	Wish
	Verifier events.Verifier
}

// Revoke ends a live token permanently.
type Revoke struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID    string
	Owner string // owner key of the token's owner
}

func (Create) command() {}
func (Revoke) command() {}
