package secret

import (
	"strconv"
	"unicode/utf8"
)

const (
	quotedBytes = 20 // of a refused text
	plainRun    = 12 // a longer run of letters and digits may be a part of a secret
	quotedRun   = 4  // characters that Quote shows of such a run
)

// Quote returns the beginning of a text in quotes, in plain ASCII, for an error
// that refuses the text: at most 20 bytes, and "..." if there are more. People
// paste tokens into every field. So Quote stops after the dot of a token id,
// and after four characters of a run of more than 12 letters and digits. A number,
// with one letter as its unit or without one, is no secret.
func Quote(text string) string { return quote(text, quotedBytes) }

// QuoteWhole is like Quote, but has no limit of 20 bytes. It is for a text that
// the caller shall send in place of the refused one.
func QuoteWhole(text string) string { return quote(text, len(text)) }

func quote(text string, most int) string {
	n := min(harmless(text), most)
	if n >= len(text) {
		return strconv.QuoteToASCII(text)
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strconv.QuoteToASCII(text[:n]) + "..."
}

// harmless is the length of the beginning of the text that has no part of a
// secret.
func harmless(text string) int {
	start := 0 // of the run of letters and digits before i
	for i := range len(text) + 1 {
		if i < len(text) && alphanumeric(text[i:i+1]) {
			continue
		}
		switch {
		case i-start > plainRun && !numeric(text[start:i-1]):
			return start + quotedRun
		case i-start >= idLen && i < len(text) && text[i] == '.':
			return i + 1
		}
		start = i + 1
	}
	return len(text)
}

func numeric(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
