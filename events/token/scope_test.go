package token

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestScopesAdmitCalls(t *testing.T) {
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
		if got := Allows(c.scopes, c.method, c.path); got != c.want {
			t.Errorf("%v, %s %s: got %v, want %v", c.scopes, c.method, c.path, got, c.want)
		}
	}
}

func TestTextsThatAreNotScopesAreRefused(t *testing.T) {
	long := "GET /" + strings.Repeat("a", MaxScope-5)
	for _, good := range []string{"GET /", "* /*", "* /", "DELETE /v1/a-b_c.d~e/*", "GET /a*", "GET /..a", "GET /a..*", "GET /:@!$&'()+,;=", long} {
		if err := ParseScope(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", " ", "GET", "/", "GET/", "GET ", " /", "GET  /", "GET / ", "GET /a b", "get /", "G3T /", "** /", "GET* /", "GET a", "GET *", "GET /*/a", "GET /**", "GET /a?b", "GET /a#b",
		"GET /%41", "GET /ä", "GET /{id}", "GET /a\\b", "GET /a\n", "GET //a", "GET /a//", "GET /a/./b", "GET /a/../b", "GET /..", "GET /a/..", "GET /../*", "GET //*", "GÉT /", long + "a",
	} {
		if r := refusal(t, ParseScope(bad), CodeInvalidField); r.Field != "scopes" {
			t.Errorf("%q: the refusal names %s", bad, r.Field)
		}
	}
	if err := ValidScopes(slices.Repeat([]string{"GET /"}, MaxScopes)); err != nil {
		t.Error(err)
	}
	refusal(t, ValidScopes(slices.Repeat([]string{"GET /"}, MaxScopes+1)), CodeInvalidField)
	refusal(t, ValidScopes([]string{"GET /", "bad"}), CodeInvalidField)
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
	someMethod = rapid.SampledFrom([]string{"GET", "POST"})
	somePath   = rapid.StringMatching(`/|(/[ab]{1,2}){1,3}/?`)
	someScope  = rapid.Custom(func(t *rapid.T) string {
		method := rapid.SampledFrom([]string{"GET", "POST", "*"}).Draw(t, "method")
		return method + " " + somePath.Draw(t, "path") + rapid.SampledFrom([]string{"", "*"}).Draw(t, "end")
	})
	someScopes = rapid.SliceOfN(someScope, 0, 3)
)

func TestAScopeWithinAnotherAdmitsNoFurtherCalls(t *testing.T) {
	within := 0
	rapid.Check(t, func(t *rapid.T) {
		inner, outer := someScopes.Draw(t, "inner"), someScopes.Draw(t, "outer")
		method, path := someMethod.Draw(t, "method"), somePath.Draw(t, "call")
		if !Within(inner, outer) || !Allows(inner, method, path) {
			return
		}
		within++
		if !Allows(outer, method, path) {
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
				if Allows([]string{inner}, m, call) && !Allows([]string{outer}, m, call) {
					return
				}
			}
		}
		t.Fatalf("%s is not within %s by the answer of Within, but the outer scope admits all these calls", inner, outer)
	})
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"GET /v1/things/*", "* /*", "GET /", "get /", "GET /a/../b", "GET  /", "GET /%2e", "", "POST /a*b"} {
		f.Add(seed, "/v1/things")
	}
	f.Fuzz(func(t *testing.T, scope, path string) {
		if err := ParseScope(scope); err != nil {
			refusal(t, err, CodeInvalidField)
			return
		}
		one := []string{scope}
		if !Within(one, one) || !Within(one, nil) || !Within(one, []string{"* /*"}) {
			t.Errorf("%q is not within itself and everything", scope)
		}
		method, pattern, _ := strings.Cut(scope, " ")
		if begin, open := strings.CutSuffix(pattern, "*"); !open && !Allows(one, method, begin) {
			t.Errorf("%q does not admit its own path", scope)
		}
		if Allows(one, method, path) != Allows(one, method, closed(path)) && path != "/" && !strings.HasSuffix(path, "//") {
			t.Errorf("%q treats %q and the same path without its last slash differently", scope, path)
		}
	})
}

func TestSourceRangesAreCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "192.0.2.7/24": "192.0.2.0/24", "0.0.0.0/0": "0.0.0.0/0",
		"2001:DB8::1": "2001:db8::1/128", "2001:db8::1/32": "2001:db8::/32", "::/0": "::/0",
		"::ffff:192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7/120": "192.0.2.0/24", "::ffff:0:0/96": "0.0.0.0/0",
	} {
		got, err := ParseSourceIPs([]string{text})
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
			continue
		}
		if err := validSourceIPs(got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, bad := range []string{"", "ann", "192.0.2", "192.0.2.7/33", "192.0.2.7/-1", "192.0.2.7/", "192.0.2.007", "fe80::1%eth0", "fe80::1%eth0/64", "::ffff:192.0.2.7/95", "192.0.2.1-192.0.2.9", "192.0.2.7\n"} {
		_, err := ParseSourceIPs([]string{bad})
		if r := refusal(t, err, CodeInvalidField); r.Field != "source_ips" {
			t.Errorf("%q: the refusal names %s", bad, r.Field)
		}
	}
	if got, err := ParseSourceIPs(nil); got != nil || err != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
	_, err := ParseSourceIPs(slices.Repeat([]string{"192.0.2.7"}, MaxSourceIPs+1))
	refusal(t, err, CodeInvalidField)
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestRangesWithinRanges(t *testing.T) {
	for _, c := range []struct {
		inner, outer []netip.Prefix
		want         bool
	}{
		{nil, nil, true},
		{prefixes("192.0.2.0/24"), nil, true},
		{nil, prefixes("0.0.0.0/0"), false},
		{prefixes("192.0.2.0/24"), prefixes("192.0.2.0/24"), true},
		{prefixes("192.0.2.7/32"), prefixes("192.0.2.0/24"), true},
		{prefixes("192.0.2.0/23"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.3.0/24"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.2.0/24", "198.51.100.0/24"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.2.0/24"), prefixes("2001:db8::/32", "192.0.0.0/16"), true},
		{prefixes("192.0.2.0/24"), prefixes("::/0"), false},
	} {
		if got := rangesWithin(c.inner, c.outer); got != c.want {
			t.Errorf("%v within %v: got %v, want %v", c.inner, c.outer, got, c.want)
		}
	}
}
