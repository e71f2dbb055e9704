// Package scopetest has hostile paths, and the ways in which backends read a path.
// The tests of everything that decides about calls use it: a path that is allowed
// must be within the scope in each reading.
//
// It shares no code with events/scope.
package scopetest

import (
	"encoding/hex"
	"path"
	"strings"
)

// Scope is the scope that the hostile paths try to leave.
const Scope = "GET /v1/public/*"

// Hostile has paths that no token with Scope may call: two backends may read them
// as different paths, or they are outside of Scope.
var Hostile = []string{
	// The paths of the kinds that guard, policy and introspection once saw
	// differently.
	"/v1/public/../admin", "/v1/public/%2e%2e/admin", "/v1/public/.%2e/admin", "/v1/public/%2e./admin",
	"/v1/public/..%2fadmin", "/v1/public/..;/admin", "/v1/public/..;x=y/admin", "/v1/public/..%3b/admin",
	"/v1/public/..%5cadmin", `/v1/public/..\admin`, "/v1/public/%2e%2e/admin/%zz", "/v1/public/..%2Fadmin%zz",

	// Dot segments: in all cases of the escape, at the end, alone, several.
	"/v1/public/%2E%2E/admin", "/v1/public/%2e%2E/admin", "/v1/public/.%2E/admin", "/v1/public/%2E./admin",
	"/v1/public/..", "/v1/public/../", "/v1/public/%2e%2e", "/v1/public/%2e%2e/", "/v1/public/x/../../admin",
	"/v1/public/x/%2e%2e/%2e%2e/admin", "/v1/public/./../admin", "/v1/public/%2e/%2e%2e/admin", "/v1/public/.", "/v1/public/%2e",
	"/../v1/public/x", "/v1/public/../../../../etc/passwd", "/v1/../v1/public/x", "/v1/public/../public/x",

	// Path parameters, which some servers cut.
	"/v1/public/..;/..;/admin", "/v1/public/..;a=b;c=d/admin", "/v1/public/..%3B/admin", "/v1/public/..%3bx/admin",
	"/v1/public/%2e%2e;/admin", "/v1/public/%2e%2e%3b/admin", "/v1/public/.;/../admin", "/v1/public/.;x/admin", "/v1/public/.%3b/admin",
	"/v1/public/;/../admin", "/v1/public/;x/admin", "/v1/public/%3bx/admin", "/v1/public/%3Bx/admin", "/v1/public/.%3B/admin", "/v1/public/..;", "/v1/public/..;x", "/v1/public/..%3b",
	"/v1/public/x;/../../admin", "/;/v1/public/x", "/v1/public;/../admin", "/v1/public/..;%2f..;%2fadmin",

	// Slashes and backslashes that only some servers see.
	"/v1/public/%2e%2e%2fadmin", "/v1/public%2f..%2fadmin", "/v1/public/x%2f..%2f..%2fadmin", "/v1/public%2Fx", "/v1%2fpublic/x",
	"/v1/public/a%2fb", "/v1/public/a%2Fb", "/v1/public/x%5c..%5c..%5cadmin", `/v1/public/x\..\..\admin`, `/v1/public\..\admin`,
	"/v1/public/..%5C..%5Cadmin", "/v1/public/%5c%2e%2e%5cadmin", `\v1\public\x`, "/v1/public/%2f%2e%2e/admin", "%2fv1/public/x",

	// Empty segments, also at the end.
	"/v1/public//admin", "//v1/public/x", "/v1//public/x", "/v1/public//", "/v1/public/x//", "/v1/public///x", "//evil.example/v1/public/x",

	// Escapes that cannot be decoded.
	"/v1/public/%", "/v1/public/%2", "/v1/public/%zz", "/v1/public/%2e%2e%/admin", "/v1/public/%2g%2e%2e/admin", "/v1/public/%u002e%u002e/admin",
	"/v1/public/%%32%65%%32%65/admin", "/v1/public/..%2", "/v1/public/%U002e%U002e%U002fadmin",

	// Encoded twice, for backends that decode what a gateway has decoded.
	"/v1/public/%252e%252e/admin", "/v1/public/%252E%252e/admin", "/v1/public/..%252fadmin", "/v1/public/..%255cadmin",
	"/v1/public/..%253b/admin", "/v1/public/%25%32%65%25%32%65/admin", "/v1/public/%252%65%252%65/admin", "/v1/public/.%252e/admin",
	"/v1/public/%2e%252e/admin", "/v1/public%252f..%252fadmin", "/v1/public/%252E%252E/admin", "/v1/public/..%252Fadmin",
	"/v1/public/..%253B/admin", "/v1/public/..%255Cadmin", "/v1/public/..%253%62/admin", "/v1/public/..%255%63admin",
	"/v1/public/x%2500", "/v1/public/x%251f", "/v1/public/x%257f", "/v1/public/x%257F", "/v1/public/x%257%66",

	// Characters that URL parsers remove or end a text with.
	"/v1/public/%00/../admin", "/v1/public/x%00", "/v1/public/.%00./admin", "/v1/public/.%09./admin", "/v1/public/.%0a./admin",
	"/v1/public/.%0D./admin", "/v1/public/%0d%0aX:y", "/v1/public/%1f", "/v1/public/x%7f", "/v1/public/x%7F",

	// Not an absolute path, or another scope.
	"", "*", "v1/public/x", "/", "/v1", "/v1/publicx", "/v1/PUBLIC/x", "/admin", "http://h.example/v1/public/../admin", "http://h.example/admin",
	"/v1/public%3f/../admin", "/v1/public#/../admin", "/v1/public?/../admin", "/v1/publi%00c/x",
}

// Odd has paths that look hostile and that each backend reads as a path within
// Scope. The guard and the introspection allow them. A policy may refuse them, if it
// compares the path as it was sent.
var Odd = []string{
	"/v1/public", "/v1/public/", "/v1/public/x/", "/v1/public/...", "/v1/public/..x", "/v1/public/x..", "/v1/public/.x/.y", "/v1/public/x;a=b/y",
	"/v1/public/x;", "/v1/public/x%3by", "/v1/public/..x;y", "/v1/public/a%20b", "/v1/public/a+b", "/v1/public/%c3%a9", "/v1/public/100%25", "/v1/public/%2541",
	"/v1/public/%70", "/v1/%70ublic/x", "/v1/public/%2ehidden", "/v1/public/a%2eb", "/v1/public/x%3f", "/v1/public/x%23/y", "/v1/public/a:b@c",
	"/v1/public/%c0%ae%c0%ae/admin", "/v1/public/%e0%80%ae%e0%80%ae/admin", "/v1/public/..%c0%afadmin", "/v1/public/%ef%bc%8e%ef%bc%8e/admin", "/v1/public/%80", "/v1/public/~/*",
	"/v1/public/50%2520off",
}

// Readings returns what backends take for the path of a request that was sent with
// this path. A reading has no dot segments and no empty segments, and its escapes
// are decoded, except an encoded slash that the backend keeps within its segment.
func Readings(sent string) []string {
	decoded := Decode(sent)
	return []string{
		resolve(decodeSegments(sent)),           // splits and resolves first, then decodes
		resolve(decoded),                        // decodes once, then splits
		resolve(cut(decoded)),                   // and cuts path parameters
		resolve(decodeSegments(cut(sent))),      // cuts path parameters before it decodes
		resolve(slashes(decoded)),               // reads backslashes as slashes
		resolve(slashes(cut(decoded))),          // both
		resolve(decodeSegments(dots(sent))),     // resolves encoded dots, as WHATWG's URL does
		resolve(stripControl(slashes(decoded))), // removes tabs and line breaks, as WHATWG's URL does
	}
}

// Outside returns a reading of the path that is not within the scope, "" if all
// readings are within it.
func Outside(scope, sent string) string {
	_, pattern, _ := strings.Cut(scope, " ")
	begin, open := strings.CutSuffix(pattern, "*")
	for _, reading := range Readings(sent) {
		within := strings.TrimSuffix(reading, "/") == strings.TrimSuffix(begin, "/")
		if open {
			within = strings.HasPrefix(strings.TrimSuffix(reading, "/")+"/", begin)
		}
		if !within {
			return reading
		}
	}
	return ""
}

// Decode decodes each escape of a path and keeps percent signs that begin none.
func Decode(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if i+3 <= len(text) && text[i] == '%' {
			if char, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				b.Write(char)
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// decodeSegments decodes escapes after the split into segments: an encoded slash
// or dot segment is no separator and no dot segment then.
func decodeSegments(text string) string {
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		if decoded := Decode(segment); decoded != "." && decoded != ".." {
			segments[i] = strings.ReplaceAll(decoded, "/", "%2F")
		}
	}
	return strings.Join(segments, "/")
}

// dots decodes the segments that are encoded dot segments.
func dots(text string) string {
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		if decoded := Decode(segment); decoded == "." || decoded == ".." {
			segments[i] = decoded
		}
	}
	return strings.Join(segments, "/")
}

// cut removes the path parameters of each segment.
func cut(text string) string {
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func slashes(text string) string { return strings.ReplaceAll(text, `\`, "/") }

func stripControl(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, text)
}

// resolve resolves dot segments and drops empty segments (RFC 3986 section 5.2.4).
func resolve(text string) string { return path.Clean("/" + text) }
