package secret_test

import (
	"strings"
	"testing"

	"apitoken/events/secret"
)

func TestQuoteShowsTheBeginningOfARefusedText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `""`,
		"1.5D":                             `"1.5D"`,
		"192.0.2.300":                      `"192.0.2.300"`,
		"example.com":                      `"example.com"`,
		"99999999999Y":                     `"99999999999Y"`,
		"18446744073709551616":             `"18446744073709551616"`,
		"18446744073709551616000":          `"18446744073709551616"...`,
		"a\nb\x00":                         `"a\nb\x00"`,
		"jos\u00e9":                        `"jos\u00e9"`,
		strings.Repeat("\u00e9", 11):       `"` + strings.Repeat(`\u00e9`, 10) + `"...`,
		"a" + strings.Repeat("\u00e9", 11): `"a` + strings.Repeat(`\u00e9`, 9) + `"...`,
		"L7k8ljIC":                         `"L7k8ljIC"`,
		"L7k8ljIC." + plain:                `"L7k8ljIC."...`,
		"qt_L7k8ljIC." + plain:             `"qt_L7k8ljIC."...`,
		"7k8ljIC." + plain:                 `"7k8ljIC.jm1P"...`,
		"L7k8ljIC." + plain[:3]:            `"L7k8ljIC."...`,
		"local:L7k8ljIC." + plain:          `"local:L7k8ljIC."...`,
		plain:                              `"jm1P"...`,
		"GET /" + plain:                    `"GET /jm1P"...`,
		"\u200bL7k8ljIC\u200b." + plain:    `"\u200bL7k8ljIC\u200b.jm1P"...`,
		"L7k8ljIC\uff0e" + plain:           `"L7k8ljIC\uff0ejm1P"...`,
		"L7k8ljIC%2E" + plain:              `"L7k8ljIC%2Ejm"...`,
		"a word, then jm1P5Y0ONaJfUJhsl":   `"a word, then jm1P"...`,
	} {
		if got := secret.Quote(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	long := "ACTIVE_DIRECTORY:jane of a long name"
	if got := secret.QuoteWhole(long); got != `"`+long+`"` {
		t.Errorf("QuoteWhole: got %s", got)
	}
	if got := secret.QuoteWhole("local:L7k8ljIC." + plain); got != `"local:L7k8ljIC."...` {
		t.Errorf("QuoteWhole of a token: got %s", got)
	}
}

// FuzzQuoteRepeatsNoSecret hides a token in a text, whole or cut at both ends.
func FuzzQuoteRepeatsNoSecret(f *testing.F) {
	f.Add("", "", 0, 0)
	f.Add("local:", " end", 3, 2)
	f.Add("qt_", "", 0, 20)
	f.Add("12345678901", ".", 9, 0)
	f.Fuzz(func(t *testing.T, before, after string, left, right int) {
		token := secret.Mint("").Text().Reveal()
		if left < 0 || right < 0 || left > 9 || right > 19 {
			return // with less than 13 characters of the secret the text is no better than any short word
		}
		cut := token[left : len(token)-right]
		for _, got := range []string{secret.Quote(before + cut + after), secret.QuoteWhole(before + cut + after)} {
			if hidden := token[9+4 : len(token)-right]; strings.Contains(got, hidden[:5]) {
				t.Errorf("%q + %q + %q: got %s", before, cut, after, got)
			}
		}
	})
}
