package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
)

// untouched is a store that must not be used. Each of its methods panics, and the
// answer is then 500.
type untouched struct{ events.Store }

// gatewayMethods are the methods that API Gateway knows.
var gatewayMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// TestAboutAnswersUnknownCallsAndServesNothingGuarded: API Gateway sends the function
// each call that no other event has, and runs no authorizer before it. So a guarded
// call that reaches it by mistake gets 404, also with the token of an administrator and
// with the context of an authorizer.
func TestAboutAnswersUnknownCallsAndServesNothingGuarded(t *testing.T) {
	d := deploy(t, true)
	_, made, err := issuer.New(issuer.Config{Store: d.Store, Keys: d.Keys}).Bootstrap(t.Context(), "admin", false)
	if err != nil {
		t.Fatal(err)
	}
	admin := made.Reveal()
	// The same payload and token pass where the call belongs.
	if got := d.callUnknown(serve(d.Function, "list"), "GET", "/v1/auth/access-tokens", vector, admin); got.StatusCode != 200 {
		t.Fatalf("the function list: got %+v, want 200", got)
	}
	d.Keys, d.Store = events.Keys{}, untouched{}
	about := serve(d.Function, "about")
	for path, own := range knownMethods("about") {
		all := knownMethods("")[path]
		for _, method := range gatewayMethods {
			if slices.Contains(own, method) {
				continue
			}
			status, code, allow := 404, "path_not_found", ""
			if len(all) > 0 && !slices.Contains(all, method) {
				status, code, allow = 405, "method_not_allowed", strings.Join(all, ", ")
			}
			for name, changes := range credentials(t, admin) {
				got := d.callUnknown(about, method, path, changes...)
				checkUnknown(t, method+" "+path+" with "+name, got, method, status, code, allow)
				got = d.callUnknown(about, method, path+"/", changes...)
				checkUnknown(t, method+" "+path+"/ with "+name, got, method, status, code, allow)
			}
		}
	}
	for _, method := range gatewayMethods {
		for name, changes := range credentials(t, admin) {
			checkUnknown(t, method+" / with "+name, d.call(about, "rest-root", append(changes, `"GET"`, `"`+method+`"`)...), method, 404, "path_not_found", "")
		}
	}
}

// callUnknown sends a call as a REST API sends the calls of the greedy path.
func (d *deployment) callUnknown(h lambda.Handler, method, path string, changes ...string) answer {
	d.Helper()
	return d.call(h, "rest-unknown", append([]string{`"GET"`, `"` + method + `"`, "v1/nothing", strings.TrimPrefix(path, "/")}, changes...)...)
}

// credentials are changes to a payload: none, the token of an administrator, the same
// with the context of an authorizer, and no credential.
func credentials(t *testing.T, admin string) map[string][]string {
	t.Helper()
	context, err := json.Marshal(gateway.Context(guard.Principal{
		Owner: "admin", TokenID: admin[:8], Kind: guard.KindToken, Credential: guard.CredentialCurrent,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"an unknown token":         nil,
		"a good token":             {vector, admin},
		"the authorizer's context": {vector, admin, `"requestContext": {`, `"requestContext": {"authorizer": ` + string(context) + `,`},
		"no credential":            {`"Authorization"`, `"X-Other"`},
	}
}

// knownMethods has the methods of each path, sorted: those of the function about, or of
// all functions. It also has unknown paths, without methods. The function about does
// not have the paths of another face, so they are unknown to it.
func knownMethods(function string) map[string][]string {
	known := map[string][]string{"/v1": nil, "/v1/nothing": nil, "/v2/auth/access-tokens": nil, "/v1/users/ann": nil, "/api": nil}
	fill := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann", "{vms}", "1")
	for _, r := range faces.Routes() {
		path := fill.Replace(r.Path)
		methods := known[path]
		if (function == "" || r.Function == function) && r.Function != "vast" {
			methods = append(methods, r.Method)
			if r.Method == "GET" {
				methods = append(methods, "HEAD")
			}
		}
		known[path] = methods
	}
	for _, methods := range known {
		slices.Sort(methods)
	}
	return known
}

func checkUnknown(t *testing.T, call string, got answer, method string, status int, code, allow string) {
	t.Helper()
	header := func(name string) string {
		if v := got.MultiValueHeaders[name]; len(v) > 0 {
			return strings.Join(v, ", ")
		}
		return got.Headers[name]
	}
	if got.StatusCode != status || header("Allow") != allow || header("Content-Type") != "application/problem+json" {
		t.Errorf("%s: got %+v, want %d with Allow %q", call, got, status, allow)
		return
	}
	if method == "HEAD" {
		if got.Body != "" {
			t.Errorf("%s: an answer to HEAD has the body %s", call, got.Body)
		}
		return
	}
	var p httpapi.Problem
	got.into(t, &p)
	if p.Code != code || p.Status != status || p.RequestID != header("X-Request-Id") {
		t.Errorf("%s: got %+v, want the code %s", call, p, code)
	}
}
