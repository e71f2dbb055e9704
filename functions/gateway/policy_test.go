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

// iam is what AWS documents of policy evaluation, written without regard to the
// code under test: an explicit deny wins, then an allow, then nothing passes.
func iam(p lambdaevents.APIGatewayCustomAuthorizerPolicy, resource string) bool {
	allowed := false
	for _, s := range p.Statement {
		if !slices.Equal(s.Action, []string{"execute-api:Invoke"}) {
			continue
		}
		if slices.ContainsFunc(s.Resource, func(pattern string) bool { return wildcard(pattern, resource) }) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = allowed || s.Effect == "Allow"
		}
	}
	return allowed
}

// wildcard is IAM's matching: "*" is any characters, slashes and colons
// included, "?" is any one, and ${*}, ${?}, ${$} stand for themselves.
func wildcard(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case strings.HasPrefix(pattern, "${") && len(pattern) > 3 && pattern[3] == '}':
		return strings.HasPrefix(text, pattern[2:3]) && wildcard(pattern[4:], text[1:])
	case pattern[0] == '*':
		return wildcard(pattern[1:], text) || text != "" && wildcard(pattern, text[1:])
	case text == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && wildcard(pattern[1:], text[1:])
}

// TestPolicyAdmitsWhatTheGuardAdmits holds the policy of random scopes against
// the guard's own answer for random calls. Scopes that the rules accept have to
// agree to the letter; of any others, the policy never admits more.
func TestPolicyAdmitsWhatTheGuardAdmits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.SliceOfN(scope(), 1, 4).Draw(t, "scopes")
		p := policy(stage, scopes)
		principal := guard.Principal{Scopes: scopes}
		for range 20 {
			method, path := rapid.SampledFrom(methods).Draw(t, "method"), call().Draw(t, "path")
			passes, admitted := iam(p, stage+"/"+method+path), principal.Allows(method, path)
			if passes && !admitted {
				t.Fatalf("%s %s: the policy of %q admits it, the guard does not\n%+v", method, path, scopes, p)
			}
			if admitted && !passes && token.ValidScopes(scopes) == nil {
				t.Fatalf("%s %s: the guard admits it with %q, the policy does not\n%+v", method, path, scopes, p)
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

func TestPolicyOfWildcardMethodCrossesNoSlash(t *testing.T) {
	p := policy(stage, []string{"* /v1/x"})
	for resource, want := range map[string]bool{
		"/GET/v1/x": true, "/PATCH/v1/x/": true, "/GET/other/v1/x": false, "/GET/v1/x/y": false, "/GET/v1/xy": false,
	} {
		if got := iam(p, stage+resource); got != want {
			t.Errorf("%s: got %t, want %t", resource, got, want)
		}
	}
}

func TestPolicyCoversTheCollectionInBothForms(t *testing.T) {
	for _, scope := range []string{"GET /v1/auth/access-tokens", "GET /v1/auth/access-tokens/", "GET /v1/auth/access-tokens/*"} {
		p := policy(stage, []string{scope})
		for _, path := range []string{"/v1/auth/access-tokens", "/v1/auth/access-tokens/"} {
			if !iam(p, stage+"/GET"+path) {
				t.Errorf("%q does not admit %s", scope, path)
			}
		}
	}
}

func TestPolicyKeepsToAPIAndStage(t *testing.T) {
	for _, scopes := range [][]string{nil, {"* /*"}} {
		p := policy(stage, scopes)
		if !iam(p, stage+"/GET/v1/x") {
			t.Errorf("%q: a call of the stage is denied", scopes)
		}
		for _, other := range []string{
			"arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/test/GET/v1/x",
			"arn:aws:execute-api:us-east-1:123456789012:other/prod/GET/v1/x",
			"arn:aws:execute-api:eu-west-1:123456789012:gy415nuibc/prod/GET/v1/x",
		} {
			if iam(p, other) {
				t.Errorf("%q: %s is admitted", scopes, other)
			}
		}
	}
}

// TestPolicyRefusesPathsInDisguise holds what a scoped token is refused by the
// guard for the form of the path alone.
func TestPolicyRefusesPathsInDisguise(t *testing.T) {
	p := policy(stage, []string{"GET /v1/*"})
	for _, path := range []string{"/v1/a%2Fb", "/v1/a%2fb", "/v1/../x", "/v1//x", "/v1/.", "/v1/./x", "/v1/.."} {
		if iam(p, stage+"/GET"+path) {
			t.Errorf("%s is admitted", path)
		}
	}
}

func TestPolicyOfScopesThatIAMWouldWidenAdmitsNothing(t *testing.T) {
	for _, scope := range []string{"GET /v1/*/x", "GET /v1/?", "GET /${*}", "G?T /v1", "GET", "", "GET v1", "GET/v1 /x"} {
		p := policy(stage, []string{scope})
		if len(p.Statement) != 1 || p.Statement[0].Effect != "Deny" {
			t.Errorf("%q: got %+v, want nothing but a denial", scope, p)
		}
	}
}

// TestLargestPolicyFits holds the size of the answer for the most and longest
// scopes that a token may have against Lambda's limit of 6 MB, and its ARNs
// against API Gateway's of 512 characters.
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

func TestARNsOfNoStageAreFaults(t *testing.T) {
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
		t.Errorf("the root without its slash: got %+v, %v", got, err)
	}
}
