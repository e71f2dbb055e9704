// Package secret mints tokens, reads them, and turns them into what is kept of
// them: a verifier, from which nobody learns the secret.
//
// It promises that a Secret shows itself nowhere by accident, that Parse and
// Verify cost next to nothing beyond one HMAC, and that no error holds any
// part of what was read. Finding the token that an id names, and deciding what
// a valid token may do, are left to others.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a text that must not be seen. It prints as "[redacted]" in every
// verb of fmt but %T, in slog and in every text encoding; Reveal is the one
// way out.
//
// The text lies behind a pointer because fmt calls no methods on unexported
// fields: what it prints for a struct that hides a Secret is an address. For
// the same reason == on Secrets says nothing about their texts.
type Secret struct{ text *string }

// New hides a text.
func New(text string) Secret { return Secret{&text} }

// Reveal is the text itself; empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format prints the redaction, whatever the verb and flags.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is the redaction.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is the redaction.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON is the redaction. An answer that is to hold a secret reveals it
// into a string.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON hides a JSON string; null changes nothing.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var text *string
	if json.Unmarshal(b, &text) != nil {
		return errors.New("a secret is a JSON string")
	}
	if text != nil {
		s.text = text
	}
	return nil
}
