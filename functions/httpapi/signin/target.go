package signin

import (
	"regexp"
	"strings"
)

// root is the path that the pages of the service are below.
const root = "/ui/"

// maxTarget is the longest path to go to after a sign-in, in bytes: it is in a cookie.
const maxTarget = 1024

// targetForm has the characters of a path, and of a query after it. A percent sign is
// only in the query: browsers read %2e%2e in a path as two dots (WHATWG URL section 4.4).
var targetForm = regexp.MustCompile(`^/ui/[A-Za-z0-9_~.\-/]*(\?[A-Za-z0-9_~.\-/%&=+:@!$'()*,;?]*)?$`)

// IsTarget reports whether a sign-in may end at a path: it is below /ui/, and no call of
// this package.
func IsTarget(to string) bool {
	path, _, _ := strings.Cut(to, "?")
	if len(to) > maxTarget || !targetForm.MatchString(to) || strings.Contains(path, "//") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	bare := strings.TrimSuffix(path, "/")
	return bare != LoginPath && bare != CallbackPath
}

// fromCallback returns the reference to a target from the callback: with a prefix of a
// stage, the browser knows the whole path and this service does not.
func fromCallback(to string) string { return "./" + strings.TrimPrefix(to, root) }
