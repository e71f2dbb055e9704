package guard

import (
	"net/url"
	"strings"

	"apitoken/events/secret"
)

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
