package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// Question is what API Gateway asks a custom authorizer. Request is as much of
// the client's request as the payload tells: always the method, the path below
// the API, and all values of the Authorization header; never a body. Source is
// invalid if the payload tells no address, as that of a TOKEN authorizer.
// RequestID is API Gateway's own, which its answers bear; "" if it is not told.
type Question struct {
	Request   *http.Request
	Source    netip.Addr
	RequestID string

	stage  string // ARN of API and stage, which the answer's policy is about
	simple bool   // format 2.0: the answer may be a plain yes or no
}

var errForeign = errors.New("reading an authorizer payload: its type is neither TOKEN nor REQUEST")

// ParseQuestion reads an authorizer's payload: of a REST API (TOKEN or REQUEST)
// or of an HTTP API (format 1.0 or 2.0).
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
		return restQuestion(ctx, payload)
	}
	return Question{}, errForeign
}

// tokenQuestion knows the header's value and, from the ARN, method and path.
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

func restQuestion(ctx context.Context, payload []byte) (Question, error) {
	var in lambdaevents.APIGatewayCustomAuthorizerRequestTypeRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return Question{}, fmt.Errorf("reading a REQUEST payload of format 1.0: %w", err)
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
	return Question{Request: r, Source: address(source), RequestID: in.RequestContext.RequestID, stage: arn.stage}, err
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
	return Question{
		Request: r, Source: address(in.RequestContext.HTTP.SourceIP), RequestID: in.RequestContext.RequestID,
		stage: arn.stage, simple: true,
	}, err
}
