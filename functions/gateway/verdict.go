package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

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
//
// The context says why API Gateway may answer 403 in spite of this answer: the
// policy does not admit the call. Handlers ignore these members.
func (q Question) Allow(f Form, p guard.Principal) ([]byte, error) {
	context := denialContext(guard.OutOfScope)
	maps.Copy(context, Context(p))
	if q.ExpectsSimple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: context})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: p.Owner, PolicyDocument: policy(q.stage, p.Scopes), Context: context,
	})
}

// Deny returns the answer for which API Gateway answers 403. Its context has the
// reason and no principal, so no handler accepts it.
func (q Question) Deny(f Form, reason *guard.Denial) ([]byte, error) {
	if q.ExpectsSimple(f) {
		return marshal(lambdaevents.APIGatewayV2CustomAuthorizerSimpleResponse{Context: denialContext(reason)})
	}
	return marshal(lambdaevents.APIGatewayCustomAuthorizerResponse{
		PrincipalID: noPrincipal, PolicyDocument: document(statement("Deny", q.stage+"/*")), Context: denialContext(reason),
	})
}

// IsForbidden reports whether API Gateway answers 403, and not 401, for this
// reason.
func IsForbidden(reason *guard.Denial) bool { return strings.HasPrefix(reason.Code, forbidden) }

// forbidden is the beginning of every code that is answered with 403.
const forbidden = "permission_denied"

// The members of the authorizer's context for the 403 of API Gateway, whose body
// template.yaml writes with $context.authorizer.MEMBER. keyDenial has only the end
// of the code, after "permission_denied": a variable without a value is empty, and
// then the answer still has a code.
const (
	keyDenial       = "denial"
	keyDenialDetail = "detail"
)

func denialContext(reason *guard.Denial) map[string]any {
	return map[string]any{
		keyDenial:       strings.TrimPrefix(reason.Code, forbidden),
		keyDenialDetail: strings.ToUpper(reason.Detail[:1]) + reason.Detail[1:] + ".",
	}
}

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding an authorizer's answer: %w", err)
	}
	return b, nil
}
