package scope

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestScopesAllowCalls(t *testing.T) {
	for _, c := range []struct {
		scopes       []string
		method, path string
		want         bool
	}{
		{nil, "DELETE", "/anything", true},
		{nil, "GET", "no path", true},
		{[]string{"GET /v1/things"}, "GET", "/v1/things", true},
		{[]string{"GET /v1/things"}, "GET", "/v1/things/", true},
		{[]string{"GET /v1/things/"}, "GET", "/v1/things", true},
		{[]string{"GET /v1/things"}, "POST", "/v1/things", false},
		{[]string{"GET /v1/things"}, "get", "/v1/things", false},
		{[]string{"GET /v1/things"}, "GET", "/v1/things/7", false},
		{[]string{"GET /v1/things"}, "GET", "/v1/Things", false},
		{[]string{"* /v1/things"}, "PATCH", "/v1/things", true},
		{[]string{"GET /v1/things"}, "HEAD", "/v1/things", true},
		{[]string{"GET /v1/*"}, "HEAD", "/v1/things/7", true},
		{[]string{"HEAD /v1/things"}, "HEAD", "/v1/things", true},
		{[]string{"HEAD /v1/things"}, "GET", "/v1/things", false},
		{[]string{"POST /v1/things"}, "HEAD", "/v1/things", false},
		{[]string{"GET /v1/things"}, "OPTIONS", "/v1/things", false},
		{[]string{"GET /v1/things"}, "head", "/v1/things", false},
		{[]string{"GET /v1/users/uid:7"}, "GET", "/v1/users/uid%3A7", true},
		{[]string{"GET /v1/a"}, "GET", "/v1/%61", true},
		{[]string{"GET /v1/a"}, "GET", "/v1/%2561", false},
		{[]string{"GET /"}, "GET", "", false},
		{[]string{"GET /"}, "GET", "*", false},
		{[]string{"GET /v1/things/*"}, "GET", "/v1/things/7/parts/8", true},
		{[]string{"GET /v1/things/*"}, "GET", "/v1/things/", true},
		{[]string{"GET /v1/things/*"}, "GET", "/v1/things", true},
		{[]string{"GET /v1/things/*"}, "GET", "/v1/thingsandmore", false},
		{[]string{"GET /v1/things*"}, "GET", "/v1/thingsandmore", true},
		{[]string{"GET /v1/things*"}, "GET", "/v1/thing", false},
		{[]string{"GET /v1/a", "POST /v1/b"}, "POST", "/v1/b", true},
		{[]string{"GET /v1/a", "POST /v1/b"}, "POST", "/v1/a", false},
		{[]string{"* /*"}, "GET", "/", true},
		{[]string{"GET /"}, "GET", "/", true},
		{[]string{"GET /"}, "GET", "/a", false},
		// A server may read these paths as /secret.
		{[]string{"* /v1/*"}, "GET", "/v1/../secret", false},
		{[]string{"* /v1/*"}, "GET", "/v1/./../secret", false},
		{[]string{"* /*"}, "GET", "//secret", false},
		{[]string{"* /v1/*"}, "GET", "/v1//secret", false},
		{[]string{"* /v1/*"}, "GET", "/v1/..", false},
		{[]string{"* /*"}, "GET", "", false},
		{[]string{"* /*"}, "GET", "secret", false},
	} {
		if got := Allows(c.scopes, CallOf(c.method, c.path)); got != c.want {
			t.Errorf("%v, %s %s: got %v, want %v", c.scopes, c.method, c.path, got, c.want)
		}
	}
}

func TestScopesWithinScopes(t *testing.T) {
	for _, c := range []struct {
		inner, outer []string
		want         bool
	}{
		{nil, nil, true},
		{[]string{"GET /a"}, nil, true},
		{nil, []string{"* /*"}, false},
		{[]string{"GET /a"}, []string{"GET /a"}, true},
		{[]string{"GET /a/"}, []string{"GET /a"}, true},
		{[]string{"GET /a"}, []string{"* /a"}, true},
		{[]string{"* /a"}, []string{"GET /a"}, false},
		{[]string{"HEAD /a"}, []string{"GET /a"}, true},
		{[]string{"HEAD /a/*"}, []string{"GET /a*"}, true},
		{[]string{"GET /a"}, []string{"HEAD /a"}, false},
		{[]string{"* /a"}, []string{"GET /a", "HEAD /a"}, false},
		{[]string{"* /a"}, []string{"GET /a", "* /b"}, false},
		{[]string{"GET /a/b"}, []string{"GET /a/*"}, true},
		{[]string{"GET /a"}, []string{"GET /a/*"}, true},
		{[]string{"GET /a/*"}, []string{"GET /a*"}, true},
		{[]string{"GET /a*"}, []string{"GET /a/*"}, false},
		{[]string{"GET /a/*"}, []string{"GET /a", "GET /a/b"}, false},
		{[]string{"GET /a", "GET /b"}, []string{"GET /a"}, false},
		{[]string{"GET /a", "GET /b"}, []string{"GET /b", "GET /a*"}, true},
		{[]string{"* /*"}, []string{"* /*"}, true},
	} {
		if got := Within(c.inner, c.outer); got != c.want {
			t.Errorf("%v within %v: got %v, want %v", c.inner, c.outer, got, c.want)
		}
	}
}

// There are few methods and paths, so that scopes often admit the calls.
var (
	someMethod = rapid.SampledFrom([]string{"GET", "HEAD", "POST"})
	somePath   = rapid.StringMatching(`/|(/[ab]{1,2}){1,3}/?`)
	someScope  = rapid.Custom(func(t *rapid.T) string {
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "*"}).Draw(t, "method")
		return method + " " + somePath.Draw(t, "path") + rapid.SampledFrom([]string{"", "*"}).Draw(t, "end")
	})
	someScopes = rapid.SliceOfN(someScope, 0, 3)
)

func TestAScopeWithinAnotherAdmitsNoFurtherCalls(t *testing.T) {
	within := 0
	rapid.Check(t, func(t *rapid.T) {
		inner, outer := someScopes.Draw(t, "inner"), someScopes.Draw(t, "outer")
		method, path := someMethod.Draw(t, "method"), somePath.Draw(t, "call")
		if !Within(inner, outer) || !Allows(inner, CallOf(method, path)) {
			return
		}
		within++
		if !Allows(outer, CallOf(method, path)) {
			t.Fatalf("%v is within %v, but only the first admits %s %s", inner, outer, method, path)
		}
	})
	if within == 0 {
		t.Error("in no draw was the inner list within the outer one and did it admit the call")
	}
}

func TestAScopeNotWithinAnotherAdmitsAFurtherCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner, outer := someScope.Draw(t, "inner"), someScope.Draw(t, "outer")
		if Within([]string{inner}, []string{outer}) {
			return
		}
		// Only the inner scope admits one of these calls: the path itself, a path
		// with a longer last segment, or a path below it.
		method, pattern, _ := strings.Cut(inner, " ")
		path, open := strings.CutSuffix(pattern, "*")
		calls := []string{path}
		if open {
			calls = append(calls, path+"zz", closed(path)+"/zz")
		}
		for _, m := range []string{method, "OTHER"} {
			for _, call := range calls {
				if Allows([]string{inner}, CallOf(m, call)) && !Allows([]string{outer}, CallOf(m, call)) {
					return
				}
			}
		}
		t.Fatalf("%s is not within %s by the answer of Within, but the outer scope admits all these calls", inner, outer)
	})
}
