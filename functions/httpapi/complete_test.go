package httpapi_test

import (
	"context"
	"net/http/httptest"
	"reflect"
	"testing"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/routetest"
)

// TestSampleAnswersAreOfEveryRoute: the OpenAPI document is compared with the
// sample answers, so a route without one would not be compared.
func TestSampleAnswersAreOfEveryRoute(t *testing.T) {
	r := routetest.NewRecorder()
	for _, a := range sampleAnswers(newScene(t)) {
		if a.status < 400 {
			r.Record(httptest.NewRequest(a.method, a.path, nil))
		}
	}
	for _, route := range r.Missing(nil) {
		t.Errorf("sampleAnswers (openapi_test.go) has no answer, or no successful one, of %s", route)
	}
}

// TestClientHasAMethodForEveryRoute calls every method of the Go client on a
// server that notes which routes are asked.
func TestClientHasAMethodForEveryRoute(t *testing.T) {
	r := routetest.NewRecorder()
	server := httptest.NewServer(r)
	defer server.Close()
	client := reflect.ValueOf(httpapi.NewClient(server.URL, secret.Mint("").Text(), nil))
	for i := range client.NumMethod() {
		client.Method(i).Call(sampleArguments(t, client.Method(i).Type()))
	}
	for _, route := range r.Missing(map[string]string{
		"POST /v1/auth/authorize":                   "a service asks it in its own language",
		"POST /v1/oauth/introspect":                 "libraries of OAuth ask it",
		"POST /v1/oauth/revoke":                     "libraries of OAuth ask it",
		"GET /.well-known/oauth-protected-resource": "libraries of OAuth ask it",
		"GET /v1/session/roles":                     "only Qumulo's clients ask it",
		"GET /openapi.yaml":                         "it is a document",
		"GET /ui/login":                             "browsers ask it",
		"GET /ui/callback":                          "browsers ask it",
	}) {
		t.Errorf("no method of httpapi.Client asks %s", route)
	}
}

// sampleArguments are arguments for a method of the client: the test's context,
// an id for each text, and zero values.
func sampleArguments(t *testing.T, method reflect.Type) (args []reflect.Value) {
	for i := range method.NumIn() {
		switch in := method.In(i); {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(t.Context()))
		case in.Kind() == reflect.String:
			args = append(args, reflect.ValueOf("JhxND7ci"))
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	return args
}
