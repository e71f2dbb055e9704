package httpapi

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/secret"
)

// Time is a time as the API writes it: RFC 3339, UTC, six digits of a second. The
// zero Time means "no time" and is written as "".
type Time struct{ time.Time }

// MarshalJSON writes the time, or "" for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	return instant.Time{Time: t.Time}.MarshalJSON()
}

// UnmarshalJSON reads a time in RFC 3339 with any offset. It reads "" and null as
// the zero Time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	*t = Time{}
	if text == "" {
		return nil
	}
	var err error
	if t.Time, err = instant.Parse(text); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	return nil
}

// Entry is one token as answers show it. It never contains the secret.
type Entry struct {
	ID                  string         `json:"id"`
	Kind                string         `json:"kind"` // token
	Name                string         `json:"name"`
	Description         string         `json:"description"`
	User                name.Identity  `json:"user"`    // the token acts for this user
	Creator             name.Identity  `json:"creator"` // this user made the token
	CreationTime        Time           `json:"creation_time"`
	ExpirationTime      Time           `json:"expiration_time"` // zero: never
	Enabled             bool           `json:"enabled"`
	State               string         `json:"state"`                          // active, disabled, expired or revoked
	EndedTime           Time           `json:"ended_time,omitzero"`            // when it was revoked or expired; zero: it is live
	PreviousSecretUntil Time           `json:"previous_secret_until,omitzero"` // until then the secret before the last rotation works; zero: it does not
	LastUsed            Time           `json:"last_used,omitzero"`             // at most 15 minutes before the real last use; zero: never used
	LastUsedAddress     string         `json:"last_used_address,omitempty"`    // of that use; "" if unknown
	Scopes              []string       `json:"scopes"`                         // the allowed calls; none: all that the user may do
	SourceIPs           []netip.Prefix `json:"source_ips"`                     // the allowed addresses; none: all

	// ETag names what callers can change of the token. It comes from a header of the
	// answer about one token, and is "" in a list and after a rotation.
	ETag string `json:"-"`
}

// RotateRequest asks for a new secret. Zero members are left out of the JSON.
type RotateRequest struct {
	// Grace is how long the secret before works, like 24H, or 0; "": the setting of
	// the service. A token that rotates itself needs 5 minutes at least.
	Grace string `json:"grace,omitempty"`

	// IfMatch has the ETags that the token may have, as in the header If-Match; "":
	// any.
	IfMatch string `json:"-"`

	// Key is the Idempotency-Key, 16 to 255 letters, digits and hyphens; "": a new
	// random one. Keep it as secret as the token: for 24 hours the acting token gets
	// the new secret again with it.
	Key string `json:"-"`
}

// Created is the answer to a create or a rotation: the entry and the whole token.
// No later answer contains the token.
type Created struct {
	Entry
	BearerToken secret.Secret `json:"bearer_token"`
}

// List is one page of tokens.
type List struct {
	Entries []Entry `json:"entries"`
	Paging  Paging  `json:"paging"`
}

// History is one page of records. Each entry is the record's event: a CloudEvents
// 1.0 object, which events.ParseDetail reads.
type History struct {
	Entries []json.RawMessage `json:"entries"`
	Paging  Paging            `json:"paging"`
}

// Paging says where the next page is. Both members are "" if this page is the last.
type Paging struct {
	Next  string `json:"next"`  // the link to the next page: a path with its query
	After string `json:"after"` // the cursor of the next page, for a query with the same filters
}

// CreateRequest asks for a token. Zero members are left out of the JSON, and the
// service uses its defaults for them.
type CreateRequest struct {
	User           *name.Identity `json:"user,omitempty"` // nil: the caller
	Name           string         `json:"name,omitempty"`
	Description    string         `json:"description,omitempty"`
	ExpirationTime Time           `json:"expiration_time,omitzero"`
	ExpiresIn      string         `json:"expires_in,omitempty"` // like 180D; not together with ExpirationTime
	Scopes         []string       `json:"scopes,omitempty"`
	SourceIPs      []string       `json:"source_ips,omitempty"`
}

// UpdateRequest says what to change of a token. A nil member changes nothing. At
// most one of ExpirationTime and ExpiresIn is set.
type UpdateRequest struct {
	IfMatch string `json:"-"` // the ETags that the token may have, as in the header If-Match; "": any

	Name           *string   `json:"name,omitempty"` // "": the name that a create chooses
	Description    *string   `json:"description,omitempty"`
	Enabled        *bool     `json:"enabled,omitempty"`
	ExpirationTime *Time     `json:"expiration_time,omitempty"` // the zero Time: never
	ExpiresIn      string    `json:"expires_in,omitempty"`      // a lifetime from the creation of the token, like 180D
	Scopes         *[]string `json:"scopes,omitempty"`          // empty: all that the user may do
	SourceIPs      *[]string `json:"source_ips,omitempty"`      // empty: all addresses

	// EndPreviousSecret ends the secret that the last rotation replaced.
	EndPreviousSecret bool `json:"-"`
}

// MarshalJSON writes the members that are set. A list that is set and nil is
// written as [], because the service reads null as absent.
func (r UpdateRequest) MarshalJSON() ([]byte, error) {
	type plain UpdateRequest // without this method
	body := struct {
		plain
		Previous *string `json:"previous_secret_until,omitempty"`
	}{plain: plain(r)}
	for _, list := range []**[]string{&body.Scopes, &body.SourceIPs} {
		if *list != nil {
			*list = new(orEmpty(**list))
		}
	}
	if r.EndPreviousSecret {
		body.Previous = new("")
	}
	return json.Marshal(body)
}

// WhoAmI is the caller: the number of its owner key (name.Number), the name in the
// owner key, the user as in an Entry, and the actions
// that the caller has on the realm "security".
type WhoAmI struct {
	ID          string        `json:"id"` // a create accepts it as auth_id
	Name        string        `json:"name"`
	User        name.Identity `json:"user"`
	Permissions []string      `json:"permissions"`
}

// Introspection says whether a token would pass, and for which user. Members are
// absent if they are unknown.
type Introspection struct {
	Active         bool           `json:"active"`
	Reason         string         `json:"reason,omitempty"` // a problem code, or issuer.ReasonActionMissing; absent if Active
	ID             string         `json:"id,omitempty"`
	User           *name.Identity `json:"user,omitempty"`
	Scopes         []string       `json:"scopes,omitzero"`
	ExpirationTime *Time          `json:"expiration_time,omitempty"`
}

// Version is the release of the service.
type Version struct {
	Version string `json:"version"`
}

// Health is the answer of a service that can do its work. A service that cannot
// answers 503 with a Problem.
type Health struct {
	Status string `json:"status"` // always "ok"
}

func entryOf(t issuer.Token) Entry {
	return Entry{
		ID: t.ID, Kind: guard.KindToken, Name: t.Name, Description: t.Description,
		User: name.IdentityOf(t.Owner), Creator: name.IdentityOf(t.Creator),
		CreationTime: Time{t.CreatedAt}, ExpirationTime: Time{t.ExpiresAt},
		Enabled: !t.Disabled, State: string(t.State), EndedTime: Time{t.EndedTime()},
		PreviousSecretUntil: Time{t.PreviousSecretUntil}, LastUsed: Time{t.LastUse.At}, LastUsedAddress: t.LastUse.Address,
		Scopes: orEmpty(t.Scopes), SourceIPs: orEmpty(t.SourceIPs),
	}
}

// orEmpty returns an empty list for nil, because clients iterate over the list
// in the JSON without checking for null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
