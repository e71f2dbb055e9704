package guard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"apitoken/events/secret"
)

// Authorize decides about a request: no token in the query, one credential,
// Check, and the token's scopes against method and path. Its errors are those
// of Check. With permission_denied_by_scope the principal is returned too, so
// that logs can name the token.
func (g *Guard) Authorize(r *http.Request, source netip.Addr) (Principal, error) {
	if leaks(r.URL.RawQuery) {
		return Principal{}, inQuery
	}
	t, err := Credential(r.Header["Authorization"])
	if err != nil {
		return Principal{}, err
	}
	p, err := g.Check(r.Context(), t, source)
	if err != nil {
		return Principal{}, err
	}
	if !p.AllowsRequest(r) {
		return p, outOfScope
	}
	return p, nil
}

// leaks says whether the query has the parameter of RFC 6750 section 2.3, or
// a token anywhere, such as the whole of a credential. Semicolons separate too:
// this looks for what leaked, not for what a handler would read.
func leaks(query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescaped(name); name == "access_token" || secret.Within(name) || secret.Within(unescaped(value)) {
			return true
		}
	}
	return false
}

// unescaped is the text as a handler reads it, or as it stands if no handler
// can read it.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
