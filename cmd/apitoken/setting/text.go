package setting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The byte order marks of UTF-16 and UTF-32.
var (
	markUTF16LE = []byte{0xFF, 0xFE}
	markUTF16BE = []byte{0xFE, 0xFF}
	markUTF32LE = []byte{0xFF, 0xFE, 0, 0}
	markUTF32BE = []byte{0, 0, 0xFE, 0xFF}
)

// Text decodes the bytes of a text and removes blanks and invisible characters at
// both ends. It keeps the lines: a certificate has many. It accepts UTF-8 with or
// without a byte order mark, and UTF-16 with one. Windows PowerShell writes UTF-16
// with its operator `>`.
func Text(b []byte) (string, error) {
	switch {
	case bytes.HasPrefix(b, markUTF32LE), bytes.HasPrefix(b, markUTF32BE):
		return "", errors.New("is encoded as UTF-32; save it as UTF-8")
	case bytes.HasPrefix(b, markUTF16LE):
		return textOfUTF16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, markUTF16BE):
		return textOfUTF16(b[2:], binary.BigEndian)
	}
	text := string(b) // trim removes the byte order mark of UTF-8, which is an invisible character
	if encoding := unmarkedUTF16(b); encoding != "" {
		return "", fmt.Errorf("is encoded as %s without a byte order mark; save it as UTF-8", encoding)
	}
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("is not encoded as UTF-8 (byte %d); save it as UTF-8", invalidAt(text)+1)
	}
	return trim(text), nil
}

func textOfUTF16(b []byte, order binary.ByteOrder) (string, error) {
	if len(b)%2 != 0 {
		return "", errors.New("is encoded as UTF-16 and has half a character at its end; save it as UTF-8")
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return trim(string(utf16.Decode(units))), nil
}

// unmarkedUTF16 is the name of the encoding if each second byte of a text is NUL.
func unmarkedUTF16(b []byte) string {
	if len(b) < 4 || len(b)%2 != 0 {
		return ""
	}
	var nul [2]int
	for i, c := range b {
		if c == 0 {
			nul[i%2]++
		}
	}
	switch half := len(b) / 2; {
	case nul[1] == half && nul[0] == 0:
		return "UTF-16LE"
	case nul[0] == half && nul[1] == 0:
		return "UTF-16BE"
	}
	return ""
}

func invalidAt(text string) int {
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return len(text)
}

// trim removes blanks and invisible characters at both ends.
func trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || invisible(r) })
}

// invisible reports whether a character has no width and no ink: zero-width
// spaces and joiners, soft hyphens, marks of direction, byte order marks.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' ||
		unicode.Is(unicode.Variation_Selector, r)
}
