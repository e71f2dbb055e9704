package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

var (
	// ErrMalformed: the text does not have the form of a token.
	ErrMalformed = errors.New("not a token")
	// ErrChecksum: the text has the form of a token, but was mistyped, cut or
	// invented.
	ErrChecksum = errors.New("the token's checksum does not match")
)

const (
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idLen       = 8
	randomLen   = 26 // 154.8 bits
	checksumLen = 6  // 62^6 is above 2^32
	secretLen   = randomLen + checksumLen
	maxPrefix   = 16
)

// MinLen is the length of a token without a prefix.
const MinLen = idLen + 1 + secretLen

// Token is [Prefix "_"] ID "." Secret. The prefix is for people and for secret
// scanners; neither checksum nor verifier covers it. The ID is public. The Secret
// has 26 random characters and 6 characters of checksum.
type Token struct {
	Prefix string
	ID     string
	Secret Secret
}

// Mint makes a new token. The prefix must be empty or valid (ValidPrefix).
func Mint(prefix string) Token {
	return Renew(prefix, randomText(idLen))
}

// Renew makes a new secret for the token with this id. The prefix must be empty or
// valid (ValidPrefix).
func Renew(prefix, id string) Token {
	body := randomText(randomLen)
	sum := checksum(id + "." + body)
	return Token{Prefix: prefix, ID: id, Secret: New(body + string(sum[:]))}
}

// Parse reads a token and checks its checksum. The checksum lets a caller drop
// wrong texts without a read of the store; it authenticates nothing. Parse
// accepts any valid prefix, or none. Its errors are exactly ErrMalformed and
// ErrChecksum, without any part of the text. The result shares memory with the
// text.
func Parse(text string) (Token, error) {
	dot := len(text) - secretLen - 1
	start := dot - idLen
	if start < 0 || text[dot] != '.' {
		return Token{}, ErrMalformed
	}
	prefix, ok := cutPrefix(text[:start])
	if !ok || !alphanumeric(text[start:dot]) || !alphanumeric(text[dot+1:]) {
		return Token{}, ErrMalformed
	}
	body, sum := text[start:len(text)-checksumLen], text[len(text)-checksumLen:]
	if want := checksum(body); string(want[:]) != sum {
		return Token{}, ErrChecksum
	}
	return Token{Prefix: prefix, ID: text[start:dot], Secret: New(text[dot+1:])}, nil
}

// Within reports whether the text contains a whole token, also inside a longer
// word. Stored, published and logged texts must not contain a token.
func Within(text string) bool {
	for dot := idLen; dot+secretLen < len(text); dot++ {
		if text[dot] != '.' {
			continue
		}
		if _, err := Parse(text[dot-idLen : dot+1+secretLen]); err == nil {
			return true
		}
	}
	return false
}

// IsID reports whether the text has the form of a token id. People paste whole
// tokens in place of ids. So any other text is never looked up, logged or
// repeated in an answer.
func IsID(text string) bool { return len(text) == idLen && alphanumeric(text) }

// Text is the whole token, as its owner sends it.
func (t Token) Text() Secret {
	text := t.ID + "." + t.Secret.Reveal()
	if t.Prefix != "" {
		text = t.Prefix + "_" + text
	}
	return New(text)
}

// ValidPrefix returns an error unless the prefix is empty or has 1 to 16
// lower-case letters and digits.
func ValidPrefix(prefix string) error {
	if len(prefix) > maxPrefix || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("the token prefix %q is invalid; allowed: up to %d lower-case letters and digits", prefix, maxPrefix)
	}
	return nil
}

// cutPrefix reads the text before the id: nothing, or a prefix and "_".
func cutPrefix(text string) (prefix string, ok bool) {
	if text == "" {
		return "", true
	}
	prefix, ok = strings.CutSuffix(text, "_")
	return prefix, ok && prefix != "" && ValidPrefix(prefix) == nil
}

func alphanumeric(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}

// checksum is CRC-32/IEEE in base 62, left-padded with "0". It has its own loop
// because the functions of hash/crc32 take a slice, and converting the text to
// one would allocate memory.
func checksum(text string) (sum [checksumLen]byte) {
	crc := ^uint32(0)
	for i := range len(text) {
		crc = crc32.IEEETable[byte(crc)^text[i]] ^ crc>>8
	}
	crc = ^crc
	for i := range sum {
		sum[checksumLen-1-i] = alphabet[crc%62]
		crc /= 62
	}
	return sum
}

// randomText draws n characters, all equally likely. 62 does not divide 256, so
// the last 8 of the 256 values of a byte are dropped (rejection sampling).
func randomText(n int) string {
	text := make([]byte, 0, n)
	for draw := make([]byte, n); len(text) < n; {
		_, _ = rand.Read(draw) // never returns an error: it ends the program instead
		for _, b := range draw {
			if b < 256-256%62 && len(text) < n {
				text = append(text, alphabet[b%62])
			}
		}
	}
	return string(text)
}
