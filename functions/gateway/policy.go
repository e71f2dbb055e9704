package gateway

import (
	"fmt"
	"net/http"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/token"
)

// methods are all that API Gateway serves. A scope's "*" becomes this list and
// not an IAM wildcard: that would match slashes too, so that "stage/*/v1/x"
// would admit GET /other/v1/x.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// rough are the paths that guard.Principal.Allows never admits to a scoped
// token, in whatever scope they would lie, since whoever serves the call may
// read them as another path; the last two are slashes in disguise.
var rough = []string{"//*", "/./*", "/../*", "/.", "/..", "%2F*", "%2f*"}

// policy admits what the scopes admit, of API and stage and nothing else. Each
// scope becomes the ARNs of its calls, one for each method and each of the two
// ways to end a path. An ARN stays far under the 512 characters that a policy's
// resource may have, and 16 scopes come to some 45 KB at most, where a REST API
// takes a Lambda function's whole answer; only WebSocket APIs stop at 8 KB.
func policy(stage string, scopes []string) lambdaevents.APIGatewayCustomAuthorizerPolicy {
	if len(scopes) == 0 {
		return document(statement("Allow", stage+"/*"))
	}
	var admitted []string
	for _, scope := range scopes {
		for _, call := range calls(scope) {
			admitted = append(admitted, stage+"/"+call)
		}
	}
	if len(admitted) == 0 {
		return document(statement("Deny", stage+"/*"))
	}
	var refused []string
	for _, ending := range rough {
		refused = append(refused, stage+"/*"+ending)
	}
	return document(statement("Allow", admitted...), statement("Deny", refused...))
}

// calls are a scope's calls as IAM patterns of METHOD/PATH. What is no scope has
// none: IAM could read it as more than the guard does. A scope's characters
// mean nothing to IAM, the "*" at the end aside.
func calls(scope string) (patterns []string) {
	if token.ParseScope(scope) != nil {
		return nil
	}
	method, path, _ := strings.Cut(scope, " ")
	spelled := []string{method}
	if method == "*" {
		spelled = methods
	}
	for _, m := range spelled {
		for _, p := range endings(path) {
			patterns = append(patterns, m+p)
		}
	}
	return patterns
}

// endings are the patterns of a scope's path: with and without the slash at its
// end, which are one path.
func endings(path string) []string {
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
	stage        string // up to and with STAGE
	method, path string
}

func parseARN(text string) (methodARN, error) {
	fields := strings.SplitN(text, ":", 6)
	if len(fields) != 6 || fields[0] != "arn" || fields[2] != "execute-api" {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the method's ARN is not one of execute-api")
	}
	parts := strings.SplitN(fields[5], "/", 4)
	if len(parts) < 3 {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the method's ARN lacks API, stage or method")
	}
	stage := strings.Join(fields[:5], ":") + ":" + parts[0] + "/" + parts[1]
	if strings.ContainsAny(stage, "*?{") {
		return methodARN{}, fmt.Errorf("reading an authorizer payload: the ARN of API and stage has a wildcard")
	}
	path := "/"
	if len(parts) == 4 {
		path += parts[3]
	}
	return methodARN{stage: stage, method: parts[2], path: path}, nil
}
