package gateway

import (
	"fmt"
	"net/http"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/scope"
)

// methods are all methods that API Gateway serves. The method "*" of a scope
// becomes this list. An IAM wildcard would match slashes too, so "stage/*/v1/x"
// would admit GET /other/v1/x.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// ambiguousPaths are IAM patterns of the paths that scope.CallOf refuses. IAM
// knows no character classes, so the list differs from CallOf in two ways:
//   - It refuses more paths with escapes that no client needs, such as an encoded
//     dot at the beginning of a segment.
//   - It does not refuse all escapes that cannot be decoded. Every reading of the
//     paths that it then admits is within the scope.
var ambiguousPaths = []string{
	// An empty segment, also with a path parameter.
	"//*", "/;*", "/%3B*", "/%3b*",
	// A dot segment, also with a path parameter.
	"/.", "/./*", "/.;*", "/.%3B*", "/.%3b*", "/..", "/../*", "/..;*", "/..%3B*", "/..%3b*",
	"/%2E*", "/%2e*", "/.%2E*", "/.%2e*",
	// A slash, a backslash, a control character.
	"%2F*", "%2f*", `\*`, "%5C*", "%5c*", "%0*", "%1*", "%7F*", "%7f*",
	// The same characters encoded twice. In the last line, a digit of the escape is
	// encoded too.
	"%252E*", "%252e*", "%252F*", "%252f*", "%253B*", "%253b*", "%255C*", "%255c*", "%250*", "%251*", "%257F*", "%257f*",
	"%252%*", "%253%*", "%255%*", "%257%*", "%25%3*", "%%*",
	// The escapes %uXXXX, which only some old servers decode.
	"%U*", "%u*",
}

// policy returns the policy that admits the calls of the scopes, in this API
// and stage only. Each scope becomes the ARNs of its calls: one for each method
// and each of the two ways to end a path.
//
// An ARN is far shorter than the limit of a policy's resource, 512 characters.
// 16 scopes need at most about 60 KB. A REST API accepts the whole answer of a
// Lambda function; only WebSocket APIs have a limit of 8 KB.
func policy(stage string, scopes []string) lambdaevents.APIGatewayCustomAuthorizerPolicy {
	if len(scopes) == 0 {
		return document(statement("Allow", stage+"/*"))
	}
	var admitted []string
	for _, text := range scopes {
		for _, call := range callPatterns(text) {
			admitted = append(admitted, stage+"/"+call)
		}
	}
	if len(admitted) == 0 {
		return document(statement("Deny", stage+"/*"))
	}
	var refused []string
	for _, path := range ambiguousPaths {
		refused = append(refused, stage+"/*"+path)
	}
	return document(statement("Allow", admitted...), statement("Deny", refused...))
}

// callPatterns returns the calls of a scope as IAM patterns METHOD/PATH. A text
// that is not a valid scope has no calls, because IAM could read it as more
// calls than the guard does. In a valid scope, IAM gives a special meaning only
// to the "*" at the end.
func callPatterns(text string) (patterns []string) {
	if !scope.Valid(text) {
		return nil
	}
	method, path, _ := strings.Cut(text, " ")
	for _, m := range methodsOf(method) {
		for _, p := range pathPatterns(path) {
			patterns = append(patterns, m+p)
		}
	}
	return patterns
}

// methodsOf returns the methods that a scope's method allows. HEAD is GET without
// a body.
func methodsOf(method string) []string {
	switch method {
	case "*":
		return methods
	case http.MethodGet:
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

// pathPatterns returns the patterns of a scope's path, with and without a slash
// at the end: both forms are the same path.
func pathPatterns(path string) []string {
	begin, open := strings.CutSuffix(path, "*")
	bare := strings.TrimSuffix(begin, "/")
	switch {
	case open && bare != begin && bare != "":
		return []string{bare, path}
	case open || bare == "":
		return []string{path}
	}
	return []string{bare, bare + "/"}
}

func document(statements ...lambdaevents.IAMPolicyStatement) lambdaevents.APIGatewayCustomAuthorizerPolicy {
	return lambdaevents.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: statements}
}

func statement(effect string, resources ...string) lambdaevents.IAMPolicyStatement {
	return lambdaevents.IAMPolicyStatement{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: resources}
}

// methodARN is arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH.
type methodARN struct {
	stage        string // the ARN up to STAGE, STAGE included
	method, path string
}

func parseARN(text string) (methodARN, error) {
	fields := strings.SplitN(text, ":", 6)
	if len(fields) != 6 || fields[0] != "arn" || fields[2] != "execute-api" {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the beginning of the method's ARN must be arn:PARTITION:execute-api")
	}
	parts := strings.SplitN(fields[5], "/", 4)
	if len(parts) < 3 {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the method's ARN has no API, stage or method; it must end with API/STAGE/METHOD/PATH")
	}
	stage := strings.Join(fields[:5], ":") + ":" + parts[0] + "/" + parts[1]
	if strings.ContainsAny(stage, "*?{") {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the ARN of API and stage must not have a wildcard")
	}
	path := "/"
	if len(parts) == 4 {
		path += parts[3]
	}
	return methodARN{stage: stage, method: parts[2], path: path}, nil
}
