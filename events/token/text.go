package token

import (
	"strings"
	"unicode/utf8"

	"apitoken/events"
	"apitoken/events/scope"
)

// The limits of a token's members, in bytes unless the line says otherwise. They
// keep each view within one read unit of DynamoDB and each head within one item.
// name.MaxOwner is the limit of an owner key.
const (
	MaxName        = 128
	MaxDescription = 512
	MaxReason      = 512 // of a suspension
	MaxScope       = scope.MaxBytes
	MaxScopes      = 16 // entries
	MaxSourceIPs   = 16 // entries

	// MaxView is the largest view as JSON, with an outgoing secret and every mark.
	// A read unit has 4096 bytes. The rest is for keys, index attributes, the seal
	// and the last use.
	MaxView = 3600
)

// CheckSize refuses a token or a session with a view above MaxView, although each of its
// members is within its own limit. It counts the longest verifiers and numbers
// that the view may get later. So no rotation and no suspension can make a view
// too large.
func CheckSize(v events.View) error {
	longest := events.Verifier{Kid: strings.Repeat("k", 16), MAC: make([]byte, 32)}
	v.Verifier, v.Outgoing, v.OutgoingUntil = longest, longest, v.CreatedAt
	v.Disabled, v.Suspended, v.First, v.Seq, v.Rotated = true, true, maxSeq, maxSeq, maxSeq
	b, _ := encode(stored(v, Note{})) // no error: texts, numbers, and times that RFC 3339 can write
	if len(b) > MaxView {
		return refuse(CodeStateTooLarge, "", "the token's texts, scopes and source ranges have %d bytes together; at most %d are allowed", len(b), MaxView)
	}
	return nil
}

// maxSeq is the largest sequence that a record of a store may have: keys have 12
// digits.
const maxSeq = 999_999_999_999

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
