package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/guard"
	"apitoken/events/token"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt"
)

// logGroup is the log group of the deployment in these tests.
const logGroup = "stack-logs"

// send makes a call as a REST API sends it, and returns its log line too.
func (d *deployment) send(h lambda.Handler, method, path, text, body string) (answer, map[string]any) {
	d.Helper()
	in := lambdaevents.APIGatewayProxyRequest{
		HTTPMethod: method, Path: path, Body: body, Headers: map[string]string{"Authorization": "Bearer " + text},
		RequestContext: lambdaevents.APIGatewayProxyRequestContext{Path: "/prod" + path, Authorizer: gateway.Context(guard.Principal{
			Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent,
		})},
	}
	if proxy, below := strings.CutPrefix(path, "/api/"); below { // the greedy path of the template
		in.Resource, in.PathParameters = "/api/{proxy+}", map[string]string{"proxy": strings.TrimSuffix(proxy, "/")}
	}
	payload, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	d.log.Reset()
	out, err := h.Invoke(d.Context(), payload)
	if err != nil {
		d.Fatalf("%s %s: %v", method, path, err)
	}
	var a answer
	var line map[string]any
	request, _, _ := bytes.Cut(d.log.Bytes(), []byte("\n"))
	if err := json.Unmarshal(out, &a); err != nil {
		d.Fatal(err)
	}
	if err := json.Unmarshal(request, &line); err != nil || line["message"] != telemetry.Request {
		d.Fatalf("%s %s: got the log %s, want one line of a request", method, path, d.log.Bytes())
	}
	return a, line
}

// metricsOf returns the metrics of a log line, each with its sets of dimensions.
func metricsOf(t *testing.T, line map[string]any) map[string][][]string {
	t.Helper()
	var directive struct {
		CloudWatchMetrics []struct {
			Dimensions [][]string
			Metrics    []struct{ Name string }
		}
	}
	b, err := json.Marshal(line["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &directive); err != nil {
		t.Fatal(err)
	}
	found := map[string][][]string{}
	for _, d := range directive.CloudWatchMetrics {
		for _, m := range d.Metrics {
			found[m.Name] = d.Dimensions
		}
	}
	return found
}

func deployWithLogGroup(t *testing.T) *deployment {
	t.Helper()
	d := deploy(t, false)
	d.Deployment = "test"
	d.Log = telemetry.NewLogger(telemetry.Config{Out: &d.log, Function: "f", LogGroup: logGroup})
	return d
}

// TestTheTokenLimitIsNoFaultOfVAST: a user at the limit gets a 503, which VAST's
// clients know. It is an answer like every other refusal: the operator is not called.
func TestTheTokenLimitIsNoFaultOfVAST(t *testing.T) {
	d := deployWithLogGroup(t)
	text, _ := d.token(token.Wish{})
	h := telemetry.Observe(serve(d.Function, "vast"))
	created := 0
	var a answer
	var line map[string]any
	for range 10 {
		if a, line = d.send(h, "POST", "/api/latest/apitokens/", text, `{"name":"ci"}`); a.StatusCode != http.StatusCreated {
			break
		}
		created++
		if line["operation"] != "create" || line[telemetry.Created] != 1.0 || line["status"] != 201.0 {
			t.Errorf("a creation is logged as %v", line)
		}
	}
	if created == 0 || a.StatusCode != http.StatusServiceUnavailable || strings.TrimSpace(a.Body) != `"Max allowed API tokens reached"` {
		t.Fatalf("after %d tokens: got %+v, want VAST's 503", created, a)
	}
	for name := range a.MultiValueHeaders {
		if strings.EqualFold(name, "Retry-After") {
			t.Errorf("got the header %s; another try would be refused too", name)
		}
	}
	if line["level"] != "INFO" || line["status"] != 503.0 || line["code"] != "token_limit_reached" || line["error"] != nil {
		t.Errorf("the limit is logged as %v", line)
	}
	if got := slices.Collect(maps.Keys(metricsOf(t, line))); !slices.Equal(got, []string{telemetry.LimitReached}) {
		t.Errorf("got the metrics %v, want %s alone", got, telemetry.LimitReached)
	}
}

// TestAFaultOfEveryFunctionIsCountedForTheStack: the alarm ApiErrors adds up the faults
// of all functions, by the dimension of the log group.
func TestAFaultOfEveryFunctionIsCountedForTheStack(t *testing.T) {
	d := deployWithLogGroup(t)
	if err := d.Store.(*bolt.Store).Close(); err != nil {
		t.Fatal(err)
	}
	faults := map[string]int{}
	for _, r := range faces.Routes() {
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann", "{vms}", "1").Replace(r.Path)
		body := map[string]string{"POST /v1/auth/authorize": `{"token":"` + vector + `"}`, "POST /v1/session/exchange": exchangeForm + vector}[r.Method+" "+r.Path]
		a, line := d.send(telemetry.Observe(serve(d.Function, r.Function)), r.Method, path, vector, body)
		if a.StatusCode < http.StatusInternalServerError {
			continue
		}
		faults[r.Function]++
		dimensions := metricsOf(t, line)[telemetry.Faults]
		counted := slices.ContainsFunc(dimensions, func(set []string) bool { return slices.Equal(set, []string{telemetry.LogGroup}) })
		if !counted || line[telemetry.Faults] != 1.0 || line[telemetry.LogGroup] != logGroup || line["level"] != "ERROR" {
			t.Errorf("%s %s without a store: got %d, logged as %v", r.Method, path, a.StatusCode, line)
		}
	}
	for _, function := range httpFunctions() {
		if faults[function] == 0 {
			t.Errorf("no call of %s fails without a store, so this test shows nothing about it", function)
		}
	}
}
