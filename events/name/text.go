package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const textForms = "allowed: all characters except control characters, line separators and characters that change the direction of text"

// CheckText refuses a token's name or description that is too long (most is in
// bytes), that is not UTF-8, or that has a character which forges another text in
// a log, a terminal or a page: control characters, line separators, and
// characters that override the direction of text. It also refuses U+FFFD, which
// a decoder writes for a character that it cannot read, and a text of blanks
// only. The text may be empty. The refusal is invalid_field on the field.
func CheckText(field, text string, most int) error {
	switch {
	case len(text) > most:
		return invalid(field, "the %s has %d bytes; at most %d are allowed", field, len(text), most)
	case !utf8.ValidString(text):
		return invalid(field, "the %s is not valid UTF-8; only UTF-8 is allowed", field)
	}
	for _, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) || separatesLines(r) || overridesDirection(r) {
			return invalid(field, "the %s has %U, %s; %s", field, r, describe(r), textForms)
		}
	}
	if text != "" && strings.TrimFunc(text, blank) == "" {
		r, _ := utf8.DecodeRuneInString(text)
		return invalid(field, "the %s has only blanks, like %U; allowed: at least one visible character, or no text", field, r)
	}
	return nil
}

// separatesLines reports whether the character ends a line (Unicode categories Zl
// and Zp). The other line breaks are control characters.
func separatesLines(r rune) bool { return r == '\u2028' || r == '\u2029' }

// overridesDirection reports whether the character embeds, overrides or isolates
// the direction of the text after it (Unicode Standard Annex 9, section 2). The
// marks U+200E, U+200F and U+061C are no such characters.
func overridesDirection(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// blank reports whether the character shows nothing by itself. U+2800 is the
// pattern of Braille without dots.
func blank(r rune) bool {
	return unicode.IsSpace(r) || invisible(r) || r == '\u2800'
}

// invisible reports whether a program shows nothing for the character, unless it
// changes the characters beside it.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// describe names the kind of a refused character for people.
func describe(r rune) string {
	switch {
	case r == utf8.RuneError:
		return "the character that replaces unreadable text"
	case unicode.IsControl(r):
		return "a control character"
	case separatesLines(r):
		return "a line separator"
	case overridesDirection(r):
		return "a character that changes the direction of text"
	case unicode.IsSpace(r):
		return "a space that is not U+0020"
	case invisible(r):
		return "an invisible character"
	case overlays.Contains(r):
		return "a mark that draws a stroke or a hook; give the letter that has it"
	case unicode.IsSymbol(r):
		return "a symbol"
	case norm.NFKC.String(string(r)) != string(r):
		return "another form of other characters"
	case unicode.IsPunct(r):
		return "a punctuation mark that is not in ASCII"
	}
	return "a character that no name needs, or that Unicode does not have yet"
}
