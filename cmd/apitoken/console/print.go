package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PrintJSON prints a value as JSON. The service's texts reach a terminal, so
// unprintable characters are escaped. A reader of the JSON gets the same texts.
func PrintJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(EscapeJSON(b.Bytes()))
	return err
}

// EscapeJSON escapes the unprintable characters of a JSON text that JSON itself
// allows: DEL, the control characters above U+007F, marks of direction, and bytes
// that are not UTF-8. In valid JSON they are only inside strings.
func EscapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case r < ' ' || printable(r):
			out = append(out, text[:size]...)
		default:
			out = appendEscape(out, r)
		}
		text = text[size:]
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	if r < 0x10000 {
		return fmt.Appendf(out, `\u%04x`, r)
	}
	r -= 0x10000
	return fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
}

// Plain replaces unprintable characters: a text of another user must not send
// control sequences to the terminal. It keeps the two joiners, U+200C and U+200D,
// which the spelling of some names needs.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if printable(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func printable(r rune) bool { return unicode.IsPrint(r) || r == '\u200c' || r == '\u200d' }
