package gateway

import (
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/events/token"
)

const stage = "arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/prod"

// iamAllows evaluates a policy as AWS documents: an explicit deny wins; then an
// allow; without either the call is denied. It shares nothing with the code
// under test.
func iamAllows(p lambdaevents.APIGatewayCustomAuthorizerPolicy, resource string) bool {
	allowed := false
	for _, s := range p.Statement {
		if !slices.Equal(s.Action, []string{"execute-api:Invoke"}) {
			continue
		}
		if slices.ContainsFunc(s.Resource, func(pattern string) bool { return iamMatches(pattern, resource) }) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = allowed || s.Effect == "Allow"
		}
	}
	return allowed
}

// iamMatches matches as IAM does: "*" matches any characters, slashes and
// colons included; "?" matches any one character; ${*}, ${?} and ${$} match the
// character between the braces.
func iamMatches(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case strings.HasPrefix(pattern, "${") && len(pattern) > 3 && pattern[3] == '}':
		return strings.HasPrefix(text, pattern[2:3]) && iamMatches(pattern[4:], text[1:])
	case pattern[0] == '*':
		return iamMatches(pattern[1:], text) || text != "" && iamMatches(pattern, text[1:])
	case text == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && iamMatches(pattern[1:], text[1:])
}

// TestPolicyAdmitsWhatTheGuardAdmits compares the policy of random scopes with
// the guard's answer for random calls. For scopes that the rules accept, both
// admit exactly the same calls. For all other scopes, the policy never admits
// more than the guard.
func TestPolicyAdmitsWhatTheGuardAdmits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.SliceOfN(scope(), 1, 4).Draw(t, "scopes")
		p := policy(stage, scopes)
		principal := guard.Principal{Scopes: scopes}
		for range 20 {
			method, path := rapid.SampledFrom(methods).Draw(t, "method"), call().Draw(t, "path")
			byPolicy, byGuard := iamAllows(p, stage+"/"+method+path), principal.Allows(method, path)
			if byPolicy && !byGuard {
				t.Fatalf("%s %s: the policy of %q admits the call, the guard does not\n%+v", method, path, scopes, p)
			}
			if byGuard && !byPolicy && token.ValidScopes(scopes) == nil {
				t.Fatalf("%s %s: the guard admits the call with %q, the policy does not\n%+v", method, path, scopes, p)
			}
		}
	})
}

var pieces = []string{"v1", "x", "xy", "a", "GET", "v1", "x"}

func scope() *rapid.Generator[string] {
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
		if got := iamAllows(p, stage+resource); got != want {
			t.Errorf("%s: got %t, want %t", resource, got, want)
		}
	}
}

func TestPolicyCoversTheCollectionInBothForms(t *testing.T) {
	for _, scope := range []string{"GET /v1/auth/access-tokens", "GET /v1/auth/access-tokens/", "GET /v1/auth/access-tokens/*"} {
		p := policy(stage, []string{scope})
		for _, path := range []string{"/v1/auth/access-tokens", "/v1/auth/access-tokens/"} {
			if !iamAllows(p, stage+"/GET"+path) {
				t.Errorf("%q does not admit %s", scope, path)
			}
		}
	}
}

func TestPolicyAdmitsOnlyItsAPIAndStage(t *testing.T) {
	for _, scopes := range [][]string{nil, {"* /*"}} {
		p := policy(stage, scopes)
		if !iamAllows(p, stage+"/GET/v1/x") {
			t.Errorf("%q: a call of the stage is denied", scopes)
		}
		for _, other := range []string{
			"arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/test/GET/v1/x",
			"arn:aws:execute-api:us-east-1:123456789012:other/prod/GET/v1/x",
			"arn:aws:execute-api:eu-west-1:123456789012:gy415nuibc/prod/GET/v1/x",
		} {
			if iamAllows(p, other) {
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
		if iamAllows(p, stage+"/GET"+path) {
			t.Errorf("%s is admitted", path)
		}
	}
}

func TestScopesThatIAMWouldWidenAdmitNothing(t *testing.T) {
	for _, scope := range []string{"GET /v1/*/x", "GET /v1/?", "GET /${*}", "G?T /v1", "GET", "", "GET v1", "GET/v1 /x"} {
		p := policy(stage, []string{scope})
		if len(p.Statement) != 1 || p.Statement[0].Effect != "Deny" {
			t.Errorf("%q: got %+v, want only a denial", scope, p)
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
