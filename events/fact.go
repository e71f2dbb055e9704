package events

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// Fact is something that happened. Its JSON is published, and stored and
// hashed as it stands, so a field is never renamed, reused or given another
// meaning: that takes a new version and an upcaster in Decode.
//
// The interface is sealed. Whoever switches over facts names them all and
// panics on the rest.
type Fact interface{ kind() string }

// Verifier is what is kept of a secret: an HMAC under the pepper named Kid.
type Verifier struct {
	Kid string `json:"kid"`
	MAC []byte `json:"mac"`
}

// TokenCreated says that a token began to live. The times are UTC; a zero
// ExpiresAt is omitted and means that the token does not expire. The verifier
// is private: it is stored, and never published.
type TokenCreated struct {
	V           int            `json:"v"`
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

// TokenRevoked says that somebody ended a token for good.
type TokenRevoked struct {
	V       int    `json:"v"`
	TokenID string `json:"token_id"`
	Owner   string `json:"owner"`
}

// TokenExpired states what time did earlier: the token ended at ExpiresAt.
type TokenExpired struct {
	V         int       `json:"v"`
	TokenID   string    `json:"token_id"`
	Owner     string    `json:"owner"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SettingsChanged says which settings were given which values; what it does
// not name stays as it was. Durations are whole seconds.
type SettingsChanged struct {
	V          int    `json:"v"`
	TokenLimit *int   `json:"token_limit,omitempty"`
	Expiration *int64 `json:"expiration_timeout_seconds,omitempty"` // 0: tokens need not expire
	Retention  *int64 `json:"retention_seconds,omitempty"`
}

// PermissionsChanged says that a user now holds exactly these actions on the
// realm "security"; none means that the user holds no permission any more.
type PermissionsChanged struct {
	V       int      `json:"v"`
	User    string   `json:"user"`
	Actions []string `json:"actions"`
}

func (TokenCreated) kind() string       { return "TokenCreated" }
func (TokenRevoked) kind() string       { return "TokenRevoked" }
func (TokenExpired) kind() string       { return "TokenExpired" }
func (SettingsChanged) kind() string    { return "SettingsChanged" }
func (PermissionsChanged) kind() string { return "PermissionsChanged" }

// private is the part of a record that never leaves the store. The nonce
// keeps its published digest from being guessed.
type private struct {
	Nonce    []byte    `json:"nonce"`
	Address  string    `json:"address,omitempty"`
	Verifier *Verifier `json:"verifier,omitempty"`
}

// Decode gives the fact that a record holds. It is the one place where stored
// bytes become facts, and so the place for upcasters.
func Decode(r Record) (Fact, error) {
	if r.V != 1 {
		return nil, fmt.Errorf("record %s: unknown version %d of %s", r.ID(), r.V, r.Type)
	}
	switch r.Type {
	case "TokenCreated":
		return decodeCreated(r)
	case "TokenRevoked":
		return decode[TokenRevoked](r)
	case "TokenExpired":
		return decode[TokenExpired](r)
	case "SettingsChanged":
		return decode[SettingsChanged](r)
	case "PermissionsChanged":
		return decode[PermissionsChanged](r)
	}
	return nil, fmt.Errorf("record %s: unknown type %q", r.ID(), r.Type)
}

func decode[F Fact](r Record) (Fact, error) {
	var f F
	if err := json.Unmarshal(r.Public, &f); err != nil {
		return nil, fmt.Errorf("record %s: decoding %s: %w", r.ID(), r.Type, err)
	}
	return f, nil
}

func decodeCreated(r Record) (Fact, error) {
	f, err := decode[TokenCreated](r)
	if err != nil {
		return nil, err
	}
	var p private
	if err := json.Unmarshal(r.Private, &p); err != nil {
		return nil, fmt.Errorf("record %s: decoding its private part: %w", r.ID(), err)
	}
	created := f.(TokenCreated)
	if p.Verifier != nil {
		created.Verifier = *p.Verifier
	}
	return created, nil
}
