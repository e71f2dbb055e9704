package guard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"apitoken/events/secret"
)

// Authorize checks a request in this order: the query must have no token, there
// must be one credential, Check must pass, and the token's scopes must allow
// method and path. Its errors are those of Check. With the denial
// permission_denied_by_scope it also returns the principal, so that logs can
// name the token.
func (g *Guard) Authorize(r *http.Request, source netip.Addr) (Principal, error) {
	if tokenInQuery(r.URL.RawQuery) {
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
