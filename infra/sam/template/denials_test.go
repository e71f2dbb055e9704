package template_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/payloads"
)

// TestTheGateways403NamesItsReason writes the body of the 403 with the context of
// each answer of the authorizer, as API Gateway does ("simple variable
// substitutions"), and compares it with the service's own problem.
func TestTheGateways403NamesItsReason(t *testing.T) {
	deny := func(reason *guard.Denial) func(gateway.Question, gateway.Form) ([]byte, error) {
		return func(q gateway.Question, f gateway.Form) ([]byte, error) { return q.Deny(f, reason) }
	}
	for name, c := range map[string]struct {
		answer func(gateway.Question, gateway.Form) ([]byte, error)
		code   string
	}{
		"a denial for the address": {deny(guard.WrongSource), guard.CodeWrongSource},
		"a denial for the scope":   {deny(guard.OutOfScope), guard.CodeOutOfScope},
		"a policy that does not admit the call": {func(q gateway.Question, f gateway.Form) ([]byte, error) {
			return q.Allow(f, guard.Principal{Owner: "ann", TokenID: "JhxND7ci", Scopes: []string{"GET /v1/other"}})
		}, guard.CodeOutOfScope},
	} {
		for _, payload := range []string{"authorizer-token", "authorizer-request"} {
			q, err := gateway.ParseQuestion(t.Context(), payloads.Read(t, payload))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.answer(q, gateway.Policy)
			if err != nil {
				t.Fatal(err)
			}
			got, own := denied(t, contextOf(t, answer)), ownProblem(t, c.code)
			got.RequestID, got.Instance = own.RequestID, own.Instance
			if gotText, wantText := encode(t, got), encode(t, own); gotText != wantText {
				t.Errorf("%s, %s: the gateway's 403 is\n%s\nand the service's own\n%s", name, payload, gotText, wantText)
			}
		}
	}
}

// TestTheGateways403HasACodeWithoutAContext: an API with this answer may refuse a
// request by a rule of its own, such as a resource policy. Then there is no context.
func TestTheGateways403HasACodeWithoutAContext(t *testing.T) {
	p := denied(t, nil)
	if !slices.Contains(machine.Codes(), p.Code) || p.Code != "permission_denied" || p.Type != "urn:apitoken:problem:"+p.Code || p.Status != 403 || p.Title == "" {
		t.Errorf("got %+v, want the code permission_denied", p)
	}
}

// TestOnlyTheAuthorizerDenies: every 403 of the API has a context, because nothing
// but the authorizer refuses its calls.
func TestOnlyTheAuthorizerDenies(t *testing.T) {
	auth := at(read(t), "Resources", "Api", "Properties", "Auth").(object)
	for name := range auth {
		if name != "DefaultAuthorizer" && name != "Authorizers" {
			t.Errorf("Api has Auth.%s: can it refuse a call? Then that 403 has no reason", name)
		}
	}
	want(t, auth, "REQUEST", "Authorizers", "TokenAuthorizer", "FunctionPayloadType")
	if len(auth["Authorizers"].(object)) != 1 {
		t.Errorf("Api has the authorizers %v, want one", auth["Authorizers"])
	}
}

// contextOf returns the context of an authorizer's answer. All its members must be
// text.
func contextOf(t *testing.T, answer []byte) map[string]string {
	t.Helper()
	var a struct {
		Context map[string]string `json:"context"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatalf("reading the answer %s: %v", answer, err)
	}
	return a.Context
}

var gatewayVariable = regexp.MustCompile(`\$context(\.\w+)+`)

// denied returns the problem that API Gateway answers as ACCESS_DENIED after an
// authorizer's answer with this context.
func denied(t *testing.T, context map[string]string) (p httpapi.Problem) {
	t.Helper()
	text := at(read(t), "Resources", "Api", "Properties", "GatewayResponses", "ACCESS_DENIED", "ResponseTemplates", "application/json").(string)
	body := gatewayVariable.ReplaceAllStringFunc(text, func(variable string) string {
		if variable == "$context.requestId" {
			return variable
		}
		name, found := strings.CutPrefix(variable, "$context.authorizer.")
		if !found {
			t.Errorf("this test does not know %s", variable)
		}
		return context[name]
	})
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%s is not a problem: %v", body, err)
	}
	return p
}

// ownProblem returns the recorded answer of the service with this code.
func ownProblem(t *testing.T, code string) httpapi.Problem {
	t.Helper()
	b, err := os.ReadFile(top + "functions/httpapi/testdata/problems.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var p httpapi.Problem
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if p.Code == code {
			return p
		}
	}
	t.Fatalf("the service has no recorded problem with the code %s", code)
	return httpapi.Problem{}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
