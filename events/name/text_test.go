package name

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTextsOfTokensAreAllowed(t *testing.T) {
	for _, text := range []string{
		"", "laptop", "a b", " a ", "CI/CD \u2014 \u201cnightly\u201d", "\U0001f600", "\U0001f469\u200d\U0001f4bb", "\u2764\ufe0f",
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u05d0\u200fb\u200e", "jose\u0301", "\ufb01n", "a\u00a0b", "x\u200b", strings.Repeat("d", 512),
	} {
		if err := CheckText("description", text, 512); err != nil {
			t.Errorf("%+q: %v", text, err)
		}
	}
}

// TestTextsThatForgeOtherTextsAreRefused: the refusal names the character and what is
// allowed.
func TestTextsThatForgeOtherTextsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb": "has U+000A, a control character; allowed: all characters except", "a\tb": "has U+0009", "a\rb": "has U+000D", "\x00": "has U+0000", "a\x7f": "has U+007F",
		"a\x1b[31mb": "has U+001B", "a\u0085b": "has U+0085, a control character", "a\u009bb": "has U+009B, a control character",
		"a\u2028b": "has U+2028, a line separator", "a\u2029b": "has U+2029, a line separator",
		"a\u202ab": "has U+202A, a character that changes the direction of text", "a\u202bb": "has U+202B", "a\u202cb": "has U+202C", "a\u202db": "has U+202D", "a\u202eb": "has U+202E",
		"a\u2066b": "has U+2066, a character that changes the direction of text", "a\u2067b": "has U+2067", "a\u2068b": "has U+2068", "a\u2069b": "has U+2069",
		"a\ufffdb": "has U+FFFD, the character that replaces unreadable text", "a\xffb": "is not valid UTF-8", "\xed\xa0\x80": "is not valid UTF-8",
		" ": "has only blanks, like U+0020; allowed: at least one visible character, or no text", "   ": "only blanks", "\u00a0": "only blanks, like U+00A0", "\u3000\u2003": "only blanks", "\u200b": "only blanks", "\ufeff ": "only blanks",
		"\u3164": "only blanks, like U+3164", "\u2800": "only blanks, like U+2800", "\u200d\ufe0f": "only blanks", "\u00ad": "only blanks", "\u115f\u1160": "only blanks", "\U000e0020": "only blanks",
		strings.Repeat("d", 513): "has 513 bytes; at most 512 are allowed",
	} {
		r := refusal(t, CheckText("description", text, 512))
		if r.Field != "description" || !strings.Contains(r.Detail, want) || !ascii(r.Detail) {
			t.Errorf("%.20q: got %s: %q, want a detail with %q", text, r.Field, r.Detail, want)
		}
	}
}

func FuzzCheckText(f *testing.F) {
	f.Add("laptop")
	f.Add("a\u202eb")
	f.Add(" \u3164")
	f.Fuzz(func(t *testing.T, text string) {
		if err := CheckText("name", text, 128); err != nil {
			if r := refusal(t, err); r.Field != "name" || !ascii(r.Detail) {
				t.Errorf("%+q: got %+v", text, r)
			}
			return
		}
		shown := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cc, r) || r == '\u202e' || r == '\u2028' {
				t.Errorf("%+q is accepted with %U", text, r)
			}
			return r
		}, text)
		if len(text) > 128 || !utf8.ValidString(text) || text != "" && strings.TrimSpace(shown) == "" {
			t.Errorf("%+q is accepted", text)
		}
	})
}
