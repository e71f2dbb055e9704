package vast

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/issuer"
)

// APIToken is one token as VAST's answers show it. It never contains the secret. A
// time that is nil is written as null: vastpy reads None.
type APIToken struct {
	ID             string        `json:"id"`
	Name           string        `json:"name"`
	Owner          string        `json:"owner"` // the owner key: the name, for a local user
	Created        *instant.Time `json:"created"`
	ExpiryDate     *instant.Time `json:"expiry_date"` // nil: never
	LastUsed       *instant.Time `json:"last_used"`   // at most 15 minutes before the real last use; nil: never used
	Revoked        bool          `json:"revoked"`
	RevocationTime *instant.Time `json:"revocation_time"`
}

// Page is a list that was asked for by page.
type Page struct {
	Count    int        `json:"count"` // of all pages
	Next     *string    `json:"next"`  // an absolute URL, or a path if the request had no Host; nil: this page is the last
	Previous *string    `json:"previous"`
	Results  []APIToken `json:"results"`
}

// Created is the answer to a create. No later answer contains the token.
type Created struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// Maximum is the number of live tokens that a user may have.
type Maximum struct {
	Tokens int `json:"max_api_tokens_per_user"`
}

// Timeout is the default and maximum lifetime of a token, which VAST calls the
// password expiration timeout.
type Timeout struct {
	Lifetime string `json:"pwd_expiration_timeout"` // like 180D; if not enabled: the lifetime that enabling sets
	Enabled  bool   `json:"pwd_expiration_timeout_enabled"`
}

func tokenOf(t issuer.Token) APIToken {
	out := APIToken{
		ID: t.ID, Name: t.Name, Owner: t.Owner, Created: timeOf(t.CreatedAt), ExpiryDate: timeOf(t.ExpiresAt),
		LastUsed: timeOf(t.LastUse.At), Revoked: t.State == events.StateRevoked,
	}
	if out.Revoked {
		out.RevocationTime = timeOf(t.EndedTime())
	}
	return out
}

func timeOf(at time.Time) *instant.Time {
	if at.IsZero() {
		return nil
	}
	return new(instant.Of(at))
}

// word is a text in a body. vastpy-cli reads each value of its command line as JSON
// before it sends it, so name=123 arrives as a number and name=true as a boolean: a
// word accepts both as the text that was typed. It refuses a number with a fraction or
// an exponent, because the client may have written it in another way.
type word string

var errNoWord = errors.New("neither a string nor a whole number nor a boolean")

// UnmarshalJSON reads a string, a whole number or a boolean.
func (w *word) UnmarshalJSON(b []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*w = word(v)
		return nil
	case bool:
		*w = word(b)
		return nil
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			*w = word(v)
			return nil
		}
	}
	return errNoWord
}
