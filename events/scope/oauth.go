package scope

import "strings"

// OAuth returns scopes as OAuth writes them (RFC 6749 section 3.3): METHOD:PATH, with
// a space between two. No part of a scope has a space, a quote or a backslash, and no
// method has a colon. So each scope is one word, and can be read back.
func OAuth(scopes []string) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = strings.Replace(s, " ", ":", 1)
	}
	return strings.Join(words, " ")
}
