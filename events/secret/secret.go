// Package secret mints tokens, parses them, and makes the verifiers that are
// stored in place of secrets. A verifier does not reveal its secret.
//
// It promises that a Secret never prints itself by accident, that Parse and
// Verify cost little more than one HMAC, and that no error contains a part of
// the text. Quote quotes other refused texts without the secret of a token that
// they may contain. Other packages find the token of an id and decide what a valid
// token may do.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a text that must not be printed. It prints as "[redacted]" in every
// verb of fmt except %T, in slog and in every text encoding. Only Reveal returns
// the text.
//
// The field is a pointer because fmt calls no methods on unexported fields: for
// a struct with a Secret in an unexported field, fmt prints an address. So ==
// compares addresses and not texts.
type Secret struct{ text *string }

// New makes a Secret of a text.
func New(text string) Secret { return Secret{&text} }

// Reveal returns the text; it is empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format prints "[redacted]" for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON is "[redacted]" as a JSON string. An answer that must contain the
// secret has a string member and calls Reveal.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON takes a JSON string. null changes nothing.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var text *string
	if json.Unmarshal(b, &text) != nil {
		return errors.New("a secret must be a JSON string")
	}
	if text != nil {
		s.text = text
	}
	return nil
}
