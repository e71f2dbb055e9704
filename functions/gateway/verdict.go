package gateway

import (
	"encoding/json"
	"errors"
	"fmt"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
)

// ErrUnauthorized answers a question with 401. API Gateway compares the whole
// text, so this error is returned as it is and never wrapped.
var ErrUnauthorized = errors.New("Unauthorized")

// nobody is the principal id of an answer that names none; API Gateway wants one.
const nobody = "nobody"

// Form is what an HTTP API expects as the answer to format 2.0: that is set
// with the API (EnableSimpleResponses) and not told in the payload.
type Form string

const (
	Simple Form = "simple"
	Policy Form = "policy"
)

// Simple says that a yes or no about this very request is wanted, and no policy
// for the whole stage.
func (q Question) Simple(f Form) bool { return q.simple && f == Simple }

// Allow answers that the principal may make its calls. As a policy, it says
// which calls of the stage these are, and is the same whichever was asked
// about, so it may be cached.
func (q Question) Allow(f Form, p guard.Principal) ([]byte, error) {
	if q.Simple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: Context(p)})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: p.Owner, PolicyDocument: policy(q.stage, p.Scopes), Context: Context(p),
	})
}

// Deny answers 403.
func (q Question) Deny(f Form) ([]byte, error) {
	if q.Simple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: nobody, PolicyDocument: document(statement("Deny", q.stage+"/*")),
	})
}

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding an authorizer's answer: %w", err)
	}
	return b, nil
}
