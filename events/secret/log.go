package secret

import (
	"net/url"
	"strings"
	"unicode"
)

// Limits of texts in log lines, in bytes.
const (
	maxLogText = 128
	maxLogPath = 96
)

// redactedPart replaces a segment of a path that a log line must not have.
const redactedPart = "*"

// WithinEscaped is Within for a percent-encoded text, such as a path. It also looks
// at the decoded text, and at the text decoded more than once.
func WithinEscaped(text string) bool { return inAnyDecoding(text, Within) }

// maxEscapes is how often a text is decoded.
const maxEscapes = 4

func inAnyDecoding(text string, found func(string) bool) bool {
	for range maxEscapes {
		if found(text) {
			return true
		}
		decoded := unescape(text)
		if decoded == text {
			return false
		}
		text = decoded
	}
	return found(text)
}

// unescape decodes each valid escape and keeps the others as they are. A wrong
// escape beside a token must not hide the token.
func unescape(text string) string {
	first, rest, found := strings.Cut(text, "%")
	if !found {
		return text
	}
	var b strings.Builder
	b.WriteString(first)
	for part := range strings.SplitSeq(rest, "%") {
		if decoded, err := url.PathUnescape("%" + part); err == nil {
			b.WriteString(decoded)
		} else {
			b.WriteString("%" + part)
		}
	}
	return b.String()
}

// LogText returns a text of a client as a log line may have it, such as a user
// agent: at most 128 bytes, without unprintable characters, and "[redacted]" if it
// may contain a token or a large part of one.
func LogText(text string) string {
	if inAnyDecoding(text, func(t string) bool { return Within(t) || partOfToken(t) }) {
		return redacted
	}
	return cut(strings.Map(printable, text), maxLogText)
}

// LogPath returns a percent-encoded path as a log line may have it: without query,
// at most 96 bytes, and with "*" in place of each segment that is not a plain name
// or that may be a large part of a token. A path with a whole token is
// "[redacted]".
func LogPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if WithinEscaped(path) {
		return redacted
	}
	segments := strings.Split(cut(path, maxLogPath), "/")
	for i, s := range segments {
		if !plainSegment(s) || partOfToken(s) {
			segments[i] = redactedPart
		}
	}
	return strings.Join(segments, "/")
}

// partOfToken reports whether a text may have a large part of a token: a dot
// between 8 characters of an id and 8 of a secret, or 26 characters in a row, as
// many as a secret has before its checksum. A part with lower-case letters only is
// a word: a random part is not.
func partOfToken(text string) bool {
	last := 0 // the length of the run before the last dot
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(r rune) bool { return !isAlphanumeric(r) })
		if end < 0 {
			end = len(text)
		}
		run := text[:end]
		if random := strings.ContainsFunc(run, func(r rune) bool { return r < 'a' }); random && (end >= randomLen || last >= idLen && end >= 8) {
			return true
		}
		last = 0
		if end < len(text) && text[end] == '.' {
			last = end
		}
		text = text[min(end+1, len(text)):]
	}
	return false
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
}

func plainSegment(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._~-", r) })
}

// printable replaces characters that a log line must not have, such as line
// breaks and control sequences of a terminal.
func printable(r rune) rune {
	if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// cut returns at most limit bytes of a text. It does not cut a character.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := 0
	for i := range text {
		if i > limit {
			break
		}
		end = i
	}
	return text[:end]
}
