package token

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextsThatAreNotScopesAreRefused(t *testing.T) {
	long := "GET /" + strings.Repeat("a", MaxScope-5)
	for _, good := range []string{"GET /", "* /*", "* /", "DELETE /v1/a-b_c.d~e/*", "GET /a*", "GET /..a", "GET /a..*", "GET /:@!$&'()+,=", long} {
		if err := ParseScope(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", " ", "GET", "/", "GET/", "GET ", " /", "GET  /", "GET / ", "GET /a b", "get /", "G3T /", "** /", "GET* /", "GET a", "GET *", "GET /*/a", "GET /**", "GET /a?b", "GET /a#b",
		"GET /%41", "GET /ä", "GET /{id}", "GET /a\\b", "GET /a\n", "GET /a;b", "GET /a;b/*", "GET /;", "GET /..;/a", "GET //a", "GET /a//", "GET /a/./b", "GET /a/../b", "GET /..", "GET /a/..", "GET /../*", "GET //*", "GÉT /", long + "a",
	} {
		if r := refusal(t, ParseScope(bad), CodeInvalidField); r.Field != "scopes" {
			t.Errorf("%q: the refusal names %s", bad, r.Field)
		}
	}
	if err := ValidScopes(slices.Repeat([]string{"GET /"}, MaxScopes)); err != nil {
		t.Error(err)
	}
	refusal(t, ValidScopes(slices.Repeat([]string{"GET /"}, MaxScopes+1)), CodeInvalidField)
	refusal(t, ValidScopes([]string{"GET /", "bad"}), CodeInvalidField)
}

// someScopes draws few methods and paths, so that a token's scopes are often
// within those of another one.
var someScopes = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
	method := rapid.SampledFrom([]string{"GET", "POST", "*"}).Draw(t, "method")
	path := rapid.StringMatching(`/|(/[ab]{1,2}){1,3}/?`).Draw(t, "path")
	return method + " " + path + rapid.SampledFrom([]string{"", "*"}).Draw(t, "end")
}), 0, 3)
