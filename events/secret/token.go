package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

var (
	// ErrMalformed: the text does not have the shape of a token.
	ErrMalformed = errors.New("not a token")
	// ErrChecksum: it has the shape, and was mistyped, cut or made up.
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

// Token is [Prefix "_"] ID "." Secret. The prefix is for people and secret
// scanners and is covered by nothing; the ID is public; the Secret has 26
// random characters and 6 of checksum.
type Token struct {
	Prefix string
	ID     string
	Secret Secret
}

// Mint makes a new token; the prefix is valid or empty.
func Mint(prefix string) Token {
	random := randomText(idLen + randomLen)
	id, body := random[:idLen], random[idLen:]
	sum := checksum(id + "." + body)
	return Token{Prefix: prefix, ID: id, Secret: New(body + string(sum[:]))}
}

// Parse reads a token and checks its checksum, which authenticates nothing but
// drops garbage without a read. Any valid prefix, or none, is accepted. The
// errors are ErrMalformed and ErrChecksum themselves and hold nothing of the
// text. The result keeps the text's memory.
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

// Within says whether a whole token stands anywhere in the text, also as a part
// of a longer word. What is stored, published or logged must not hold one.
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

// IsID says that the text has the form of a token id. People paste whole
// tokens where an id belongs, so nothing else is read by, logged or repeated.
func IsID(text string) bool { return len(text) == idLen && alphanumeric(text) }

// Text is the whole token as its holder sends it.
func (t Token) Text() Secret {
	text := t.ID + "." + t.Secret.Reveal()
	if t.Prefix != "" {
		text = t.Prefix + "_" + text
	}
	return New(text)
}

// ValidPrefix refuses what is neither empty nor 1 to 16 lower-case letters and
// digits.
func ValidPrefix(prefix string) error {
	if len(prefix) > maxPrefix || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("the token prefix %q is not made of up to %d lower-case letters and digits", prefix, maxPrefix)
	}
	return nil
}

// cutPrefix reads what stands before the id: nothing, or a prefix and "_".
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

// checksum is CRC-32/IEEE in base 62, left-padded. The loop stands here because
// the package's own functions take a slice, which would be copied to the heap.
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

// randomText draws n characters, each as likely as any other: of the 256 values
// of a byte the last 8 are dropped, since 62 does not divide 256.
func randomText(n int) string {
	text := make([]byte, 0, n)
	for draw := make([]byte, n); len(text) < n; {
		_, _ = rand.Read(draw) // never fails: it ends the program instead
		for _, b := range draw {
			if b < 256-256%62 && len(text) < n {
				text = append(text, alphabet[b%62])
			}
		}
	}
	return string(text)
}
