package token

import (
	"slices"
	"strings"
)

const scopeForm = "METHOD PATH, like GET /v1/things/*; METHOD has capital letters only, or is *; PATH begins with /, has no empty or dot segments, has letters, digits and -._~!$&'()+,;=:@/ only, and may end with *"

// pathChars are the characters of RFC 3986 section 3.3 without "%" and "*": scopes
// are compared with decoded paths, and "*" is the wildcard. None of these
// characters has a special meaning in an IAM resource.
const pathChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()+,;=:@/"

// ParseScope refuses a text that is not a scope: one method or "*", one space, and
// one absolute path that may end in "*". The refusal is invalid_field on scopes.
func ParseScope(text string) error {
	method, path, _ := strings.Cut(text, " ")
	switch {
	case len(text) > MaxScope:
		return invalid(fieldScopes, "the scope %s has %d bytes; at most %d are allowed", shown(text), len(text), MaxScope)
	case !validMethod(method), !validPattern(path):
		return invalid(fieldScopes, "the scope %s is invalid; allowed: %s", shown(text), scopeForm)
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

func validMethod(m string) bool {
	return m == "*" || (m != "" && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "")
}

func validPattern(p string) bool {
	begin, open := strings.CutSuffix(p, "*")
	if strings.Trim(begin, pathChars) != "" {
		return false
	}
	if open {
		// The text after the last slash is only the beginning of a segment, so it
		// is not checked: "/a/.*" also means "/a/.b".
		begin = begin[:strings.LastIndexByte(begin, '/')+1]
	}
	return plain(begin)
}

// plain reports whether a path is absolute and has neither empty nor dot segments.
// A server may read a path with such segments as another path, so no scope admits
// it.
func plain(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	return path == "/" || !slices.ContainsFunc(strings.Split(closed(path)[1:], "/"), func(segment string) bool {
		return segment == "" || segment == "." || segment == ".."
	})
}

// closed is a path without its last slash. For a scope, /x and /x/ are the same
// path.
func closed(path string) string { return strings.TrimSuffix(path, "/") }

// Allows reports whether one of the scopes admits the call. The path is decoded.
// An empty list of scopes admits every call.
func Allows(scopes []string, method, path string) bool {
	return len(scopes) == 0 || plain(path) && slices.ContainsFunc(scopes, func(scope string) bool {
		m, pattern, _ := strings.Cut(scope, " ")
		return (m == "*" || m == method) && admits(pattern, path)
	})
}

func admits(pattern, path string) bool {
	if begin, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(closed(path)+"/", begin)
	}
	return closed(pattern) == closed(path)
}

// Within reports whether outer admits every call that inner admits. An empty list
// of scopes admits every call.
func Within(inner, outer []string) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(i string) bool {
		return !slices.ContainsFunc(outer, func(o string) bool { return covers(o, i) })
	})
}

// covers reports whether the outer scope admits every call that the inner scope
// admits. One outer scope must do so alone: several patterns together never cover
// a wildcard that none of them covers.
func covers(outer, inner string) bool {
	outerMethod, outerPath, _ := strings.Cut(outer, " ")
	innerMethod, innerPath, _ := strings.Cut(inner, " ")
	if outerMethod != "*" && outerMethod != innerMethod {
		return false
	}
	begin, open := strings.CutSuffix(innerPath, "*")
	if !open {
		return admits(outerPath, innerPath)
	}
	outerBegin, outerOpen := strings.CutSuffix(outerPath, "*")
	return outerOpen && strings.HasPrefix(begin, outerBegin)
}
