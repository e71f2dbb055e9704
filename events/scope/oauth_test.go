package scope_test

import (
	"regexp"
	"strings"
	"testing"

	"apitoken/events/scope"
)

// word is scope-token of RFC 6749 section 3.3.
var word = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)

// FuzzOAuth: every scope that is allowed is one word of OAuth, and can be read back.
func FuzzOAuth(f *testing.F) {
	for _, s := range []string{"GET /v1/things/*", "* /*", "POST /a:b", "GET /!$&'()+,=:@", "GET /a b", `GET /"`, `GET /\`, "A:B /x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !scope.Valid(s) {
			return
		}
		got := scope.OAuth([]string{s})
		method, path, _ := strings.Cut(got, ":")
		if !word.MatchString(got) || method+" "+path != s {
			t.Errorf("%q: got %q, want one word that can be read back", s, got)
		}
	})
}

func TestOAuthSeparatesScopesBySpaces(t *testing.T) {
	for want, scopes := range map[string][]string{
		"":                          nil,
		"GET:/v1/things/*":          {"GET /v1/things/*"},
		"GET:/v1/things/* *:/a:b/*": {"GET /v1/things/*", "* /a:b/*"},
	} {
		if got := scope.OAuth(scopes); got != want {
			t.Errorf("%q: got %q, want %q", scopes, got, want)
		}
	}
}
