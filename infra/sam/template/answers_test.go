package template_test

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apitoken/cmd/readme/readmetest"
	"apitoken/events/guard"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
)

// answered has the problem code of each answer that the gateway itself gives. The
// code of ACCESS_DENIED is in the authorizer's context, see denials_test.go.
var answered = map[string]string{
	"UNAUTHORIZED": "token_invalid", "ACCESS_DENIED": guard.CodeOutOfScope, "MISSING_AUTHENTICATION_TOKEN": "path_not_found",
	"DEFAULT_4XX": "refused_by_gateway", "REQUEST_TOO_LARGE": "body_too_large", "THROTTLED": "throttled",
	"AUTHORIZER_FAILURE": "unavailable", "AUTHORIZER_CONFIGURATION_ERROR": "unavailable",
	"INTEGRATION_FAILURE": "unavailable", "INTEGRATION_TIMEOUT": "unavailable", "DEFAULT_5XX": "unavailable",
}

// onlyTheGateway are codes that the service itself never answers.
var onlyTheGateway = []string{"refused_by_gateway", "throttled"}

// anyStatus is the gateway's answer for several statuses. A StatusCode
// would replace each of them, and the text of the answer cannot name it.
const anyStatus = "DEFAULT_4XX"

func TestTheGatewayAnswersAsTheServiceDoes(t *testing.T) {
	all := at(read(t), "Resources", "Api", "Properties", "GatewayResponses").(object)
	for kind := range all {
		if answered[kind] == "" {
			t.Errorf("this test knows no code for the gateway's answer %s", kind)
		}
	}
	for kind, code := range answered {
		t.Run(kind, func(t *testing.T) {
			if all[kind] == nil {
				t.Fatal("template.yaml lacks it")
			}
			p := problem(t, all[kind])
			if kind == "ACCESS_DENIED" {
				p = denied(t, map[string]string{"denial": "_by_scope", "detail": "No."})
			}
			if p.Code != code || p.Type != "urn:apitoken:problem:"+code || p.RequestID != "$context.requestId" {
				t.Errorf("got code %s, type %s, request id %s", p.Code, p.Type, p.RequestID)
			}
			if !slices.Contains(machine.Codes(), code) && !slices.Contains(onlyTheGateway, code) {
				t.Errorf("%s is not a code of the service", code)
			}
			var status any = p.Status
			if kind == anyStatus {
				status = nil
				if p.Status != 0 || p.Retryable {
					t.Errorf("the problem has the status %d, retryable %t", p.Status, p.Retryable)
				}
			}
			want(t, all[kind], status, "StatusCode")
			checkHeaders(t, at(all[kind], "ResponseParameters", "Headers"), p)
			likeTheService(t, p)
		})
	}
}

func problem(t *testing.T, answer any) (p httpapi.Problem) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(at(answer, "ResponseTemplates", "application/json").(string)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("its template is not a problem: %v", err)
	}
	if text := at(answer, "ResponseTemplates", "application/json").(string); strings.Contains(text, "error.message") {
		t.Errorf("the gateway's own message may repeat a header with a token: %s", text)
	}
	if p.Errors == nil || p.Title == "" || p.Detail == "" || p.Description != p.Detail {
		t.Errorf("a member of its template is empty or wrong: %+v", p)
	}
	return p
}

func checkHeaders(t *testing.T, headers any, p httpapi.Problem) {
	t.Helper()
	want(t, headers, "'application/problem+json'", "Content-Type")
	want(t, headers, "'no-store'", "Cache-Control")
	want(t, headers, "context.requestId", "X-Request-Id")
	var challenge, retry any
	if p.Status == 401 {
		challenge = object{"Fn::If": list("HasDomain",
			sub(`'Bearer realm="apitoken", resource_metadata="https://${DomainName}`+machine.MetadataPath+`", Basic realm="apitoken"'`),
			`'Bearer realm="apitoken", Basic realm="apitoken"'`)}
	}
	if p.Status == 503 || p.Status == 429 {
		retry = "'1'"
	}
	want(t, headers, challenge, "WWW-Authenticate")
	want(t, headers, retry, "Retry-After")
	if p.Retryable != (retry != nil) {
		t.Errorf("retryable: got %v with Retry-After %v", p.Retryable, retry)
	}
}

// TestThePageNamesTheCallsWithARenamedChallenge: a REST API renames the challenge
// of a function's own 401, and clients look for the name that they know.
func TestThePageNamesTheCallsWithARenamedChallenge(t *testing.T) {
	b, err := os.ReadFile(top + "infra/sam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "functions answer 401 themselves:")
	text, renamed, _ := strings.Cut(text, "renames their `WWW-Authenticate` to")
	var routes []machine.Route
	for _, f := range faces.All() {
		for _, r := range machine.Routes(f) {
			r.Path = cmp.Or(f.Under, r.Path)
			routes = append(routes, r)
		}
	}
	for _, r := range routes {
		if !r.Direct && !r.Refuses || r.Shown { // with Shown, it reads no header with a credential
			continue
		}
		path := strings.TrimSuffix(strings.TrimSuffix(r.Path, "/events"), "/rotate")
		if r.Path == "/v1/session/who-am-i" {
			path = "who-am-i"
		}
		if !strings.Contains(text, "`"+r.Function+"`") || !strings.Contains(text, path) {
			t.Errorf("infra/sam/README.md does not name %s %s of the function %s", r.Method, r.Path, r.Function)
		}
	}
	if !strings.HasPrefix(strings.TrimSpace(renamed), "`x-amzn-Remapped-WWW-Authenticate`") {
		t.Errorf("infra/sam/README.md does not name the header that API Gateway sends: %.60q", renamed)
	}
}

// likeTheService compares the problem with the README's row, and with the recorded
// answer of the service itself, if the service has this code.
func likeTheService(t *testing.T, p httpapi.Problem) {
	t.Helper()
	gatewayOnly, status := slices.Contains(onlyTheGateway, p.Code), strconv.Itoa(p.Status)
	if p.Status == 0 {
		status = "4xx"
	}
	if row := readmetest.Rows(t, "code")[p.Code]; len(row) != 3 || row[1] != status || strings.Contains(row[2], "Only API Gateway") != gatewayOnly {
		t.Errorf("the README's row of %s is %q, the status is %s; answered by the gateway only: %t", p.Code, row, status, gatewayOnly)
	}
	b, err := os.ReadFile(top + "functions/httpapi/testdata/problems.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var own httpapi.Problem
		if err := json.Unmarshal([]byte(line), &own); err != nil {
			t.Fatal(err)
		}
		if own.Code == p.Code {
			if p.Title != own.Title || p.Status != own.Status || p.ErrorClass != own.ErrorClass || p.Retryable != own.Retryable {
				t.Errorf("got %+v, the service answers %+v", p, own)
			}
			return
		}
	}
	if !gatewayOnly {
		t.Errorf("the service has no recorded problem with the code %s", p.Code)
	}
}
