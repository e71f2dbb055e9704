package guard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"apitoken/events/secret"
)

// Authorize checks a request as Authenticate does, and then the token's scopes,
// which must allow method and path. Its results are those of Authenticate.
func (g *Guard) Authorize(r *http.Request, source netip.Addr) (Principal, error) {
	p, err := g.Authenticate(r, source)
	if err != nil {
		return p, err
	}
	if !p.AllowsRequest(r) {
		return p, OutOfScope
	}
	return p, nil
}

// Authenticate checks a request for a call that needs no scope. It checks in this
// order: the query must have no token, there must be one credential, and Check
// must pass. Its results are those of Check.
func (g *Guard) Authenticate(r *http.Request, source netip.Addr) (Principal, error) {
	if tokenInQuery(r.URL.RawQuery) {
		return Principal{}, inQuery
	}
	t, err := Credential(r.Header["Authorization"])
	if err != nil {
		return Principal{}, err
	}
	return g.Check(r.Context(), t, source)
}

// tokenInQuery reports whether the query has the parameter access_token of RFC
// 6750 section 2.3, or a token in any name or value, also inside a longer text.
// Semicolons separate parameters here as well: the check is for secrets in logs,
// not for the parameters that a handler would read.
func tokenInQuery(query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescaped(name); name == "access_token" || secret.Within(name) || secret.Within(unescaped(value)) {
			return true
		}
	}
	return false
}

// unescaped returns the text as a handler decodes it, or unchanged if the text
// cannot be decoded.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
