package httpapi

import (
	"fmt"
	"strings"

	"apitoken/events/issuer"
	"apitoken/functions/httpapi/machine"
)

// keyHeader is the header Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header).
const keyHeader = "Idempotency-Key"

// The allowed numbers of characters of a key.
const (
	minKey = 16
	maxKey = 255
)

// allowedKey continues a sentence about a key that is not allowed.
var allowedKey = fmt.Sprintf(`allowed: one header with %d to %d visible ASCII characters, as a quoted string or, without comma, quote, semicolon and backslash, bare`, minKey, maxKey)

// requestKey returns the request's idempotency key, and the zero RequestKey if the
// request has none. The quoted and the bare form of a key are the same key.
func (x exchange) requestKey() (issuer.RequestKey, error) {
	values := x.Request.Header.Values(keyHeader)
	if len(values) == 0 {
		return issuer.RequestKey{}, nil
	}
	if len(values) > 1 {
		return issuer.RequestKey{}, keyProblem(fmt.Sprintf("is given %d times", len(values)))
	}
	key, problem := parseKey(strings.Trim(values[0], " \t"))
	switch {
	case problem != "":
		return issuer.RequestKey{}, keyProblem(problem)
	case len(key) < minKey || len(key) > maxKey:
		return issuer.RequestKey{}, keyProblem(fmt.Sprintf("has %d characters", len(key)))
	}
	return issuer.RequestKey{Route: x.Request.Method + " " + x.Route.Path, Value: key}, nil
}

func keyProblem(problem string) *machine.Problem {
	return machine.FieldProblem("invalid_header", keyHeader, problem+"; "+allowedKey)
}

// parseKey reads a quoted string (RFC 9651 section 4.2.5), or a bare key. A bare
// key with a comma may be two headers that a gateway has joined.
func parseKey(text string) (key, problem string) {
	quoted := strings.HasPrefix(text, `"`)
	if quoted {
		if text, problem = unquoted(text[1:]); problem != "" {
			return "", problem
		}
	} else if strings.ContainsAny(text, `,";\`) {
		return "", "has a comma, a quote, a semicolon or a backslash and is not quoted"
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", "has a character that is not visible ASCII"
	}
	return text, ""
}

// unquoted returns the string of which text is the part after the first quote.
func unquoted(text string) (key, problem string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && i == len(text)-1:
			return b.String(), ""
		case c == '"':
			return "", "has text after its closing quote"
		case c == '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", "has a backslash before a character other than a quote or a backslash"
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "has no closing quote"
}
