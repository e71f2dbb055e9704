package scope

import (
	"strings"
	"testing"

	"apitoken/events/scope/scopetest"
)

func TestNoScopeAllowsAHostilePath(t *testing.T) {
	one := []string{scopetest.Scope}
	for _, path := range scopetest.Hostile {
		for _, method := range []string{"GET", "HEAD"} {
			if c := CallOf(method, path); Allows(one, c) {
				t.Errorf("%s allows %s %q as %+v", scopetest.Scope, method, path, c)
			}
		}
	}
}

// TestEverythingIsTheScopeOfAPathWithOneReading: the scope "* /*" has every path,
// and still allows none that two backends read differently.
func TestEverythingIsTheScopeOfAPathWithOneReading(t *testing.T) {
	everything := []string{"* /*"}
	plain := map[string]bool{"/": true, "/v1": true, "/v1/publicx": true, "/v1/PUBLIC/x": true, "/admin": true}
	for _, path := range scopetest.Hostile {
		if got, want := Allows(everything, CallOf("GET", path)), plain[path]; got != want {
			t.Errorf("%q: got %t, want %t", path, got, want)
		}
	}
}

func TestOddPathsWithOneReadingAreAllowed(t *testing.T) {
	for _, path := range scopetest.Odd {
		if !Allows([]string{scopetest.Scope}, CallOf("GET", path)) {
			t.Errorf("%q is refused", path)
		}
		if outside := scopetest.Outside(scopetest.Scope, path); outside != "" {
			t.Errorf("%q does not belong into the table: a backend may read it as %q", path, outside)
		}
	}
}

func TestATokenWithoutScopesMayMakeAmbiguousCalls(t *testing.T) {
	for _, path := range scopetest.Hostile {
		if !Allows(nil, CallOf("GET", path)) {
			t.Errorf("%q is refused", path)
		}
	}
}

// scopes are scopes for the fuzz test: open and exact ones, in the middle of a
// segment and at its end.
var scopes = []string{scopetest.Scope, "GET /v1/pub*", "GET /v1/public/x", "GET /v1/public/x/", "GET /v1/.*", "GET /v1/..*", "GET /*", "GET /"}

// FuzzCall: if a scope allows a path, each backend reads it as a path within the
// scope.
func FuzzCall(f *testing.F) {
	for _, path := range append(scopetest.Hostile, scopetest.Odd...) {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, s := range scopes {
			if !Allows([]string{s}, CallOf("GET", path)) {
				continue
			}
			if outside := scopetest.Outside(s, path); outside != "" {
				t.Errorf("%s allows %q, and a backend may read it as %q", s, path, outside)
			}
		}
	})
}

func FuzzValid(f *testing.F) {
	for _, seed := range []string{"GET /v1/things/*", "* /*", "GET /", "get /", "GET /a/../b", "GET  /", "GET /%2e", "", "POST /a*b"} {
		f.Add(seed, "/v1/things")
	}
	f.Fuzz(func(t *testing.T, scope, path string) {
		if !Valid(scope) {
			return
		}
		one := []string{scope}
		if !Within(one, one) || !Within(one, nil) || !Within(one, []string{"* /*"}) {
			t.Errorf("%q is not within itself and everything", scope)
		}
		method, pattern, _ := strings.Cut(scope, " ")
		if begin, open := strings.CutSuffix(pattern, "*"); !open && !Allows(one, CallOf(method, begin)) {
			t.Errorf("%q does not admit its own path", scope)
		}
		if Allows(one, CallOf(method, path)) != Allows(one, CallOf(method, closed(path))) && path != "/" && !strings.HasSuffix(path, "//") {
			t.Errorf("%q treats %q and the same path without its last slash differently", scope, path)
		}
	})
}
