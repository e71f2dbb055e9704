package gateway

import (
	"encoding/json"
	"errors"
	"fmt"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
)

// ErrUnauthorized is the error for which API Gateway answers 401. API Gateway
// compares the whole text, so return this error as it is and never wrap it.
var ErrUnauthorized = errors.New("Unauthorized")

// noPrincipal is the principal id of a denial. API Gateway requires a principal
// id in every policy answer.
const noPrincipal = "nobody"

// Form is the kind of answer that an HTTP API expects for a payload of format
// 2.0. The API's setting EnableSimpleResponses decides it; the payload does not
// contain the setting.
type Form string

const (
	Policy Form = "policy" // an IAM policy for all calls of the stage

	// Simple is a yes or no about the one request. It is only for authorizers
	// without a cache: API Gateway caches it by the identity sources, so after one
	// yes the token may make every call, whatever its scopes are.
	Simple Form = "simple"
)

// ExpectsSimple reports whether the answer must be a yes or no about the one
// request, and not a policy for the whole stage. f is the setting of the API.
func (q Question) ExpectsSimple(f Form) bool { return q.simple && f == Simple }

// Allow returns the answer that admits the principal. A policy lists the calls
// of the stage that the principal may make. The policy is the same for every
// request of the principal, so API Gateway may cache it.
func (q Question) Allow(f Form, p guard.Principal) ([]byte, error) {
	if q.ExpectsSimple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: Context(p)})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: p.Owner, PolicyDocument: policy(q.stage, p.Scopes), Context: Context(p),
	})
}

// Deny returns the answer for which API Gateway answers 403.
func (q Question) Deny(f Form) ([]byte, error) {
	if q.ExpectsSimple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: noPrincipal, PolicyDocument: document(statement("Deny", q.stage+"/*")),
	})
}

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding an authorizer's answer: %w", err)
	}
	return b, nil
}
