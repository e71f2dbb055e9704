package gateway

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/events/scope"
	"apitoken/events/scope/scopetest"
	"apitoken/functions/gateway/iamtest"
)

const stage = "arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/prod"

// TestPolicyAdmitsWhatTheGuardAdmits compares the policy of random scopes with
// the guard's answer for random calls. For scopes that the rules accept, both
// admit exactly the same calls. For all other scopes, the policy never admits
// more than the guard.
func TestPolicyAdmitsWhatTheGuardAdmits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.SliceOfN(scopeText(), 1, 4).Draw(t, "scopes")
		p := policy(stage, scopes)
		principal := guard.Principal{Owner: "ann", Scopes: scopes}
		for range 20 {
			method, path := rapid.SampledFrom(methods).Draw(t, "method"), call().Draw(t, "path")
			byPolicy, byGuard := iamtest.Allows(p, stage+"/"+method+path), principal.Judge(guard.Question{Method: method, Path: path}).Allowed()
			if byPolicy && !byGuard {
				t.Fatalf("%s %s: the policy of %q admits the call, the guard does not\n%+v", method, path, scopes, p)
			}
			if byGuard && !byPolicy && allValid(scopes) {
				t.Fatalf("%s %s: the guard admits the call with %q, the policy does not\n%+v", method, path, scopes, p)
			}
		}
	})
}

func allValid(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !scope.Valid(s) })
}

var pieces = []string{"v1", "x", "xy", "a", "GET", "v1", "x"}

func scopeText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		method := rapid.SampledFrom([]string{"GET", "POST", "DELETE", "*", "*", "G*", "???", "GET/v1"}).Draw(t, "method")
		odd := append([]string{"*", "?", "${*}", "..", ".", ""}, pieces...)
		n := rapid.IntRange(0, 3).Draw(t, "segments")
		segments := rapid.SliceOfN(rapid.SampledFrom(odd), n, n).Draw(t, "path")
		end := rapid.SampledFrom([]string{"", "/", "*", "/*"}).Draw(t, "end")
		return method + " /" + strings.Join(segments, "/") + end
	})
}

func call() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 4).Draw(t, "segments")
		odd := append([]string{"..", ".", "", "*", "?"}, slices.Concat(pieces, pieces, pieces)...)
		segments := rapid.SliceOfN(rapid.SampledFrom(odd), n, n).Draw(t, "path")
		return "/" + strings.Join(segments, "/") + rapid.SampledFrom([]string{"", "/"}).Draw(t, "end")
	})
}

func TestPolicyOfAnyMethodMatchesNoSlash(t *testing.T) {
	p := policy(stage, []string{"* /v1/x"})
	for resource, want := range map[string]bool{
		"/GET/v1/x": true, "/PATCH/v1/x/": true, "/GET/other/v1/x": false, "/GET/v1/x/y": false, "/GET/v1/xy": false,
	} {
		if got := iamtest.Allows(p, stage+resource); got != want {
			t.Errorf("%s: got %t, want %t", resource, got, want)
		}
	}
}

func TestPolicyCoversTheCollectionInBothForms(t *testing.T) {
	for _, one := range []string{"GET /v1/auth/access-tokens", "GET /v1/auth/access-tokens/", "GET /v1/auth/access-tokens/*"} {
		p := policy(stage, []string{one})
		for _, path := range []string{"/v1/auth/access-tokens", "/v1/auth/access-tokens/"} {
			if !iamtest.Allows(p, stage+"/GET"+path) {
				t.Errorf("%q does not admit %s", one, path)
			}
		}
	}
}

func TestPolicyAdmitsOnlyItsAPIAndStage(t *testing.T) {
	for _, scopes := range [][]string{nil, {"* /*"}} {
		p := policy(stage, scopes)
		if !iamtest.Allows(p, stage+"/GET/v1/x") {
			t.Errorf("%q: a call of the stage is denied", scopes)
		}
		for _, other := range []string{
			"arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/test/GET/v1/x",
			"arn:aws:execute-api:us-east-1:123456789012:other/prod/GET/v1/x",
			"arn:aws:execute-api:eu-west-1:123456789012:gy415nuibc/prod/GET/v1/x",
		} {
			if iamtest.Allows(p, other) {
				t.Errorf("%q: %s is admitted", scopes, other)
			}
		}
	}
}

// TestPolicyDeniesUncleanPaths has the paths that the guard denies to a scoped
// token only because of their form.
func TestPolicyDeniesUncleanPaths(t *testing.T) {
	p := policy(stage, []string{"GET /v1/*"})
	for _, path := range []string{"/v1/a%2Fb", "/v1/a%2fb", "/v1/../x", "/v1//x", "/v1/.", "/v1/./x", "/v1/.."} {
		if iamtest.Allows(p, stage+"/GET"+path) {
			t.Errorf("%s is admitted", path)
		}
	}
}

// TestAPolicyAdmitsAPathOnlyIfAllReadingsAreInScope has the hostile paths as the
// client sent them. Only a path with an escape that cannot be decoded may pass.
func TestAPolicyAdmitsAPathOnlyIfAllReadingsAreInScope(t *testing.T) {
	p := policy(stage, []string{scopetest.Scope})
	for _, path := range scopetest.Hostile {
		if !iamtest.Allows(p, stage+"/GET"+path) {
			continue
		}
		if outside := scopetest.Outside(scopetest.Scope, path); outside != "" {
			t.Errorf("%q is admitted, and a backend may read it as %q", path, outside)
		}
		if _, err := url.PathUnescape(path); err == nil {
			t.Errorf("%q is admitted, and the guard refuses it", path)
		}
	}
	for _, path := range scopetest.Odd {
		if !strings.Contains(path, "%") && !iamtest.Allows(p, stage+"/GET"+path) {
			t.Errorf("%q is denied, and all backends read it as a path in scope", path)
		}
	}
}

// TestAPolicyDeniesEscapesOfOldServers has escapes that cannot be decoded, and that
// some servers decode in their own way, or in two steps.
func TestAPolicyDeniesEscapesOfOldServers(t *testing.T) {
	p := policy(stage, []string{scopetest.Scope})
	for _, path := range []string{"%u002e%u002e/admin", "%U002E%U002E/admin", "%%32%65%%32%65/admin", "..%u2215admin", "x%%32fy"} {
		if iamtest.Allows(p, stage+"/GET/v1/public/"+path) {
			t.Errorf("%s is admitted", path)
		}
	}
}

// TestUsualEscapesPassThePolicy has paths that common clients send.
func TestUsualEscapesPassThePolicy(t *testing.T) {
	p := policy(stage, []string{scopetest.Scope})
	for _, path := range []string{"a%20b", "%C3%A9", "%e4%b8%ad", "uid%3A7", "a%40b", "a%26b%3Dc", "100%25", "50%25%20off", "50%2520off", "a%2Cb", "x%3By", "%7Eann", "%5B1%5D", "%28x%29", "a%2Eb", "a.%2Eb"} {
		if !iamtest.Allows(p, stage+"/GET/v1/public/"+path) {
			t.Errorf("%s is denied", path)
		}
	}
}

func TestPolicyAdmitsHEADWhereverItAdmitsGET(t *testing.T) {
	p := policy(stage, []string{"GET /v1/x", "HEAD /v1/y", "POST /v1/z"})
	for resource, want := range map[string]bool{
		"/GET/v1/x": true, "/HEAD/v1/x": true, "/HEAD/v1/x/": true, "/HEAD/v1/y": true, "/GET/v1/y": false, "/HEAD/v1/z": false,
	} {
		if got := iamtest.Allows(p, stage+resource); got != want {
			t.Errorf("%s: got %t, want %t", resource, got, want)
		}
	}
}

// FuzzPolicy: if the policy of a scope admits a path, each backend reads it as a
// path within the scope. Bytes that no request line can have are left out, and so
// are long paths, for which the evaluator is slow.
func FuzzPolicy(f *testing.F) {
	for _, path := range append(scopetest.Hostile, scopetest.Odd...) {
		f.Add(path)
	}
	scopes := []string{scopetest.Scope, "GET /v1/pub*", "GET /v1/public/x/", "GET /v1/.*", "GET /*", "GET /"}
	var policies []lambdaevents.APIGatewayCustomAuthorizerPolicy
	for _, s := range scopes {
		policies = append(policies, policy(stage, []string{s}))
	}
	f.Fuzz(func(t *testing.T, path string) {
		if len(path) > 200 || !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Skip()
		}
		for i, p := range policies {
			if !iamtest.Allows(p, stage+"/GET"+path) {
				continue
			}
			if outside := scopetest.Outside(scopes[i], path); outside != "" {
				t.Errorf("the policy of %s admits %q, and a backend may read it as %q", scopes[i], path, outside)
			}
		}
	})
}

func TestScopesThatIAMWouldWidenAdmitNothing(t *testing.T) {
	for _, one := range []string{"GET /v1/*/x", "GET /v1/?", "GET /${*}", "G?T /v1", "GET", "", "GET v1", "GET/v1 /x"} {
		p := policy(stage, []string{one})
		if len(p.Statement) != 1 || p.Statement[0].Effect != "Deny" {
			t.Errorf("%q: got %+v, want only a denial", one, p)
		}
	}
}

// TestLargestPolicyFits compares the answer for the most and longest scopes of
// a token with the limits: Lambda's 6 MB for an answer, and API Gateway's 512
// characters for an ARN.
func TestLargestPolicyFits(t *testing.T) {
	scopes := slices.Repeat([]string{"* /" + strings.Repeat("x", 128-len("* /"))}, 16)
	q := Question{stage: "arn:aws-us-gov:execute-api:us-gov-east-1:123456789012:gy415nuibc/" + strings.Repeat("s", 128)}
	answer, err := q.Allow(Policy, guard.Principal{Owner: "ann", TokenID: "JhxND7ci", Scopes: scopes})
	if err != nil || len(answer) > 128<<10 {
		t.Errorf("the answer has %d bytes, %v", len(answer), err)
	}
	for _, s := range policy(q.stage, scopes).Statement {
		for _, arn := range s.Resource {
			if len(arn) > 512 {
				t.Fatalf("an ARN has %d characters", len(arn))
			}
		}
	}
}

func TestARNsWithoutAStageAreFaults(t *testing.T) {
	for _, arn := range []string{
		"", "arn:aws:execute-api:us-east-1:123456789012", "arn:aws:s3:::bucket/prod/GET/x", "arn:aws:execute-api:us-east-1:123456789012:api",
		"arn:aws:execute-api:us-east-1:123456789012:api/*/GET/x", "arn:aws:execute-api:us-east-1:123456789012:*/prod/GET/x", "arn:aws:execute-api:us-east-1:1${x}2:api/prod/GET/x",
	} {
		if got, err := parseARN(arn); err == nil {
			t.Errorf("%q: got %+v, want an error", arn, got)
		}
	}
	got, err := parseARN(stage + "/GET")
	if err != nil || got != (methodARN{stage: stage, method: "GET", path: "/"}) {
		t.Errorf("the root path without a slash: got %+v, %v", got, err)
	}
}
