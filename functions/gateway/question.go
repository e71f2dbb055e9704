package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// Question is the payload that API Gateway sends to a custom authorizer.
type Question struct {
	// Request has the parts of the client's request that the payload contains:
	// always the method, the API path as the client sent it and all values of the
	// Authorization header, never a body.
	Request *http.Request

	// Source is the client's address. It is invalid if the payload has none, as
	// the payload of a TOKEN authorizer.
	Source netip.Addr

	// Route is the path of the API's route, with the names of its parameters. It is
	// "" if the payload has none, and if the route takes any path.
	Route string

	// RequestID is API Gateway's id of the request, which its answers contain;
	// "" if the payload has none.
	RequestID string

	stage  string // ARN of API and stage, for the policy of the answer
	simple bool   // format 2.0: the answer may be a yes or no without a policy
}

var errUnknownType = errors.New("reading an authorizer payload: its type is unknown; allowed: TOKEN, REQUEST")

// ParseQuestion reads an authorizer's payload, from a REST API (TOKEN or
// REQUEST) or from an HTTP API (format 1.0 or 2.0). It returns an error for any
// other payload, and for an ARN that does not name an API and a stage.
func ParseQuestion(ctx context.Context, payload []byte) (Question, error) {
	var kind struct {
		version
		Type string `json:"type"`
	}
	if err := json.Unmarshal(payload, &kind); err != nil {
		return Question{}, fmt.Errorf("reading an authorizer payload: %w", err)
	}
	switch {
	case kind.Type == "TOKEN":
		return tokenQuestion(ctx, payload)
	case kind.Type == "REQUEST" && kind.Version == version2:
		return httpQuestion(ctx, payload)
	case kind.Type == "REQUEST":
		return restQuestion(ctx, payload, kind.Version != "")
	}
	return Question{}, errUnknownType
}

// tokenQuestion reads a payload that has only the value of the header. Method
// and path are from the ARN.
func tokenQuestion(ctx context.Context, payload []byte) (Question, error) {
	var in lambdaevents.APIGatewayCustomAuthorizerRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return Question{}, fmt.Errorf("reading a TOKEN payload: %w", err)
	}
	arn, err := parseARN(in.MethodArn)
	if err != nil {
		return Question{}, err
	}
	header := http.Header{}
	if in.AuthorizationToken != "" {
		header.Set("Authorization", in.AuthorizationToken)
	}
	r, err := request{method: arn.method, public: arn.path, path: arn.path, header: header}.build(ctx)
	return Question{Request: r, stage: arn.stage}, err
}

// restQuestion reads a payload of format 1.0. REST APIs send it with an encoded
// path and without a version; HTTP APIs send it with a decoded path.
func restQuestion(ctx context.Context, payload []byte, decoded bool) (Question, error) {
	var in lambdaevents.APIGatewayCustomAuthorizerRequestTypeRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return Question{}, fmt.Errorf("reading a REQUEST payload of format 1.0: %w", err)
	}
	if decoded {
		in.Path, in.RequestContext.Path = encodePath(in.Path), encodePath(in.RequestContext.Path)
	}
	arn, err := parseARN(in.MethodArn)
	if err != nil {
		return Question{}, err
	}
	source := in.RequestContext.Identity.SourceIP
	r, err := restRequest(ctx, lambdaevents.APIGatewayProxyRequest{
		Resource: in.Resource, Path: in.Path, HTTPMethod: in.HTTPMethod, PathParameters: in.PathParameters,
		Headers: in.Headers, MultiValueHeaders: in.MultiValueHeaders,
		QueryStringParameters: in.QueryStringParameters, MultiValueQueryStringParameters: in.MultiValueQueryStringParameters,
		RequestContext: lambdaevents.APIGatewayProxyRequestContext{
			Path: in.RequestContext.Path, Identity: lambdaevents.APIGatewayRequestIdentity{SourceIP: source},
		},
	})
	return Question{
		Request: r, Source: parseAddress(source), Route: routeOf(in.Resource), RequestID: in.RequestContext.RequestID, stage: arn.stage,
	}, err
}

func httpQuestion(ctx context.Context, payload []byte) (Question, error) {
	var in lambdaevents.APIGatewayV2CustomAuthorizerV2Request
	if err := json.Unmarshal(payload, &in); err != nil {
		return Question{}, fmt.Errorf("reading a REQUEST payload of format 2.0: %w", err)
	}
	arn, err := parseARN(in.RouteArn)
	if err != nil {
		return Question{}, err
	}
	r, err := httpRequest(ctx, lambdaevents.APIGatewayV2HTTPRequest{
		RouteKey: in.RouteKey, RawPath: in.RawPath, RawQueryString: in.RawQueryString, Headers: in.Headers,
		PathParameters: in.PathParameters, RequestContext: in.RequestContext,
	})
	_, route, _ := strings.Cut(in.RouteKey, " ") // "$default" has no path
	return Question{
		Request: r, Source: parseAddress(in.RequestContext.HTTP.SourceIP), Route: routeOf(route), RequestID: in.RequestContext.RequestID,
		stage: arn.stage, simple: true,
	}, err
}

// routeOf returns a route, or "" if the route has a parameter that takes the rest
// of a path.
func routeOf(route string) string {
	if strings.Contains(route, "+}") {
		return ""
	}
	return route
}
