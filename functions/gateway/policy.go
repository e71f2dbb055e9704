package gateway

import (
	"fmt"
	"net/http"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/token"
)

// methods are all methods that API Gateway serves. The method "*" of a scope
// becomes this list. An IAM wildcard would match slashes too, so "stage/*/v1/x"
// would admit GET /other/v1/x.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// uncleanPaths are IAM patterns of paths that guard.Principal.Allows never
// admits for a scoped token, under any scope. The server of the call may read
// such a path as another path. The last two patterns are escaped slashes.
var uncleanPaths = []string{"//*", "/./*", "/../*", "/.", "/..", "%2F*", "%2f*"}

// policy returns the policy that admits the calls of the scopes, in this API
// and stage only. Each scope becomes the ARNs of its calls: one for each method
// and each of the two ways to end a path.
//
// An ARN is far shorter than the limit of a policy's resource, 512 characters.
// 16 scopes need at most about 45 KB. A REST API accepts the whole answer of a
// Lambda function; only WebSocket APIs have a limit of 8 KB.
func policy(stage string, scopes []string) lambdaevents.APIGatewayCustomAuthorizerPolicy {
	if len(scopes) == 0 {
		return document(statement("Allow", stage+"/*"))
	}
	var admitted []string
	for _, scope := range scopes {
		for _, call := range callPatterns(scope) {
			admitted = append(admitted, stage+"/"+call)
		}
	}
	if len(admitted) == 0 {
		return document(statement("Deny", stage+"/*"))
	}
	var refused []string
	for _, path := range uncleanPaths {
		refused = append(refused, stage+"/*"+path)
	}
	return document(statement("Allow", admitted...), statement("Deny", refused...))
}

// callPatterns returns the calls of a scope as IAM patterns METHOD/PATH. A text
// that is not a valid scope has no calls, because IAM could read it as more
// calls than the guard does. In a valid scope, IAM gives a special meaning only
// to the "*" at the end.
func callPatterns(scope string) (patterns []string) {
	if token.ParseScope(scope) != nil {
		return nil
	}
	method, path, _ := strings.Cut(scope, " ")
	for _, m := range methodsOf(method) {
		for _, p := range pathPatterns(path) {
			patterns = append(patterns, m+p)
		}
	}
	return patterns
}

func methodsOf(method string) []string {
	if method == "*" {
		return methods
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
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the method's ARN must begin with arn:PARTITION:execute-api:")
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
