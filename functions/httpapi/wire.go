package httpapi

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
)

// Time is an instant as the API writes it: RFC 3339, UTC, up to nine digits of
// a second, and "" for none, which is the zero Time.
type Time struct{ time.Time }

// MarshalJSON writes the instant.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	b := make([]byte, 0, len(time.RFC3339Nano)+2)
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"'), nil
}

// UnmarshalJSON reads any RFC 3339 instant; "" and null are none.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	*t = Time{}
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	t.Time = at.UTC()
	return nil
}

// Entry is one token as it is shown. It never holds the secret.
type Entry struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	Description    string         `json:"description"`
	User           token.Identity `json:"user"`    // whom the token acts for
	Creator        token.Identity `json:"creator"` // who made it
	CreationTime   Time           `json:"creation_time"`
	ExpirationTime Time           `json:"expiration_time"`
	Enabled        bool           `json:"enabled"`
	State          string         `json:"state"` // active, disabled, expired or revoked
	LastUsed       Time           `json:"last_used,omitzero"`
	Scopes         []string       `json:"scopes"`     // none: all that the user may do
	SourceIPs      []netip.Prefix `json:"source_ips"` // none: from anywhere
}

// Created is the answer to a create: the entry and, this once, the token.
type Created struct {
	Entry
	BearerToken secret.Secret `json:"bearer_token"`
}

// List is one page of tokens.
type List struct {
	Entries []Entry `json:"entries"`
	Paging  Paging  `json:"paging"`
}

// History is one page of records, each as it is published: a CloudEvents 1.0
// object that events.ParseDetail reads.
type History struct {
	Entries []json.RawMessage `json:"entries"`
	Paging  Paging            `json:"paging"`
}

// Paging says where a list goes on: a path with its query, "" at the end.
type Paging struct {
	Next string `json:"next"`
}

// CreateRequest asks for a token. Whatever is left out is absent on the wire.
type CreateRequest struct {
	User           *token.Identity `json:"user,omitempty"` // nil: the caller
	Name           string          `json:"name,omitempty"`
	Description    string          `json:"description,omitempty"`
	ExpirationTime Time            `json:"expiration_time,omitzero"`
	ExpiresIn      string          `json:"expires_in,omitempty"` // like 180D; not together with ExpirationTime
	Scopes         []string        `json:"scopes,omitempty"`
	SourceIPs      []string        `json:"source_ips,omitempty"`
}

// Self is who the caller is: the owner key, the name in it, and the actions
// that the caller holds on the realm "security".
type Self struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
}

// Introspection says what a token is good for. What is not known, or not to be
// told, is absent.
type Introspection struct {
	Active         bool            `json:"active"`
	Reason         string          `json:"reason,omitempty"` // why it is not active, a problem code
	ID             string          `json:"id,omitempty"`
	User           *token.Identity `json:"user,omitempty"`
	Scopes         []string        `json:"scopes,omitzero"`
	ExpirationTime *Time           `json:"expiration_time,omitempty"`
}

// Version names the release that answers.
type Version struct {
	Version string `json:"version"`
}

// Health is the answer of a server that can do its work.
type Health struct {
	Status string `json:"status"` // always "ok"; a server that cannot answers 503
}

func entryOf(t issuer.Token) Entry {
	return Entry{
		ID: t.ID, Name: t.Name, Description: t.Description,
		User: token.IdentityOf(t.Owner), Creator: token.IdentityOf(t.Creator),
		CreationTime: Time{t.CreatedAt}, ExpirationTime: Time{t.ExpiresAt},
		Enabled: !t.Disabled, State: string(t.State), LastUsed: Time{t.LastUse.At},
		Scopes: orEmpty(t.Scopes), SourceIPs: orEmpty(t.SourceIPs),
	}
}

// orEmpty keeps a list a list in JSON: clients iterate over it unasked.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
