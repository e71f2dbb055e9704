package scope

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// Call is a call as scopes see it: a method and a path that all backends read as
// the same path. No scope allows the zero Call.
type Call struct {
	method string
	path   string // decoded once; "" in the zero Call
}

// CallOf returns the call of a method and a path as the client sent them: the path
// encoded as in a URL, without the query. It decodes the path once.
//
// It returns the zero Call for a path that two backends may read as different
// paths. Such a path has one of these:
//   - an escape that cannot be decoded;
//   - an encoded slash, which divides a segment only after decoding;
//   - a backslash, which some servers read as a slash;
//   - an empty segment or a dot segment, also with a path parameter ("..;x"), which
//     some servers remove;
//   - a control character, which some URL parsers remove.
//
// It decodes the path again to look for these: API Gateway has decoded the path of
// an HTTP API, and the backend may do so again.
func CallOf(method, path string) Call {
	decoded, valid := decode(path)
	again, _ := decode(decoded)
	encodedSlash := strings.Count(again, "/") != strings.Count(path, "/")
	if !valid || encodedSlash || !isPlain(again) {
		return Call{}
	}
	return Call{method, decoded}
}

// decode replaces each escape of a path by its byte (RFC 3986 section 2.1). valid
// is false if a percent sign begins no escape. decode keeps this percent sign and
// decodes the other escapes, as lenient servers do.
func decode(path string) (decoded string, valid bool) {
	parts := strings.Split(path, "%")
	valid = true
	for i, part := range parts[1:] {
		digits := part[:min(len(part), 2)]
		if b, err := hex.DecodeString(digits); err == nil && len(b) == 1 {
			parts[i+1] = string(b) + part[2:]
			continue
		}
		parts[i+1] = "%" + part
		valid = false
	}
	return strings.Join(parts, ""), valid
}

// isPlain reports whether a path is absolute and has no backslash, no control
// character, no empty segment and no dot segment. The last slash of a path begins
// no segment.
func isPlain(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, isControl) || strings.Contains(path, `\`) {
		return false
	}
	return path == "/" || !slices.ContainsFunc(strings.Split(closed(path)[1:], "/"), isDotOrEmpty)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isDotOrEmpty reports whether a segment is empty, "." or ".." without its path
// parameters.
func isDotOrEmpty(segment string) bool {
	name, _, _ := strings.Cut(segment, ";")
	return name == "" || name == "." || name == ".."
}

// closed is a path without its last slash. For a scope, /x and /x/ are the same
// path.
func closed(path string) string { return strings.TrimSuffix(path, "/") }

// allowsMethod reports whether a scope with the method scoped allows the method
// called. HEAD is GET without a body, so each scope for GET allows it too.
func allowsMethod(scoped, called string) bool {
	return scoped == "*" || scoped == called || scoped == http.MethodGet && called == http.MethodHead
}
