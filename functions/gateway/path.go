package gateway

import (
	"net/url"
	"strings"
)

// apiPath returns the part of a public path that the API describes: without the
// stage, and without the base path of a custom domain. The payload does not
// name these two, but it names the resource, and the public path ends with the
// resource. If path and resource do not match, apiPath returns fallback.
func apiPath(public, resource string, parameters map[string]string, fallback string) string {
	n, ok := segmentCount(resource, parameters)
	if !ok {
		return fallback
	}
	slash := strings.HasSuffix(public, "/")
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(public, "/"), "/"), "/")
	if len(parts) < n || !matchesResource(parts[len(parts)-n:], resource, parameters) {
		return fallback
	}
	path := "/" + strings.Join(parts[len(parts)-n:], "/")
	if slash && n > 0 {
		path += "/"
	}
	return path
}

// apiPathOfRoute is apiPath for HTTP APIs. Their payload names a route key: a
// method and a path. The route key $default has no path. A call of that route
// loses only the stage, if the public path begins with the stage. The stage
// $default is in no path.
func apiPathOfRoute(public, routeKey string, parameters map[string]string, stage string) string {
	fallback := public
	if rest, ok := strings.CutPrefix(public, "/"+stage); ok && stage != "$default" && (rest == "" || rest[0] == '/') {
		fallback = "/" + strings.TrimPrefix(rest, "/")
	}
	_, resource, ok := strings.Cut(routeKey, " ")
	if !ok {
		return fallback
	}
	return apiPath(public, resource, parameters, fallback)
}

// segmentCount returns the number of path segments that matched the resource.
// A greedy parameter counts as many segments as its value has. Only the last
// segment of a resource can be a greedy parameter.
func segmentCount(resource string, parameters map[string]string) (n int, ok bool) {
	trimmed := strings.Trim(resource, "/")
	if !strings.HasPrefix(resource, "/") {
		return 0, false
	}
	if trimmed == "" {
		return 0, true
	}
	n = strings.Count(trimmed, "/") + 1
	if i := strings.LastIndexByte(trimmed, '{'); i >= 0 && strings.HasSuffix(trimmed, "+}") {
		value, ok := parameters[trimmed[i+1:len(trimmed)-2]]
		if !ok {
			return 0, false
		}
		n += strings.Count(strings.Trim(value, "/"), "/")
	}
	return n, true
}

// matchesResource reports whether parts have the fixed segments of the resource
// at the same places, and the values of its parameters. Without the values, the
// decoded path /admin/x of an HTTP API would look like /x on the resource /{id}:
// the client sent the one segment admin%2Fx.
func matchesResource(parts []string, resource string, parameters map[string]string) bool {
	for i, want := range strings.Split(strings.Trim(resource, "/"), "/") {
		switch {
		case i >= len(parts):
			continue
		case strings.HasPrefix(want, "{"):
			got := parts[i]
			if strings.HasSuffix(want, "+}") {
				got = strings.Join(parts[i:], "/")
			}
			if value, ok := parameters[strings.Trim(want, "{+}")]; ok && !sameText(got, value) {
				return false
			}
		case decoded(parts[i]) != want:
			return false
		}
	}
	return true
}

// sameText reports whether a part of an encoded path is the value of a parameter.
// API Gateway sends some values encoded and others decoded.
func sameText(part, value string) bool {
	value = strings.Trim(value, "/")
	return part == value || decoded(part) == value || decoded(part) == decoded(value)
}

// decoded is the decoded text, or the text itself if it cannot be decoded.
func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
