package events

import (
	"net/netip"
	"time"
)

// Fact is one thing that happened. Its JSON is stored, hashed and published
// byte for byte. So a field is never renamed, never reused and never gets
// another meaning: a changed fact is a new version, with an upcaster.
//
// The interface is sealed: all facts are in this file, each with a row in the
// table of facts (kinds.go).
type Fact interface {
	// kind is the name of the fact's row, and the type of its records.
	kind() string
}

// Verifier is stored in place of a secret: an HMAC under the pepper named Kid.
type Verifier struct {
	Kid string `json:"kid"`
	MAC []byte `json:"mac"`
}

// TokenCreated says that a token began to live. The times are UTC. A zero
// ExpiresAt is left out and means that the token does not expire. The verifier
// is private: it is stored and never published.
type TokenCreated struct {
	TokenID     string         `json:"token_id"`
	Owner       string         `json:"owner"`
	Creator     string         `json:"creator"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	ExpiresAt   time.Time      `json:"expires_at,omitzero"`
	Scopes      []string       `json:"scopes,omitempty"`
	SourceIPs   []netip.Prefix `json:"source_ips,omitempty"`
	Verifier    Verifier       `json:"-"`
}

// TokenRevoked says that a user ended a token permanently.
type TokenRevoked struct {
	TokenID string `json:"token_id"`
	Owner   string `json:"owner"`
}

// TokenExpired records an expiry that is past: the token ended at ExpiresAt.
type TokenExpired struct {
	TokenID   string    `json:"token_id"`
	Owner     string    `json:"owner"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SettingsChanged gives the new values of some settings. The others keep their
// values. Durations are whole seconds.
type SettingsChanged struct {
	TokenLimit *int   `json:"token_limit,omitempty"`
	Expiration *int64 `json:"expiration_timeout_seconds,omitempty"` // 0: tokens need not expire
	Retention  *int64 `json:"retention_seconds,omitempty"`          // 0: records are kept for ever
	ChangeRate *int   `json:"change_rate,omitempty"`                // changes of an owner's tokens in an hour; 0: no limit
}

// PermissionsChanged says that a user now holds exactly these actions on the
// realm "security". Without actions the user holds no permission.
type PermissionsChanged struct {
	User    string   `json:"user"`
	Actions []string `json:"actions"`
}

func (TokenCreated) kind() string       { return "TokenCreated" }
func (TokenRevoked) kind() string       { return "TokenRevoked" }
func (TokenExpired) kind() string       { return "TokenExpired" }
func (SettingsChanged) kind() string    { return "SettingsChanged" }
func (PermissionsChanged) kind() string { return "PermissionsChanged" }
