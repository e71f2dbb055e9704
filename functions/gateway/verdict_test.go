package gateway

import (
	"encoding/json"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
	"apitoken/functions/payloads"
)

// verdict has all members of both forms of an answer.
type verdict struct {
	lambdaevents.APIGatewayCustomAuthorizerResponse
	IsAuthorized *bool `json:"isAuthorized"`
}

// TestEveryAnswerHasTheReasonOfA403, in each form: the policy of an Allow may not
// admit the call.
func TestEveryAnswerHasTheReasonOfA403(t *testing.T) {
	ann := guard.Principal{
		Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent, Scopes: []string{"GET /v1/x"},
	}
	for _, payload := range payloads.Names(t, "authorizer-*") {
		for _, form := range []Form{Policy, Simple} {
			q, err := ParseQuestion(t.Context(), payloads.Read(t, payload))
			if err != nil {
				t.Fatal(err)
			}
			for name, c := range map[string]struct {
				answer         func() ([]byte, error)
				allowed        bool
				denial, detail string
			}{
				"allow":          {func() ([]byte, error) { return q.Allow(form, ann) }, true, "_by_scope", "The token's scopes do not allow this call."},
				"deny by scope":  {func() ([]byte, error) { return q.Deny(form, guard.OutOfScope) }, false, "_by_scope", "The token's scopes do not allow this call."},
				"deny by source": {func() ([]byte, error) { return q.Deny(form, guard.WrongSource) }, false, "_by_source", "The token's source ranges do not allow the address of this request."},
			} {
				t.Run(payload+", "+string(form)+", "+name, func(t *testing.T) {
					b, err := c.answer()
					if err != nil {
						t.Fatal(err)
					}
					var got verdict
					if err := json.Unmarshal(b, &got); err != nil {
						t.Fatal(err)
					}
					if got.Context["denial"] != c.denial || got.Context["detail"] != c.detail {
						t.Errorf("got the context %v, want %s and %q", got.Context, c.denial, c.detail)
					}
					if simple := q.ExpectsSimple(form); simple != (got.IsAuthorized != nil) || simple && *got.IsAuthorized != c.allowed {
						t.Errorf("got %s", b)
					}
					p, err := parsePrincipal(got.Context)
					if (err == nil) != c.allowed || c.allowed && p.Owner != "ann" {
						t.Errorf("a handler gets %+v, %v from %v", p, err, got.Context)
					}
				})
			}
		}
	}
}
