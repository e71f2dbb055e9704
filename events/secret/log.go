package secret

import (
	"iter"
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
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if !plainSegment(s) || partOfToken(s) || longAfterID(s) {
			segments[i] = redactedPart
		}
	}
	return cut(strings.Join(segments, "/"), maxLogPath) // not earlier: the beginning of a secret looks like a name
}

// partOfToken reports whether a text may have a large part of a token: more than
// 12 letters and digits in a row that are no word and no name of a program, or
// such characters after the dot of an id.
func partOfToken(text string) bool {
	for run, afterID := range runs(text) {
		digits, capitals := count(run)
		switch {
		case len(run) > plainRun && len(run) > digits && (digits > 0 || capitals > 3):
			return true
		case afterID && len(run) >= shownAfterID && digits+capitals > 0:
			return true
		}
	}
	return false
}

// shownAfterID is the number of characters after the dot of an id that are too
// many for a log line.
const shownAfterID = 6

// longAfterID reports whether a text has many characters after what looks like an id
// and a dot. It finds tokens in another case too, and also long names with a dot.
func longAfterID(text string) bool {
	for run, afterID := range runs(text) {
		if afterID && len(run) >= shownAfterID {
			return true
		}
	}
	return false
}

// runs yields the longest runs of letters and digits, each with whether it comes
// after a dot and at least as many letters and digits as an id has.
func runs(text string) iter.Seq2[string, bool] {
	return func(yield func(run string, afterID bool) bool) {
		afterID := false
		for len(text) > 0 {
			end := strings.IndexFunc(text, func(r rune) bool { return !isAlphanumeric(r) })
			if end < 0 {
				end = len(text)
			}
			if !yield(text[:end], afterID) {
				return
			}
			afterID = end >= idLen && end < len(text) && text[end] == '.'
			text = text[min(end+1, len(text)):]
		}
	}
}

func count(run string) (digits, capitals int) {
	for i := range len(run) {
		switch {
		case run[i] <= '9':
			digits++
		case run[i] <= 'Z':
			capitals++
		}
	}
	return digits, capitals
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
