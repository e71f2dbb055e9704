package gateway

import (
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// TestResourceIsNotUsedAsThePath: `sam local` puts the resource, with the names
// of its parameters, into the field that has the public path on API Gateway.
func TestResourceIsNotUsedAsThePath(t *testing.T) {
	for name, public := range map[string]string{
		"sam local": "/v1/auth/access-tokens/{id}", "API Gateway": "/prod/v1/auth/access-tokens/JhxND7ci", "neither": "",
	} {
		in := lambdaevents.APIGatewayProxyRequest{
			Resource: "/v1/auth/access-tokens/{id}", Path: "/v1/auth/access-tokens/JhxND7ci", HTTPMethod: "GET",
			PathParameters: map[string]string{"id": "JhxND7ci"},
			RequestContext: lambdaevents.APIGatewayProxyRequestContext{Path: public, HTTPMethod: "GET"},
		}
		r, err := restRequest(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.URL.Path != "/v1/auth/access-tokens/JhxND7ci" {
			t.Errorf("%s: got %s", name, r.URL.Path)
		}
	}
}
