package events

import (
	"net/netip"

	"apitoken/events/instant"
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

// TokenCreated says that a token began to live. A zero ExpiresAt is left out and
// means that the token does not expire. The verifier is private: it is stored and
// never published.
type TokenCreated struct {
	TokenID     string         `json:"token_id"`
	Owner       string         `json:"owner"`
	Creator     string         `json:"creator"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	ExpiresAt   instant.Time   `json:"expires_at,omitzero"`
	Scopes      []string       `json:"scopes,omitempty"`
	SourceIPs   []netip.Prefix `json:"source_ips,omitempty"`
	MadeWith    string         `json:"made_with,omitempty"` // token of the same owner that made this token
	Verifier    Verifier       `json:"-"`
}

// TokenUpdated gives the new values of some members of a token. The others keep
// their values. At most one of ExpiresAt and NeverExpires is set.
type TokenUpdated struct {
	TokenID      string          `json:"token_id"`
	Owner        string          `json:"owner"`
	Name         *string         `json:"name,omitempty"`
	Description  *string         `json:"description,omitempty"`
	ExpiresAt    instant.Time    `json:"expires_at,omitzero"`
	NeverExpires bool            `json:"never_expires,omitempty"`
	Scopes       *[]string       `json:"scopes,omitempty"`     // an empty list: all that the owner may do
	SourceIPs    *[]netip.Prefix `json:"source_ips,omitempty"` // an empty list: from anywhere

	// PreviousSecretUntil is the new, earlier end of the outgoing secret.
	PreviousSecretUntil instant.Time `json:"previous_secret_until,omitzero"`
}

// TokenDisabled says that a token is refused until it is enabled again.
type TokenDisabled struct {
	TokenID string `json:"token_id"`
	Owner   string `json:"owner"`
}

// TokenEnabled says that a disabled token passes again.
type TokenEnabled struct {
	TokenID string `json:"token_id"`
	Owner   string `json:"owner"`
}

// TokenRotated says that a token got a new secret. The secret before passes
// until PreviousSecretUntil; an older one ended. The new verifier is private.
type TokenRotated struct {
	TokenID             string       `json:"token_id"`
	Owner               string       `json:"owner"`
	PreviousSecretUntil instant.Time `json:"previous_secret_until"`
	Self                bool         `json:"self,omitempty"` // the token itself was the acting token
	Verifier            Verifier     `json:"-"`
}

// OwnerLimitChanged gives one owner a token limit. Without a TokenLimit, the
// setting applies again.
type OwnerLimitChanged struct {
	Owner      string `json:"owner"`
	TokenLimit *int   `json:"token_limit,omitempty"`
}

// UserSuspended says that none of the owner's tokens passes, and that no command
// makes or changes a token of the owner. TokenIDs are the live tokens. In the stream
// of the owner's sessions it says that no session is opened; it names no session,
// because a SessionClosed for each of them follows.
type UserSuspended struct {
	Owner    string   `json:"owner"`
	Reason   string   `json:"reason,omitempty"`
	TokenIDs []string `json:"token_ids,omitempty"`
}

// UserReinstated ends a suspension. TokenIDs are the tokens that are still live.
type UserReinstated struct {
	Owner    string   `json:"owner"`
	Reason   string   `json:"reason,omitempty"`
	TokenIDs []string `json:"token_ids,omitempty"`
}

// TokenRevoked says that a token was ended permanently, and why.
type TokenRevoked struct {
	TokenID string `json:"token_id"`
	Owner   string `json:"owner"`
	Cause   Cause  `json:"cause"`
}

// Cause says which of several possible causes a fact has.
type Cause string

const (
	CauseUser  Cause = "user"  // the owner of the token did it
	CauseAdmin Cause = "admin" // another user with the permission, or an operator at the store, did it

	CauseOffboarding Cause = "offboarding" // all tokens of the owner were ended
	CausePossession  Cause = "possession"  // a client that had the secret did it, with no other credential

	// The causes that only a SessionClosed has.
	CauseSignOut   Cause = "sign_out"  // the session itself did it
	CauseReplaced  Cause = "replaced"  // the owner had the largest number of sessions and opened one more
	CauseExpired   Cause = "expired"   // the time of the session was over
	CauseSuspended Cause = "suspended" // the owner was suspended
)

// TokenExpired records an expiry that is past: the token ended at ExpiresAt.
type TokenExpired struct {
	TokenID   string       `json:"token_id"`
	Owner     string       `json:"owner"`
	ExpiresAt instant.Time `json:"expires_at"`
}

// SessionOpened says that a session of the owner began: a token of kind session. Via
// says how the owner was known. Issuer is the URL of the identity provider and
// SubjectDigest the SHA-256 of the subject there, in hexadecimal; both are left out
// without a provider. Name is the displayed name of the person, left out if unknown.
// The verifier is private: it is stored and never published.
type SessionOpened struct {
	TokenID       string         `json:"token_id"`
	Owner         string         `json:"owner"`
	Via           string         `json:"via"`
	Issuer        string         `json:"issuer,omitempty"`
	SubjectDigest string         `json:"subject_digest,omitempty"`
	Name          string         `json:"name,omitempty"`
	ExpiresAt     instant.Time   `json:"expires_at"`
	MakesUntil    instant.Time   `json:"makes_until,omitzero"`   // nothing that it makes may end later; left out: no bound
	Permissions   []string       `json:"permissions,omitempty"`  // actions from groups
	Scopes        []string       `json:"scopes,omitempty"`       // of the token that it was opened with
	SourceIPs     []netip.Prefix `json:"source_ips,omitempty"`   // of the token that it was opened with
	OpenedWith    string         `json:"opened_with,omitempty"`  // the token that it was opened with
	OpenedAfter   uint64         `json:"opened_after,omitempty"` // the sequence of the last rotation of that token then; left out: never rotated
	UI            bool           `json:"ui,omitempty"`           // opened for the page
	Verifier      Verifier       `json:"-"`
}

// How a session was opened.
const (
	ViaOIDC     = "oidc"     // a person signed in at an identity provider
	ViaPassword = "password" // a person signed in with a password
	ViaToken    = "token"    // with a token of the owner
	ViaExchange = "exchange" // with a JWT of an identity provider
)

// SessionClosed says that a session ended, and why. It is the only fact about the end
// of a session. ExpiresAt is there with the cause expired: the session ended then.
type SessionClosed struct {
	TokenID   string       `json:"token_id"`
	Owner     string       `json:"owner"`
	Cause     Cause        `json:"cause"`
	ExpiresAt instant.Time `json:"expires_at,omitzero"`
}

// SettingsChanged gives the new values of some settings. The others keep their
// values. Durations are whole seconds.
type SettingsChanged struct {
	TokenLimit *int   `json:"token_limit,omitempty"`
	Expiration *int64 `json:"expiration_timeout_seconds,omitempty"` // 0: tokens need not expire
	Retention  *int64 `json:"retention_seconds,omitempty"`          // 0: records are kept for ever
	ChangeRate *int   `json:"change_rate,omitempty"`                // changes of an owner's tokens in an hour; 0: no limit

	RotationGrace *int64 `json:"rotation_grace_seconds,omitempty"` // default life of an outgoing secret
	WarningDays   *[]int `json:"warning_days,omitempty"`           // days before an expiry, descending; none: no warning
}

// PermissionsChanged says that a user now holds exactly these actions on the
// realm "security". Without actions the user holds no permission.
type PermissionsChanged struct {
	User    string   `json:"user"`
	Actions []string `json:"actions"`
}

// GroupChanged says that a group of an identity provider now gives exactly these actions
// on the realm "security" to the sessions of its members. Alias names the provider.
// Without actions the group gives none.
type GroupChanged struct {
	Alias   string   `json:"alias"`
	Group   string   `json:"group"`
	Actions []string `json:"actions"`
}

func (TokenCreated) kind() string       { return "TokenCreated" }
func (TokenUpdated) kind() string       { return "TokenUpdated" }
func (TokenDisabled) kind() string      { return "TokenDisabled" }
func (TokenEnabled) kind() string       { return "TokenEnabled" }
func (TokenRotated) kind() string       { return "TokenRotated" }
func (TokenRevoked) kind() string       { return "TokenRevoked" }
func (TokenExpired) kind() string       { return "TokenExpired" }
func (OwnerLimitChanged) kind() string  { return "OwnerLimitChanged" }
func (UserSuspended) kind() string      { return "UserSuspended" }
func (UserReinstated) kind() string     { return "UserReinstated" }
func (SessionOpened) kind() string      { return "SessionOpened" }
func (SessionClosed) kind() string      { return "SessionClosed" }
func (SettingsChanged) kind() string    { return "SettingsChanged" }
func (GroupChanged) kind() string       { return "GroupChanged" }
func (PermissionsChanged) kind() string { return "PermissionsChanged" }
