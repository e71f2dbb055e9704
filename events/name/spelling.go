package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"apitoken/events/secret"
)

// The profiles UsernameCasePreserved and UsernameCaseMapped of RFC 8265. The
// package precis has them too, but applies the Bidi Rule also to names without
// right-to-left letters, so it refuses "5étoiles" (golang/go#17383).
var (
	casePreserved = precis.NewIdentifier(precis.FoldWidth, precis.Disallow(overlays))
	caseMapped    = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(), precis.Disallow(overlays))
)

// folded is Unicode's full case folding. Lower case alone would leave two users
// for one name: the lower case of ΝΙΚΟΣ ends in another sigma than νικος has, and
// the lower case of STRASSE is not straße.
var folded = cases.Fold()

// atomic replaces letters of Malayalam and Bengali in their old spelling, with a
// virama and a joiner, by their characters of today (The Unicode Standard,
// sections 12.2 and 12.9, "Bengali khanda ta", "chillu characters").
var atomic = strings.NewReplacer(
	"\u09a4\u09cd\u200d", "\u09ce",
	"\u0d23\u0d4d\u200d", "\u0d7a", "\u0d28\u0d4d\u200d", "\u0d7b", "\u0d30\u0d4d\u200d", "\u0d7c",
	"\u0d32\u0d4d\u200d", "\u0d7d", "\u0d33\u0d4d\u200d", "\u0d7e", "\u0d15\u0d4d\u200d", "\u0d7f",
)

// spelling returns the one spelling of a user's name. With anyCase it is the same
// for all cases of the letters. A refusal names the wrong character and what is
// allowed.
func spelling(name string, anyCase bool) (string, error) {
	if !utf8.ValidString(name) {
		return "", invalid(fieldUser, "the user's name is not valid UTF-8; only UTF-8 is allowed")
	}
	words := strings.Split(name, " ")
	for i, word := range words {
		if word == "" {
			return "", invalid(fieldUser, "the user's name %s has U+0020, a space, at its beginning or end, or twice in a row; %s", secret.Quote(name), nameForms)
		}
		var err error
		if words[i], err = spellWord(word, anyCase); err != nil {
			return "", err
		}
	}
	return strings.Join(words, " "), checkDirection(words)
}

// spellWord returns the one spelling of a userpart (RFC 8265 section 3.1).
func spellWord(given string, anyCase bool) (string, error) {
	profile, word := casePreserved, atomic.Replace(mapped(given))
	if err := checkCharacters(given, word); err != nil {
		return "", err
	}
	if anyCase {
		profile, word = caseMapped, norm.NFC.String(folded.String(word))
	}
	spelled, err := profile.String(withoutHiddenDots(word))
	if err != nil {
		return "", misplaced(given, word, strings.IndexFunc(word, contextual))
	}
	return spelled, checkPlaces(given, spelled)
}

// mapped has the mappings that both profiles begin with: width, then NFC.
func mapped(text string) string { return norm.NFC.String(width.Fold.String(text)) }

// withoutHiddenDots removes the mark U+0307, a dot above, from letters that have a
// dot already, such as i and j, because there it does not show. (The lower case of
// U+0130, the capital I with a dot, has this mark.) A dotless letter with the mark
// becomes the letter with a dot.
func withoutHiddenDots(word string) string {
	const above = 230 // the combining class of marks above a letter
	var kept []rune
	letter := -1 // index of the letter that a dot would be above
	for _, r := range word {
		if r == '\u0307' && letter >= 0 && unicode.Is(unicode.Soft_Dotted, dotted(kept[letter])) {
			kept[letter] = dotted(kept[letter])
			continue
		}
		switch class := norm.NFC.PropertiesString(string(r)).CCC(); {
		case class == 0:
			letter = len(kept)
		case class >= above:
			letter = -1
		}
		kept = append(kept, r)
	}
	return norm.NFC.String(string(kept))
}

// dotted returns a dotless letter with its dot, and any other letter unchanged.
func dotted(letter rune) rune {
	switch letter {
	case '\u0131':
		return 'i'
	case '\u0237':
		return 'j'
	}
	return letter
}
