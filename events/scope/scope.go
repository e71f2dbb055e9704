package scope

import (
	"slices"
	"strings"
)

// MaxBytes is the maximum length of a scope.
const MaxBytes = 128

// Form describes the texts that are scopes, for refusals.
const Form = "METHOD PATH, like GET /v1/things/*; METHOD has capital letters only, or is *; PATH begins with /, has no empty or dot segments, has letters, digits and -._~!$&'()+,=:@/ only, and may end with *"

// pathChars are the characters of RFC 3986 section 3.3 without "%", "*" and ";":
// scopes are compared with decoded paths, "*" is the wildcard, and some servers
// remove the text after a ";". None of these characters has a special meaning in an
// IAM resource.
const pathChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()+,=:@/"

// Valid reports whether a text is a scope: one method or "*", one space, and one
// absolute path that may end in "*".
func Valid(text string) bool {
	method, path, _ := strings.Cut(text, " ")
	return len(text) <= MaxBytes && validMethod(method) && validPattern(path)
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
		// The text after the last slash is only the beginning of a segment.
		begin = begin[:strings.LastIndexByte(begin, '/')+1]
	}
	return isPlain(begin)
}

// Allows reports whether one of the scopes allows the call. An empty list of
// scopes allows every call, the zero Call too.
func Allows(scopes []string, c Call) bool {
	return len(scopes) == 0 || c.path != "" && slices.ContainsFunc(scopes, func(scope string) bool {
		method, pattern, _ := strings.Cut(scope, " ")
		return allowsMethod(method, c.method) && allowsPath(pattern, c.path)
	})
}

// aboutSelf has the calls of this service that are about the acting token itself.
var aboutSelf = []string{
	"GET /v1/auth/access-tokens/self", "DELETE /v1/auth/access-tokens/self", "GET /v1/auth/access-tokens/self/events", "GET /v1/session/who-am-i",
}

// IsAboutSelf reports whether a call of this service is about the acting token
// itself. Such a call needs no scope: a token can always see and end itself.
func IsAboutSelf(c Call) bool { return Allows(aboutSelf, c) }

func allowsPath(pattern, path string) bool {
	if begin, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(closed(path)+"/", begin)
	}
	return closed(pattern) == closed(path)
}

// Within reports whether outer allows every call that inner allows. An empty list
// of scopes allows every call.
func Within(inner, outer []string) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(i string) bool {
		return !slices.ContainsFunc(outer, func(o string) bool { return covers(o, i) })
	})
}

// covers reports whether the outer scope allows every call that the inner scope
// allows. One outer scope must do so alone: several patterns together never cover
// a wildcard that none of them covers.
func covers(outer, inner string) bool {
	outerMethod, outerPath, _ := strings.Cut(outer, " ")
	innerMethod, innerPath, _ := strings.Cut(inner, " ")
	if !allowsMethod(outerMethod, innerMethod) {
		return false
	}
	begin, open := strings.CutSuffix(innerPath, "*")
	if !open {
		return allowsPath(outerPath, innerPath)
	}
	outerBegin, outerOpen := strings.CutSuffix(outerPath, "*")
	return outerOpen && strings.HasPrefix(begin, outerBegin)
}
