package token

import (
	"unicode/utf8"

	"apitoken/events/scope"
)

// The limits of a token's members, in bytes unless the line says otherwise. They
// keep each view within one read unit of DynamoDB and each head within one item.
// name.MaxOwner is the limit of an owner key.
const (
	MaxName        = 128
	MaxDescription = 512
	MaxScope       = scope.MaxBytes
	MaxScopes      = 16 // entries
	MaxSourceIPs   = 16 // entries

	// MaxView is the largest view as JSON. A read unit has 4096 bytes. The rest is
	// for keys, index attributes, the last use, and the second verifier that a
	// token has after a rotation.
	MaxView = 3600
)

// cutAtRune is the longest beginning of text that has at most n bytes and does
// not end within a rune.
func cutAtRune(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
