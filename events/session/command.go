package session

import (
	"fmt"
	"net/netip"
	"time"

	"apitoken/events"
)

const (
	// MaxSessions is the number of live sessions that an owner may have.
	MaxSessions = 20
	// MaxSignIns is the number of times that a person may sign in in an hour. Tokens and
	// JWTs may open as many other sessions of the owner.
	MaxSignIns = 30
	// MaxLife is the longest life of a session.
	MaxLife = 12 * time.Hour
	// MaxName is the limit of a displayed name, in bytes.
	MaxName = 128
	// MaxIssuer is the limit of the URL of an issuer, in bytes.
	MaxIssuer = 512
)

// Command is a wish to open or end sessions of an owner. The interface is sealed. Each
// command carries its time, and all random values that its facts need. Owner is the
// owner key.
type Command interface{ command() }

// Open opens a session. It ends at Until, and at MaxLife after At at the latest.
type Open struct {
	At time.Time

	ID    string // minted; the store refuses an id that any token or session ever had
	Owner string
	Via   string // events.ViaOIDC and the other constants

	Issuer        string // the URL of the identity provider; may be empty
	SubjectDigest string // SHA-256 of the subject there, in hexadecimal; empty without an issuer
	Name          string // the displayed name; may be empty
	Until         time.Time
	MakesUntil    time.Time // nothing that the session makes may end later; zero: no bound
	Bound         bool      // MakesUntil is the end of the session
	Permissions   []string  // actions from groups
	Scopes        []string
	SourceIPs     []netip.Prefix
	OpenedWith    string // the token of the same owner that opens it; may be empty
	OpenedAfter   uint64 // the sequence of the last rotation of that token; 0: never rotated
	UI            bool
	Verifier      events.Verifier
}

// Close ends a live session.
type Close struct {
	At time.Time

	ID      string
	Owner   string
	IfMatch []uint64 // if not nil: the view's Seq must be one of these
	Cause   events.Cause
}

// CloseUnbacked ends the live sessions that were opened with a token which no longer
// backs them: it ended, is disabled, or may do less than the session. It leads to no
// facts if there is none.
type CloseUnbacked struct {
	At time.Time

	Owner string
	Cause events.Cause

	// Tokens are the owner's tokens that are active now, read after the sessions: every
	// session was opened after its token was made.
	Tokens []events.View

	// Rotated is the id of a token that got a new secret; may be empty. Rotation is the
	// sequence of this rotation. The sessions that older secrets of the token opened end.
	// Keep is the id of the session that rotated it and so has the new secret; it does not
	// end.
	Rotated  string
	Rotation uint64
	Keep     string
}

// Suspend ends all sessions of the owner, and bars new ones until Reinstate. It leads
// to no facts if the owner is suspended. The rules of package token decide who may
// suspend whom.
type Suspend struct {
	At     time.Time
	Owner  string
	Reason string // may be empty
}

// Reinstate ends a suspension. It leads to no facts if there is none.
type Reinstate struct {
	At     time.Time
	Owner  string
	Reason string // may be empty
}

// Expire records expiries that have passed. The service itself gives it.
type Expire struct {
	At    time.Time
	Owner string
}

func (Open) command()          {}
func (Close) command()         {}
func (CloseUnbacked) command() {}
func (Suspend) command()       {}
func (Reinstate) command()     {}
func (Expire) command()        {}

// At returns the command with this time.
func At(c Command, at time.Time) Command {
	switch c := c.(type) {
	case Open:
		c.At = at
		return c
	case Close:
		c.At = at
		return c
	case CloseUnbacked:
		c.At = at
		return c
	case Suspend:
		c.At = at
		return c
	case Reinstate:
		c.At = at
		return c
	case Expire:
		c.At = at
		return c
	}
	panic(fmt.Sprintf("session: command of unknown type %T", c))
}
