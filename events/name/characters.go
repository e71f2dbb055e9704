package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/unicode/bidi"

	"apitoken/events/secret"
)

const nameForms = "allowed: letters, marks and digits of all scripts, the visible characters of ASCII, and single spaces between words"

// overlays are the marks that draw a stroke or a hook at a letter. Letters that
// have one are characters of their own, like U+00F8, and no normalization makes
// "o" and U+0338 equal to them, although they look alike.
var overlays = runes.Predicate(func(r rune) bool {
	return '\u0334' <= r && r <= '\u0338' || r == '\u0321' || r == '\u0322'
})

// checkCharacters refuses a mapped word with a character that is not allowed at any
// place. The refusal names the character that the caller gave.
func checkCharacters(given, word string) error {
	allowed := casePreserved.Allowed()
	for _, r := range word {
		if allowed.Contains(r) || contextual(r) {
			continue
		}
		r = origin(given, r)
		return invalid(fieldUser, "the user's name %s has %U, %s; %s", secret.Quote(given), r, describe(r), nameForms)
	}
	return nil
}

// origin is the character of the given word that was mapped to r.
func origin(given string, r rune) rune {
	for _, g := range given {
		if strings.ContainsRune(mapped(string(g)), r) {
			return g
		}
	}
	return r
}

// contextual reports whether RFC 5892, appendix A, allows the character beside
// certain other characters only.
func contextual(r rune) bool {
	switch r {
	case '\u00b7', '\u0375', '\u05f3', '\u05f4', '\u30fb', nonJoiner, joiner:
		return true
	}
	return '\u0660' <= r && r <= '\u0669' || '\u06f0' <= r && r <= '\u06f9'
}

// The joiners: invisible characters that change how the letters beside them look.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// checkPlaces refuses a mark without a letter before it, because it would join the
// space, and a joiner without a letter after it, because nothing would show it
// (Unicode Standard Annex 31, section 2.3, A1, A2 and B). The profile has checked
// the letters before a joiner.
func checkPlaces(given, word string) error {
	if first, _ := utf8.DecodeRuneInString(word); unicode.IsMark(first) {
		return invalid(fieldUser, "the user's name %s has a word that begins with %U, a mark; a mark must follow a letter", secret.Quote(given), first)
	}
	for i, r := range word {
		after := strings.TrimLeftFunc(word[i+utf8.RuneLen(r):], func(r rune) bool { return unicode.Is(unicode.Mn, r) })
		if next, _ := utf8.DecodeRuneInString(after); (r == joiner || r == nonJoiner) && !unicode.IsLetter(next) {
			return misplaced(given, word, i)
		}
	}
	return nil
}

// misplaced is the refusal of the character at an index of the word.
func misplaced(given, word string, at int) error {
	r, _ := utf8.DecodeRuneInString(word[max(at, 0):])
	return invalid(fieldUser, "the user's name %s has %U at a place where it is not allowed; it is allowed only between the characters that need it (RFC 5892, appendix A)", secret.Quote(given), r)
}

// checkDirection applies the Bidi Rule (RFC 5893 section 2) to the words that have
// right-to-left letters. It also applies the rule to all words together: a program that
// begins a line in the direction of its first letter shows a Hebrew word before a
// Latin word and after a Latin word in the same order.
func checkDirection(words []string) error {
	together := strings.Join(words, "_") // the rule knows no spaces; "_" is as neutral
	for _, text := range append(words, together) {
		if bidirule.DirectionString(text) == bidi.RightToLeft && !bidirule.ValidString(text) {
			return invalid(fieldUser, "the user's name %s mixes directions; a name with right-to-left letters must begin with one, and its words must have no left-to-right letters and end in a letter or digit (RFC 5893)", secret.Quote(strings.Join(words, " ")))
		}
	}
	return nil
}
