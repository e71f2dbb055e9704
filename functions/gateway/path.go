package gateway

import (
	"net/url"
	"strings"
)

// below is the part of a public path that the API itself describes, without
// the stage and without a custom domain's base path: API Gateway tells neither
// of them, but it tells the resource, which is what the public path ends in.
// Where the two do not fit together, it is fallback.
func below(public, resource string, parameters map[string]string, fallback string) string {
	n, ok := segments(resource, parameters)
	if !ok {
		return fallback
	}
	slash := strings.HasSuffix(public, "/")
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(public, "/"), "/"), "/")
	if len(parts) < n || !fits(parts[len(parts)-n:], resource) {
		return fallback
	}
	path := "/" + strings.Join(parts[len(parts)-n:], "/")
	if slash && n > 0 {
		path += "/"
	}
	return path
}

// belowRoute is below for HTTP APIs, whose route key is a method and a path. A
// call that only the route $default caught says nothing about its path, so only
// the stage is taken off, where it stands.
func belowRoute(public, routeKey string, parameters map[string]string, stage string) string {
	fallback := public
	if rest, ok := strings.CutPrefix(public, "/"+stage); ok && (rest == "" || rest[0] == '/') {
		fallback = "/" + strings.TrimPrefix(rest, "/")
	}
	_, resource, ok := strings.Cut(routeKey, " ")
	if !ok {
		return fallback
	}
	return below(public, resource, parameters, fallback)
}

// segments counts those of the path that matched the resource. A greedy
// parameter, which can only be the last, stands for as many as its value has.
func segments(resource string, parameters map[string]string) (n int, ok bool) {
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

// fits says whether the fixed segments of the resource stand where they should.
func fits(parts []string, resource string) bool {
	for i, want := range strings.Split(strings.Trim(resource, "/"), "/") {
		if i >= len(parts) || strings.HasPrefix(want, "{") {
			continue
		}
		if got, err := url.PathUnescape(parts[i]); err != nil || got != want {
			return false
		}
	}
	return true
}
