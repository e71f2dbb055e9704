package name

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// TestSpellingsThatReadAlikeAreOneUser: each row has spellings of one name. All of
// them have the key of the first.
func TestSpellingsThatReadAlikeAreOneUser(t *testing.T) {
	for _, row := range [][]string{
		{"jos\u00e9", "jose\u0301"},
		{"\u1ea5n", "\u00e2\u0301n", "a\u0302\u0301n"},                       // two marks above
		{"\u1e69", "s\u0323\u0307", "s\u0307\u0323", "\u1e61\u0323"},         // marks in another order
		{"\u00c5ngstr\u00f6m", "\u212bngstr\u00f6m", "A\u030angstro\u0308m"}, // the sign of the unit
		{"Kelvin", "\u212aelvin"},
		{"\u03a9mega", "\u2126mega"},
		{"anna", "\uff41\uff4e\uff4e\uff41", "a\uff4ena"},              // full width
		{"ann@corp", "ann\uff20corp"},                                  // full-width punctuation
		{"\u30a2\u30fc", "\uff71\uff70"},                               // half-width Katakana
		{"\u30ac", "\u30ab\u3099", "\uff76\uff9e"},                     // with a voiced sound mark
		{"\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af"},       // Hangul syllables and their jamo
		{"\u0623\u062d\u0645\u062f", "\u0627\u0654\u062d\u0645\u062f"}, // Arabic with a hamza
		{"\u05e9\u05c1\u05dc\u05d5\u05dd", "\ufb2a\u05dc\u05d5\u05dd"}, // Hebrew: shin with its dot
		{"\u0915\u093c", "\u0958"},                                     // Devanagari: ka with a nukta
		{"i", "i\u0307", "\u0131\u0307"},                               // a dot above a dot
		{"\u1ecb", "i\u0323\u0307", "i\u0307\u0323"},
		{"\u012fvas", "i\u0328\u0307vas"},
		{"\u0456van", "\u0456\u0307van"}, // Cyrillic i
		{"j", "j\u0307", "\u0237\u0307"},
		{"\u00ed", "i\u0301", "i\u0307\u0301"},
		{"\u0d05\u0d30\u0d41\u0d7a", "\u0d05\u0d30\u0d41\u0d23\u0d4d\u200d"}, // Malayalam: a chillu letter
		{"\u09ce", "\u09a4\u09cd\u200d"},                                     // Bengali: khanda ta
	} {
		for _, name := range row {
			for prefix, domain := range map[string]string{"": "", "local:": "", "ldap_user:": "POSIX_USER:"} {
				if got := keyOf(t, prefix+name); got != domain+row[0] {
					t.Errorf("%+q: got %+q, want %+q", prefix+name, got, domain+row[0])
				}
			}
			if got, want := keyOf(t, "ad:"+name), keyOf(t, "ad:"+row[0]); got != want {
				t.Errorf("ad:%+q: got %+q, want %+q", name, got, want)
			}
		}
	}
}

func keyOf(t testing.TB, text string) string {
	t.Helper()
	i, err := ParseIdentity(text)
	if err != nil {
		t.Fatalf("%+q: %v", text, err)
	}
	key, err := i.Key()
	if err != nil {
		t.Fatalf("%+q: %v", text, err)
	}
	return key
}

func TestCasesOfADirectoryAreOneUser(t *testing.T) {
	for _, row := range [][]string{
		{"bob", "Bob", "BOB", "bOB", "\uff22ob"},
		{"jos\u00e9", "JOS\u00c9", "JOSE\u0301"},
		{"\u03bd\u03b9\u03ba\u03bf\u03c3", "\u039d\u0399\u039a\u039f\u03a3", "\u03bd\u03b9\u03ba\u03bf\u03c2"}, // Greek final sigma
		{"strasse", "stra\u00dfe", "STRASSE", "STRA\u1e9eE"},                                                   // sharp s
		{"ibrahim", "IBRAHIM", "\u0130brahim", "I\u0307brahim", "i\u0307brahim"},                               // capital I with a dot
		{"\u0438\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d"},
		{"\u0561\u0576\u0578\u0582\u0577", "\u0531\u0546\u0548\u0552\u0547"},
		{"\uab70", "\u13a0"},
		{"jane doe", "Jane Doe", "JANE DOE"},
		{"l\u00b7l", "L\u00b7L"},
		{`corp\ann`, `CORP\Ann`},
	} {
		for _, name := range row {
			if got, want := keyOf(t, "ad:"+name), "ACTIVE_DIRECTORY:"+row[0]; got != want {
				t.Errorf("%+q: got %+q, want %+q", name, got, want)
			}
		}
	}
}

// TestNamesThatReadDifferentlyAreDifferentUsers has names that are easy to confuse,
// and that RFC 8265 keeps apart. The README says so.
func TestNamesThatReadDifferentlyAreDifferentUsers(t *testing.T) {
	for _, row := range [][]string{
		{"Bob", "bob"},
		{"ldap_user:Bob", "ldap_user:bob"},
		{"jose", "jos\u00e9"},
		{"ann", "\u0430nn"},                                // Latin and Cyrillic a
		{"A", "\u0391", "\u0410"},                          // Latin, Greek, Cyrillic
		{"fussball", "fu\u00dfball"},                       // RFC 8265 section 3.5
		{"\u03c3", "\u03c2"},                               // RFC 8265 section 3.5
		{"ad:\u0131lgaz", "ad:ilgaz"},                      // the dotless i of Turkish is another letter
		{"\u0130", "I"},                                    // a dot above a capital shows
		{"\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"}, // the non-joiner shows
		{"bob", "ad:bob", "ldap_user:bob"},
		{"janedoe", "jane doe"},
	} {
		keys := map[string]string{}
		for _, name := range row {
			key := keyOf(t, name)
			if other, found := keys[key]; found {
				t.Errorf("%+q and %+q have one key, %+q", other, name, key)
			}
			keys[key] = name
		}
	}
}

// TestSpellingsOfALanguageAreAllowed has names in many scripts, also with the
// invisible characters that a spelling needs. Each is its own key.
func TestSpellingsOfALanguageAreAllowed(t *testing.T) {
	for _, name := range []string{
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", // Persian: a non-joiner after yeh
		"\u0915\u094d\u200d\u0937",                         // Hindi: a joiner between consonants
		"\u0915\u094d\u200c\u0937",                         // Hindi: a non-joiner between consonants
		"\u0dc1\u0dca\u200d\u0dbb\u0dd3",                   // Sinhala: "Sri" needs a joiner
		"\u0930\u094d\u200d\u092f",                         // Marathi: the eyelash form
		"l\u00b7l",                                         // Catalan
		"\u05e6\u05f3\u05e8\u05e0\u05d9",                   // Hebrew with a geresh
		"\u30b8\u30e7\u30f3\u30fb\u30b9\u30df\u30b9",       // Katakana with a middle dot
		"\u0645\u062d\u0645\u062f", "\u0645\u062d\u0645\u062f1", "\u0645\u062d\u0645\u062f \u0639\u0644\u064a", "\u0645\u062d\u0645\u062f\u0661\u0662",
		"\u05d3\u05d5\u05d3 \u05db\u05d4\u05df", "\u674e\u5c0f\u9f99", "\u5c71\u7530 \u592a\u90ce", "\uae40\ucca0\uc218",
		"Nguy\u1ec5n V\u0103n An", "\u0130lker I\u015f\u0131k", "O'Brien", "d'Arc", "Jean-Luc", "J\u00f8rgen \u00c6rlig", "\u0141ukasz",
		"5\u00e9toiles", "m\u00fcller_", "m\u00fcller!", "(\u00e9)", "\u00e91", // golang/go#17383
		"\u0baa\u0bbe\u0bb0\u0ba4\u0bbf", "\u0e2a\u0e21\u0e0a\u0e32\u0e22", "\u1798\u17c9\u17b6", "\u10d2\u10d8\u10dd\u10e0\u10d2\u10d8",
		"1und1", "ann@example.org", "a/b", `AD\ann`, "cn=a:b,dc=x", "AUTH.user-1_2+3",
	} {
		if got := keyOf(t, "local:"+name); got != name {
			t.Errorf("%+q: got the key %+q", name, got)
		}
	}
}

// TestCharactersThatNoNameNeedsAreRefused: the refusal names the character and what
// is allowed.
func TestCharactersThatNoNameNeedsAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"an\u200bn": "U+200B, an invisible character", "an\u2060n": "U+2060, an invisible character", "\ufeffann": "U+FEFF, an invisible character",
		"an\u00adn": "U+00AD, an invisible character", "an\u180en": "U+180E, an invisible character", "an\u034fn": "U+034F, an invisible character",
		"an\ufe0fn": "U+FE0F, an invisible character", "an\u3164n": "U+3164, an invisible character", "an\uffa0n": "U+FFA0, an invisible character",
		"an\u115fn": "U+115F, an invisible character", "an\u2063n": "U+2063, an invisible character", "an\U000e0061n": "U+E0061, an invisible character",
		"an\u200en": "U+200E, an invisible character", "an\u061cn": "U+061C, an invisible character", "an\u17b4n": "U+17B4, an invisible character",
		"an\u202en": "U+202E, a character that changes the direction of text", "an\u2066n": "U+2066, a character that changes the direction of text",
		"an\nn": "U+000A, a control character", "an\tn": "U+0009, a control character", "an\x00n": "U+0000, a control character",
		"an\x7fn": "U+007F, a control character", "an\u0085n": "U+0085, a control character", "an\x1b[0mn": "U+001B, a control character",
		"an\u2028n": "U+2028, a line separator", "an\u2029n": "U+2029, a line separator",
		"an\u00a0n": "U+00A0, a space that is not U+0020", "an\u3000n": "U+3000, a space that is not U+0020", "an\u2003n": "U+2003, a space that is not U+0020",
		"an\u202fn": "U+202F, a space that is not U+0020", "an\u1680n": "U+1680, a space that is not U+0020",
		" ann": "U+0020, a space, at its beginning or end", "ann ": "U+0020, a space, at its beginning or end", "an  n": "or twice in a row",
		"\U0001f600": "U+1F600, a symbol", "ann\u2122": "U+2122, a symbol", "\u20acuro": "U+20AC, a symbol", "ann\u2800": "U+2800, a symbol", "an\ufffdn": "U+FFFD, the character that replaces unreadable text",
		"\ufb01n": "U+FB01, another form of other characters", "\ufe91": "U+FE91, another form of other characters", "\ufdfa": "U+FDFA, another form of other characters",
		"\u2460": "U+2460, another form of other characters", "\u017fusan": "U+017F, another form of other characters", "\U0001d44e": "U+1D44E, another form of other characters",
		"x\u00b2": "U+00B2, another form of other characters", "\u01c6": "U+01C6, another form of other characters", "\u1d43": "U+1D43, another form of other characters",
		"an\u2019n": "U+2019, a punctuation mark that is not in ASCII", "an\u2014n": "U+2014, a punctuation mark that is not in ASCII", "\u00bfann": "U+00BF, a punctuation mark that is not in ASCII",
		"\u0640ann": "U+0640, a character that no name needs", "\u1112": "U+1112, a character that no name needs", "\u0378": "U+0378, a character that no name needs", "\ue000": "U+E000, a character that no name needs",
		"o\u0338": "U+0338, a mark that draws a stroke", "d\u0335": "U+0335, a mark that draws a stroke", "t\u0322": "U+0322, a mark that draws a stroke",
		"ann \u0301": "begins with U+0301, a mark", "\u0301ann": "begins with U+0301, a mark",
		"a\u200cb": "U+200C at a place where it is not allowed", "a\u200d": "U+200D at a place where it is not allowed", "\u0915\u094d\u200c": "U+200C at a place where it is not allowed",
		"\u0915\u094d\u200d": "U+200D at a place where it is not allowed", "\u0ba9\u0bcd\u200c": "U+200C at a place where it is not allowed", "\u0915\u094d\u200c\u200c\u0937": "U+200C at a place where it is not allowed",
		"\u0645\u200c": "U+200C at a place where it is not allowed", "a\u00b7b": "U+00B7 at a place where it is not allowed", "\u0661\u06f1": "U+0661 at a place where it is not allowed", "\u0645\u0661\u06f1": "U+0661 at a place where it is not allowed",
		"ann\u0645\u062d": "mixes directions", "\u0645\u062dann": "mixes directions", "ann \u0645\u062d\u0645\u062f": "mixes directions", "\u0645\u062d\u0645\u062f ann": "mixes directions",
		"5 \u0645\u062d": "mixes directions", "\u0645\u062d 5\u0645\u062d": "mixes directions", "\u0645\u062d- \u0645\u062d": "mixes directions", "1\u0645\u062d": "mixes directions",
		"an\xffn": "not valid UTF-8",
	} {
		for _, prefix := range []string{"local:", "ad:", "ldap_user:"} {
			i, err := ParseIdentity(prefix + name)
			if err == nil {
				_, err = i.Key()
			}
			if err == nil {
				t.Errorf("%s%+q is accepted", prefix, name)
				continue
			}
			if r := refusal(t, err); r.Field != "user" || !strings.Contains(r.Detail, want) || !ascii(r.Detail) {
				t.Errorf("%s%+q: got %q, want a detail with %q", prefix, name, r.Detail, want)
			}
		}
	}
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// TestAllowedCharactersShow walks through Unicode: no allowed character is
// invisible, a blank or a symbol outside of ASCII, and the key of a key is the key.
func TestAllowedCharactersShow(t *testing.T) {
	allowed := 0
	for r := range characters {
		for _, anyCase := range []bool{false, true} {
			key, err := spelling("x"+string(r), anyCase)
			if err != nil {
				key, err = spelling(string(r), anyCase)
			}
			if err != nil {
				continue
			}
			allowed++
			if again, err := spelling(key, anyCase); again != key || err != nil {
				t.Errorf("%U: the key %+q has the key %+q, %v", r, key, again, err)
			}
			for _, k := range key {
				if blank(k) || unicode.Is(unicode.C, k) || k > '~' && unicode.IsSymbol(k) && k != '\u06fd' && k != '\u06fe' {
					t.Errorf("%U: the key %+q has %U, %s", r, key, k, describe(k))
				}
			}
		}
	}
	if allowed < 50_000 {
		t.Errorf("only %d characters are allowed", allowed)
	}
}

// characters are the characters that Unicode has, without private ones and without
// the 90,000 ideographs that NFC leaves unchanged.
func characters(yield func(rune) bool) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		assigned := unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf)
		ideograph := unicode.Is(unicode.Han, r) && norm.NFC.IsNormalString(string(r))
		if assigned && !ideograph && !yield(r) {
			return
		}
	}
}

// TestOneCharacterInEveryCaseIsOneDirectoryUser walks through Unicode. A form may be
// refused, like Greek title-case letters. The dotless i is the one exception: its
// upper case is that of another letter, i.
func TestOneCharacterInEveryCaseIsOneDirectoryUser(t *testing.T) {
	for r := range characters {
		key, err := spelling(string(r), true)
		if err != nil || r == '\u0131' {
			continue
		}
		for _, other := range []string{strings.ToUpper(string(r)), strings.ToLower(string(r)), strings.ToTitle(string(r))} {
			if got, err := spelling(other, true); err == nil && got != key {
				t.Errorf("%U has the key %+q, and %+q has %+q", r, key, other, got)
			}
		}
	}
}

// visible is what a reader sees of a text: without invisible characters, and without
// differences of width, compatibility forms and order of marks.
func visible(text string) string {
	shown := strings.Map(func(r rune) rune {
		if invisible(r) && r != nonJoiner && r != joiner || unicode.IsControl(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(text))
	return norm.NFC.String(strings.Join(strings.Fields(shown), " "))
}

// FuzzSpelling: the key of a key is the key. Changes that no reader sees give the
// same key or a refusal.
func FuzzSpelling(f *testing.F) {
	for _, seed := range []string{"ann", "jos\u00e9", "jose\u0301", "Jane Doe", "i\u0307\u0323", "\u0130", "\u03bd\u03b9\u03ba\u03bf\u03c2", "stra\u00dfe", "\u0645\u06cc\u200c\u062e", "\u0915\u094d\u200d\u0937", "\u1112\u1161\u11ab", "\uff41", "\ufb01", "an\u00adn", "\u0d28\u0d4d\u200d\u0d2e", "\u0661\u0662", "L\u00b7L", "\u13a0", "\u0345\u03b1"} {
		f.Add(seed, seed, uint8(1))
		f.Add(seed, "\u200b", uint8(2))
		f.Add(seed, "\u0307", uint8(0))
	}
	f.Fuzz(func(t *testing.T, a, b string, at uint8) {
		cut := min(int(at), len(a))
		others := []string{b, a[:cut] + b + a[cut:], norm.NFD.String(a), norm.NFC.String(a), width.Widen.String(a), width.Narrow.String(a), visible(a)}
		for _, anyCase := range []bool{false, true} {
			key, err := spelling(a, anyCase)
			if err != nil {
				refusal(t, err)
				continue
			}
			if again, err := spelling(key, anyCase); again != key || err != nil {
				t.Errorf("%+q has the key %+q, and this key has the key %+q, %v", a, key, again, err)
			}
			if anyCase {
				others = append(others, strings.ToLower(a))
			}
			for _, other := range others {
				got, err := spelling(other, anyCase)
				if err == nil && got != key && same(a, other, anyCase) {
					t.Errorf("%+q has the key %+q, and %+q, which reads alike, has %+q", a, key, other, got)
				}
			}
		}
	})
}

func same(a, b string, anyCase bool) bool {
	a, b = visible(a), visible(b)
	return a == b || anyCase && strings.EqualFold(a, b)
}
