package token

import (
	"apitoken/events/scope"
	"apitoken/events/secret"
)

// ParseScope refuses a text that is not a scope. The refusal is invalid_field on
// scopes.
func ParseScope(text string) error {
	switch {
	case len(text) > MaxScope:
		return invalid(fieldScopes, "the scope %s has %d bytes; at most %d are allowed", secret.Quote(text), len(text), MaxScope)
	case !scope.Valid(text):
		return invalid(fieldScopes, "the scope %s is invalid; allowed: %s", secret.Quote(text), scope.Form)
	}
	return nil
}

// ValidScopes refuses too many scopes, and the first text that is not a scope.
func ValidScopes(scopes []string) error {
	if len(scopes) > MaxScopes {
		return invalid(fieldScopes, "there are %d scopes; at most %d are allowed", len(scopes), MaxScopes)
	}
	for _, s := range scopes {
		if err := ParseScope(s); err != nil {
			return err
		}
	}
	return nil
}
