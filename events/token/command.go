package token

import (
	"net/netip"
	"time"

	"apitoken/events"
)

// Policy is what the settings say at the moment of a command.
type Policy struct {
	TokenLimit int           // live tokens that an owner may have
	Expiration time.Duration // default and maximum lifetime; zero: neither
	Retention  time.Duration // how long an ended token is remembered; zero: for ever
}

// Maker is who gives a command: the owner that acts, what the token it acts
// with allows, and its permissions on the realm "security".
type Maker struct {
	Owner     string
	TokenID   string         // the token that acts; empty for an operator
	Scopes    []string       // that token's; none: everything
	SourceIPs []netip.Prefix // that token's; none: from anywhere
	ExpiresAt time.Time      // that token's; zero: never

	MayCreate, MayEdit, MayDelete bool // for other users' tokens

	// Operator acts at the store itself and not through a token: every
	// permission, no delegation. The limit and the maximum lifetime hold.
	Operator bool
}

// may says that the maker needs no more than its own right, or holds the permission.
func (m Maker) may(owner string, permission bool) bool {
	return m.Operator || m.Owner == owner || permission
}

// Command is what somebody wants of an owner's tokens. The interface is
// sealed; each command carries its time and whatever chance decided.
type Command interface{ command() }

// Create makes a token. At most one of ExpiresAt and ExpiresIn is given;
// without either the token lives as long as the policy's default.
type Create struct {
	At     time.Time
	Policy Policy
	By     Maker

	ID          string // minted; the store refuses one that was ever taken
	Owner       string // owner key of whom the token will act for
	Name        string // empty: OWNER_api_token
	Description string // may be empty
	ExpiresAt   time.Time
	ExpiresIn   time.Duration
	Scopes      []string       // none: all that the owner may do
	SourceIPs   []netip.Prefix // canonical, as ParseSourceIPs gives them; none: from anywhere
	Verifier    events.Verifier
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
