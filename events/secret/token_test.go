package secret_test

import (
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/secret"
)

// vectors are the published examples of valid tokens.
var vectors = []string{
	"JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F",
	"L7k8ljIC.jm1P5Y0ONaJfUJhslJbAjRAyr93rz5Fj",
	"00000000.000000000000000000000000002uutdl",
	"zzzzzzzz.zzzzzzzzzzzzzzzzzzzzzzzzzz4N66v1",
}

func TestVectorsParse(t *testing.T) {
	for _, text := range vectors {
		for _, prefix := range []string{"", "acme", "0123456789abcdef"} {
			whole := text
			if prefix != "" {
				whole = prefix + "_" + text
			}
			got, err := secret.Parse(whole)
			if err != nil || got.Prefix != prefix || got.ID != text[:8] || got.Secret.Reveal() != text[9:] || got.Text().Reveal() != whole {
				t.Errorf("%s: got %s %s, %v", whole, got.Prefix, got.ID, err)
			}
		}
	}
}

func TestOtherTextsAreNotTokens(t *testing.T) {
	good := vectors[0]
	for name, text := range map[string]string{
		"nothing":              "",
		"cut at the end":       good[:40],
		"cut at the beginning": good[1:],
		"longer":               good + "0",
		"a space before":       " " + good,
		"a newline after":      good + "\n",
		"no dot":               strings.Replace(good, ".", "0", 1),
		"another dot":          good[:20] + "." + good[21:],
		"a - in the id":        "-" + good[1:],
		"a - in the secret":    good[:40] + "-",
		"not ASCII":            "ä" + good[2:],
		"an empty prefix":      "_" + good,
		"a capital prefix":     "Acme_" + good,
		"a long prefix":        "0123456789abcdefg_" + good,
		"two prefixes":         "a_b_" + good,
		"a prefix without _":   "acme" + good,
	} {
		if _, err := secret.Parse(text); err != secret.ErrMalformed {
			t.Errorf("%s: got %v, want ErrMalformed itself", name, err)
		}
	}
}

func TestATokenIsFoundAnywhereInAText(t *testing.T) {
	good := vectors[0]
	for _, text := range []string{good, "acme_" + good, "my " + good, good + "x", "x" + good, "a.b." + good + ".c", "GET /" + good + "/*"} {
		if !secret.Within(text) {
			t.Errorf("%q: got no token within it", text)
		}
	}
	for _, text := range []string{"", ".", good[:40], good[1:], good[:8], strings.Repeat(".", 100), good[:40] + "0", strings.Replace(good, ".", ",", 1)} {
		if secret.Within(text) {
			t.Errorf("%q: got a token within it", text)
		}
	}
}

func TestIDsHaveOneForm(t *testing.T) {
	for text, want := range map[string]bool{
		"JhxND7ci": true, "00000000": true, "": false, "JhxND7c": false, "JhxND7ci0": false, "JhxND7c.": false, "JhxND7c\n": false, "Jhx%447c": false, vectors[0]: false,
	} {
		if got := secret.IsID(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestTheChecksumFindsEveryWrongCharacter(t *testing.T) {
	for _, text := range vectors {
		for at := range text {
			if text[at] == '.' {
				continue
			}
			wrong := []byte(text)
			wrong[at] = "xy"[min(1, int(text[at]&1))]
			if string(wrong) == text {
				wrong[at] = 'A'
			}
			if _, err := secret.Parse(string(wrong)); err != secret.ErrChecksum {
				t.Errorf("%s: got %v, want ErrChecksum itself", wrong, err)
			}
		}
	}
}

// TestTheChecksumIsCRC32InBase62 reads the checksum as a number in base 62 and
// compares it with the result of hash/crc32.
func TestTheChecksumIsCRC32InBase62(t *testing.T) {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for range 200 {
		text := secret.Mint("").Text().Reveal()
		n := uint64(0)
		for _, c := range text[35:] {
			n = n*62 + uint64(strings.IndexRune(digits, c))
		}
		if want := uint64(crc32.ChecksumIEEE([]byte(text[:35]))); n != want {
			t.Fatalf("%s: the checksum says %d, want %d", text, n, want)
		}
	}
}

func TestMintedTokensParseAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	counts := map[rune]int{}
	for range 2000 {
		minted := secret.Mint("acme")
		parsed, err := secret.Parse(minted.Text().Reveal())
		if err != nil || parsed.ID != minted.ID || parsed.Prefix != "acme" || parsed.Secret.Reveal() != minted.Secret.Reveal() {
			t.Fatalf("a minted token does not parse: %v", err)
		}
		if seen[minted.ID] || seen[minted.Secret.Reveal()] {
			t.Fatal("a token was minted twice")
		}
		seen[minted.ID], seen[minted.Secret.Reveal()] = true, true
		for _, c := range minted.ID + minted.Secret.Reveal()[:26] {
			counts[c]++
		}
	}
	// 68,000 characters, 1096.8 of each kind on average, standard deviation 33.
	// The bounds are six standard deviations away: one false alarm in ten million
	// runs. Bytes modulo 62 would give each of the first 8 characters 1328 times.
	for c, n := range counts {
		if n < 899 || n > 1295 {
			t.Errorf("%c was drawn %d times, want about 1097", c, n)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d different characters were drawn, want 62", len(counts))
	}
}

func TestPrefixes(t *testing.T) {
	for _, good := range []string{"", "a", "0", "acme2", "0123456789abcdef"} {
		if err := secret.ValidPrefix(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"A", "a_b", "a-b", "ä", " ", "0123456789abcdefg"} {
		if secret.ValidPrefix(bad) == nil {
			t.Errorf("the prefix %q passes", bad)
		}
	}
}

func keys(t testing.TB, text string) events.Keys {
	t.Helper()
	k, err := events.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pepper(kid string) string {
	return kid + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(kid, 32)[:32]))
}

func parse(t testing.TB, text string) secret.Token {
	t.Helper()
	token, err := secret.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAVerifierVerifiesOneTokenOfOneOwner(t *testing.T) {
	k := keys(t, pepper("a"))
	token := parse(t, vectors[0])
	v, err := secret.NewVerifier(k, token, "ann")
	if err != nil || v.Kid != "a" || len(v.MAC) != 32 {
		t.Fatalf("got %d bytes by %s, %v", len(v.MAC), v.Kid, err)
	}
	other := parse(t, vectors[1])
	swapped := other
	swapped.ID = token.ID
	moved := token
	moved.ID = other.ID
	flipped := events.Verifier{Kid: v.Kid, MAC: append([]byte{v.MAC[0] ^ 1}, v.MAC[1:]...)}
	for name, c := range map[string]struct {
		v     events.Verifier
		token secret.Token
		owner string
		want  bool
	}{
		"itself":                  {v, token, "ann", true},
		"with a prefix":           {v, parse(t, "acme_"+vectors[0]), "ann", true},
		"another owner":           {v, token, "bob", false},
		"another secret":          {v, swapped, "ann", false},
		"another id":              {v, moved, "ann", false},
		"another token":           {v, other, "ann", false},
		"a changed verifier":      {flipped, token, "ann", false},
		"a cut verifier":          {events.Verifier{Kid: v.Kid, MAC: v.MAC[:31]}, token, "ann", false},
		"no verifier but the kid": {events.Verifier{Kid: v.Kid}, token, "ann", false},
		"the zero token":          {v, secret.Token{}, "ann", false},
		"a very long owner":       {v, token, strings.Repeat("n", 1000), false},
	} {
		if got, err := secret.Verify(k, c.v, c.token, c.owner); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
}

// TestTheVerifierIsTheMACOfItsParts computes the message by hand. A change of the
// message would make every issued token invalid.
func TestTheVerifierIsTheMACOfItsParts(t *testing.T) {
	k := keys(t, pepper("a"))
	v, err := secret.NewVerifier(k, parse(t, vectors[0]), "ann")
	if err != nil {
		t.Fatal(err)
	}
	want, err := k.MAC("a", []byte("apitoken/1\x00JhxND7ci\x00ann\x00AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"))
	if err != nil || string(v.MAC) != string(want) {
		t.Errorf("got %x, want %x, %v", v.MAC, want, err)
	}
}

func TestVerifiersStayValidAfterARotationOfPeppers(t *testing.T) {
	token := parse(t, vectors[0])
	v, err := secret.NewVerifier(keys(t, pepper("a")), token, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := secret.Verify(keys(t, pepper("b")+","+pepper("a")), v, token, "ann"); !ok || err != nil {
		t.Errorf("with the old pepper second: got %v, %v", ok, err)
	}
	ok, err := secret.Verify(keys(t, pepper("b")), v, token, "ann")
	if ok || !errors.Is(err, events.ErrUnknownKid) || shows(err.Error()) || strings.Contains(err.Error(), token.Secret.Reveal()) {
		t.Errorf("without it: got %v, %v, want ErrUnknownKid", ok, err)
	}
	if _, err := secret.NewVerifier(events.Keys{}, token, "ann"); !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("without peppers: got %v, want ErrUnknownKid", err)
	}
}

func check(t testing.TB, k events.Keys, v events.Verifier, text string) {
	token, err := secret.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := secret.Verify(k, v, token, "ann"); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func BenchmarkParseAndVerify(b *testing.B) {
	k := keys(b, pepper("a"))
	v, err := secret.NewVerifier(k, parse(b, vectors[0]), "ann")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		check(b, k, v, vectors[0])
	}
}

func BenchmarkParseGarbage(b *testing.B) {
	garbage := vectors[0][:40] + "0"
	b.ReportAllocs()
	for b.Loop() {
		_, _ = secret.Parse(garbage)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range vectors {
		f.Add(text)
		f.Add("acme_" + text)
		f.Add(text + "\n")
	}
	f.Add("")
	f.Add(strings.Repeat("_", 60))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := secret.Parse(text)
		switch {
		case err == nil && token.Text().Reveal() != text:
			t.Errorf("%q is read as a different token", text)
		case err == nil && (secret.ValidPrefix(token.Prefix) != nil || len(token.ID) != 8 || len(token.Secret.Reveal()) != 32):
			t.Errorf("%q is read as prefix %q and id %q", text, token.Prefix, token.ID)
		case err != nil && err != secret.ErrMalformed && err != secret.ErrChecksum:
			t.Errorf("%q: got %v, which may contain a part of the text", text, err)
		}
	})
}
