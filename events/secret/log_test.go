package secret_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"apitoken/events/secret"
)

func TestLogTextKeepsUserAgents(t *testing.T) {
	for _, text := range []string{
		"", "curl/8.5.0", "Go-http-client/1.1", "python-requests/2.32.3", "Wget/1.21.4",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
		"PostmanRuntime/7.43.0", "HeadlessChrome/131.0", "Gecko/20100101", "com.facebook.katana/1.0", "com.microsoft.azureauthenticator", "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.26.8",
	} {
		if got := secret.LogText(text); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	for text, want := range map[string]string{
		"a\nb\x1b[31mc": "a?b?[31mc", "a\u202eb\u200b": "a?b?", "caf\u00e9": "caf\u00e9", "a\xffb": "a?b", "\tx\x00": "?x?",
		strings.Repeat("x.", 100): strings.Repeat("x.", 64), strings.Repeat("\u00e9 ", 60): strings.Repeat("\u00e9 ", 42) + "\u00e9",
	} {
		if got := secret.LogText(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestLogPathKeepsPlainNames(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "": "", "/v1/tokens": "/v1/tokens", "/v1/auth/access-tokens/JhxND7ci/": "/v1/auth/access-tokens/JhxND7ci/",
		"/.well-known/oauth-protected-resource": "/.well-known/oauth-protected-resource", "/favicon.ico": "/favicon.ico", "/manifest.json": "/manifest.json", "/authentication": "/authentication",
		"/wp-login.php?user=x": "/wp-login.php", "/files/0f8fad5b-d9cb-469f-a165-70867728950e": "/files/0f8fad5b-d9cb-469f-a165-70867728950e",
		"/a%20b/c": "/*/c", "/a;b=c": "/*", "/x@example.com/y": "/*/y", "/caf\u00e9": "/*", "/a\nb": "/*", "/%zz": "/*",
		"/" + strings.Repeat("ab/", 60): "/" + strings.Repeat("ab/", 31) + "ab",
	} {
		if got := secret.LogPath(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

// TestLogTextsHaveNoTokenAndNoLargePart puts a token and its parts into texts, in
// each escaping, at each place and across the place where the text is cut.
func TestLogTextsHaveNoTokenAndNoLargePart(t *testing.T) {
	for _, token := range vectors[:2] {
		parts := []string{token, "acme_" + token, token[:24], token[:40], token[1:], token[9:], token[9:35], token[:8] + "." + token[9:20], strings.Replace(token, ".", "%2e", 1)}
		for _, part := range parts {
			for _, escaped := range []string{part, url.PathEscape(part), url.PathEscape(url.PathEscape(part)), "%zz" + strings.Replace(part, ".", "%2E", 1), strings.Replace(part, ".", "%252E", 1)} {
				for _, before := range []string{"", "Bearer ", "/v1/x/", strings.Repeat("a/", 45), strings.Repeat("b ", 60)} {
					for _, text := range []string{before + escaped, before + escaped + "/events", before + escaped + " x"} {
						for name, got := range map[string]string{"LogText": secret.LogText(text), "LogPath": secret.LogPath(text)} {
							if hasPart(got, token[9:], 6) {
								t.Errorf("%s(%q) = %q", name, text, got)
							}
						}
					}
				}
			}
		}
	}
}

// hasPart reports whether a text has n characters of the secret in a row.
func hasPart(text, hidden string, n int) bool {
	for at := 0; at+n <= len(hidden); at++ {
		if strings.Contains(text, hidden[at:at+n]) {
			return true
		}
	}
	return false
}

func FuzzLogTexts(f *testing.F) {
	f.Add("curl/8.5.0", "/v1/x")
	f.Add("a%2", "%25")
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + vectors[0] + after
		for name, got := range map[string]string{"LogText": secret.LogText(text), "LogPath": secret.LogPath(before + url.PathEscape(vectors[0]) + after)} {
			if hasPart(got, vectors[0][9:], 12) || len(got) > 384 || !utf8.ValidString(got) {
				t.Errorf("%s of %q and %q: %q", name, before, after, got)
			}
		}
	})
}
