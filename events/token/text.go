package token

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"apitoken/events/scope"
)

// The limits of a token's members, in bytes unless the line says otherwise. They
// keep each view within one read unit of DynamoDB and each head within one item.
const (
	MaxOwner       = 256
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

// checkText refuses a text that is too long, is not UTF-8, or has a control
// character: control characters can forge log lines and terminal output. It also
// refuses U+FFFD. A decoder writes U+FFFD for a character that it cannot read,
// such as half a surrogate pair in JSON, so two names that differ only there
// would become one user.
func checkText(field, text string, most int) error {
	switch {
	case len(text) > most:
		return invalid(field, "the %s has %d bytes; at most %d are allowed", field, len(text), most)
	case !utf8.ValidString(text):
		return invalid(field, "the %s is not valid UTF-8; only UTF-8 is allowed", field)
	case strings.ContainsRune(text, utf8.RuneError):
		return invalid(field, "the %s has U+FFFD, the character that replaces unreadable text; it is not allowed", field)
	case strings.ContainsFunc(text, unicode.IsControl):
		return invalid(field, "the %s has a control character, such as a line break; control characters are not allowed", field)
	}
	return nil
}

// shownBytes is the number of bytes of a refused text that an error quotes. It is
// too small for a secret that was pasted into the wrong place.
const shownBytes = 20

// shown quotes the beginning of a refused text in plain ASCII.
func shown(text string) string {
	if cut := cutAtRune(text, shownBytes); cut != text {
		return strconv.QuoteToASCII(cut) + "..."
	}
	return strconv.QuoteToASCII(text)
}

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
