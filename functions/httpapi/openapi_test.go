package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"

	"apitoken/localstack/longtest"
	"github.com/getkin/kin-openapi/openapi3"
)

func TestOpenAPIDocumentIsValidWithItsExamples(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenAPIDocumentDescribesEachPartAndMember(t *testing.T) {
	for _, missing := range documented(t).Undescribed("**Who may call it:** ", "**Errors:**") {
		t.Errorf("openapi.yaml has no description of %s", missing)
	}
}

// sampleAnswers returns answers of every call. Together they have every member
// that an answer may have.
func sampleAnswers(w *scene) []answer {
	ann, text := w.make(httpapi.CreateRequest{Name: "tour", ExpiresIn: "1Y", Scopes: []string{"* /v1/*"}, SourceIPs: []string{"0.0.0.0/0"}})
	var all []answer
	visit := func(method, path, token, body string) {
		w.t.Helper()
		all = append(all, w.do(method, path, token, body))
	}
	visit("GET", "/v1/session/who-am-i", text, "") // the use is stored before the next request
	visit("POST", collection, w.admin, `{"user":{"uid":7}}`)
	for range 6 { // the limit is five, so the sixth is refused
		visit("POST", collection, w.admin, `{"user":{"name":"bob"},"expires_in":"1D"}`)
	}
	all = append(all, // a request with a key, its repeat, and another request with the key
		w.createWith(w.admin, `{"user":{"name":"kay"}}`, someKey), w.createWith(w.admin, `{"user":{"name":"kay"}}`, someKey), w.createWith(w.admin, `{}`, someKey))
	visit("GET", collection+ann.ID, w.admin, "")
	visit("GET", collection, w.admin, "")
	visit("GET", collection+"?limit=1", w.admin, "")
	visit("GET", collection+"?user=local:bob", w.admin, "")
	visit("GET", collection+ann.ID+"/events", w.admin, "")
	visit("GET", "/v1/users/bob/events?limit=1", w.admin, "")
	visit("GET", "/v1/events", w.admin, "")
	visit("GET", "/v1/events?limit=1", w.admin, "")
	visit("POST", "/v1/auth/authorize", w.admin, `{"token":"`+text+`"}`)
	visit("POST", "/v1/auth/authorize", w.admin, `{"token":"nonsense"}`)
	all = append(all, w.postForm(oauthIntrospect, w.admin, "token", text, "source_ip", "192.0.2.7"), w.postForm(oauthIntrospect, w.admin, "token", "nonsense"),
		w.postForm(oauthIntrospect, "", "token", text), w.postForm(oauthRevoke, "", "token", "nonsense"), w.postForm(oauthRevoke, ""))
	session, signedIn := w.session()
	visit("GET", collection+"?kind=session", w.admin, "")
	visit("GET", "/v1/users/"+person+"/events?kind=session", w.admin, "")
	visit("PATCH", collection+session, w.admin, `{}`)
	visit("POST", collection+session+"/rotate", w.admin, "")
	visit("GET", "/v1/session/who-am-i", signedIn, "")
	visit("PUT", "/v1/groups", w.admin, `{"alias":"corp","group":"/team","permissions":["view"]}`)
	visit("GET", "/v1/groups", w.admin, "")
	visit("PUT", "/v1/groups", w.admin, `{"alias":"Corp","group":"/team","permissions":["view"]}`)
	visit("GET", "/v1/settings", w.admin, "")
	visit("PATCH", "/v1/settings", w.admin, "{}")
	for _, call := range []struct{ method, of, body string }{
		{"PUT", "permissions", `{"permissions":["view"]}`}, {"GET", "permissions", ""}, {"PUT", "limit", `{"token_limit":2}`}, {"GET", "limit", ""},
		{"PUT", "suspension", `{"reason":"stolen"}`}, {"GET", "suspension", ""}, {"DELETE", "suspension", ""}, {"POST", "offboard", `{"reason":"left"}`},
	} {
		visit(call.method, "/v1/users/joe/"+call.of, w.admin, call.body)
	}
	_, own := w.make(httpapi.CreateRequest{User: named("eve")})
	visit("GET", "/v1/auth/access-tokens/self/events", own, "")
	visit("GET", "/v1/auth/access-tokens/self", own, "")
	eve := strings.SplitN(own, ".", 2)[0]
	if _, _, err := w.issuer.Rotate(w.t.Context(), guard.Principal{Owner: "eve"}, eve, nil, nil); err != nil {
		w.t.Fatal(err)
	}
	visit("GET", collection+eve, w.admin, "")
	visit("PATCH", collection+eve, w.admin, `{"description":"changed"}`)
	all = append(all, w.changeWith("PATCH", collection+eve, w.admin, `{}`, `"1"`), w.changeWith("DELETE", collection+eve, w.admin, "", `W/"1"`))
	visit("PATCH", collection+eve, own, `{}`)
	visit("POST", collection+ann.ID+"/rotate", w.admin, `{"grace":"0"}`)
	_, own = w.make(httpapi.CreateRequest{User: named("eve")})
	visit("POST", collection+ann.ID+"/rotate", w.admin, `{"grace":"0"}`)
	rotated := w.do("POST", "/v1/auth/access-tokens/self/rotate", own, "")
	all, own = append(all, rotated), decodeAs[httpapi.Created](w.t, rotated).BearerToken.Reveal()
	visit("POST", "/v1/auth/access-tokens/self/rotate", own, "") // the token has just rotated itself
	visit("DELETE", "/v1/auth/access-tokens/self", own, "")
	visit("DELETE", collection+ann.ID, w.admin, "")
	visit("DELETE", collection+ann.ID, w.admin, "")
	visit("GET", collection+ann.ID+"?state=revoked", w.admin, "")
	page, _ := w.opened(w.exchange("access_token", w.admin, "ui", "true"))
	w.atPage(page.AccessToken.Reveal(), "zed", "203.0.113.9")
	visit("GET", "/v1/users/zed/events", w.admin, "")
	w.change(settings.Change{ChangeRate: new(1)})
	visit("POST", collection, w.admin, `{"user":{"uid":7}}`)
	visit("POST", collection, w.admin, `{"nmae":"x"}`)
	visit("POST", collection, "", `{}`)
	visit("GET", "/v1/session/roles", w.admin, "")
	all = append(all, w.exchange("access_token", w.admin), w.exchange("jwt", "nonsense"))
	visit("GET", issuersPath, "", "")
	w.withProvider()
	visit("GET", issuersPath, "", "")
	b := w.browser()
	all = append(all, b.get("/ui/login?issuer=nobody"), b.get("/ui/login?issuer=work"), b.signIn("issuer=work"), b.get("/ui/callback"))
	visit("POST", "/v1/session/login", "", `{"username":"admin","password":"hunter2"}`)
	known := &knownPasswords{of: map[string]string{"lea": "sesame"}}
	all = append(all, w.logIn(known, `{"username":"lea","password":"sesame"}`), w.logIn(known, `{"username":"lea","password":"hunter2"}`), w.logIn(known, `{"password":7}`))
	for _, path := range []string{"/v1/version", "/healthz", "/openapi.yaml", machine.MetadataPath} {
		visit("GET", path, "", "")
	}
	old, _ := w.make(httpapi.CreateRequest{User: named("zoe")})
	w.sleep(2 * time.Hour)
	w.make(httpapi.CreateRequest{User: named("zoe")})
	visit("GET", collection+old.ID+"?at=2026-11-21T22:00:00Z", w.admin, "")
	w.sleep(400*24*time.Hour - time.Hour) // the record of the creation is past its retention
	visit("GET", collection+old.ID+"?at=2026-11-21T22:00:00Z", w.admin, "")
	return all
}

func TestOpenAPIDocumentAgreesWithRoutesCodesAndAnswers(t *testing.T) {
	answers := sampleAnswers(newScene(t))
	if complaints := parseDocument(t).firstComplaints(answers); len(complaints) > 0 {
		t.Errorf("got complaints:\n%s", strings.Join(complaints, "\n"))
	}
}

// requests are the schemas of request bodies, which no answer has.
var requests = map[string]bool{"CreateRequest": true, "UpdateRequest": true, "IdentityRequest": true, "IntrospectRequest": true, "RotateRequest": true,
	"LoginRequest": true, "OAuthIntrospectRequest": true, "OAuthRevokeRequest": true, "ExchangeRequest": true,
	"SettingsChange": true, "UserPermissionsChange": true, "GroupChange": true, "UserLimitChange": true, "SuspensionRequest": true}

// TestOpenAPICheckerNoticesAnIncompleteDocument removes one part at a time from
// the document: a path, an operation, an answered status, a member of an answer,
// a code.
func TestOpenAPICheckerNoticesAnIncompleteDocument(t *testing.T) {
	longtest.SkipSequential(t)
	answers := sampleAnswers(newScene(t))
	noticed := func(what string, d *document, answers []answer) {
		t.Helper()
		if len(d.firstComplaints(answers)) == 0 {
			t.Errorf("without %s there is no complaint", what)
		}
	}
	without := func(key string, path ...string) {
		t.Helper()
		d := parseDocument(t)
		object, _ := d.at(path...)
		members, _ := object.(map[string]any)
		if _, there := members[key]; !there {
			t.Fatalf("there is no %s in %v", key, path)
		}
		delete(members, key)
		noticed(strings.Join(path, " ")+" "+key, d, answers)
	}
	whole := parseDocument(t)
	for path, item := range whole.root["paths"].(map[string]any) {
		without(path, "paths")
		for method := range item.(map[string]any) {
			if method != "parameters" {
				without(method, "paths", path)
			}
		}
	}
	for _, s := range answers {
		without(fmt.Sprint(s.status), "paths", whole.pathOf(s.path), strings.ToLower(s.method), "responses")
	}
	schemas, _ := whole.at("components", "schemas")
	for name, schema := range schemas.(map[string]any) {
		members, _ := schema.(map[string]any)["properties"].(map[string]any)
		for member := range members {
			if !requests[name] {
				without(member, "components", "schemas", name, "properties")
			}
		}
	}
	for i, code := range machine.Codes() {
		d := parseDocument(t)
		object, _ := d.at("components", "schemas", "ProblemCode")
		enum := object.(map[string]any)["enum"].([]any)
		object.(map[string]any)["enum"] = append(enum[:i:i], enum[i+1:]...)
		noticed("code "+code, d, answers)
	}
}

// TestOpenAPICheckerNoticesAMissingRouteCodeAndMember removes one part at a time
// from the service: a code, a route, a required member of a real answer.
func TestOpenAPICheckerNoticesAMissingRouteCodeAndMember(t *testing.T) {
	for code := range codes() {
		less := codes()
		delete(less, code)
		if len(documented(t).codeComplaints(less)) == 0 {
			t.Errorf("without the code %s there is no complaint", code)
		}
	}
	routes := httpapi.Routes()
	for i, r := range routes {
		less := append(routes[:i:i], routes[i+1:]...)
		if len(documented(t).routeComplaints(less)) == 0 {
			t.Errorf("without the route %s %s there is no complaint", r.Method, r.Path)
		}
	}
	for _, s := range sampleAnswers(newScene(t)) {
		var whole map[string]any
		if json.Unmarshal(s.body, &whole) != nil {
			continue
		}
		for member := range whole {
			if optional[member] {
				continue
			}
			less := map[string]any{}
			for k, v := range whole {
				if k != member {
					less[k] = v
				}
			}
			cut := s
			cut.body, _ = json.Marshal(less)
			if len(documented(t).complaints(cut)) == 0 {
				t.Errorf("%s %s: without %s there is no complaint", s.method, s.path, member)
			}
		}
		whole["surplus"] = true
		more := s
		more.body, _ = json.Marshal(whole)
		if len(documented(t).complaints(more)) == 0 {
			t.Errorf("%s %s: with a surplus member there is no complaint", s.method, s.path)
		}
	}
}

// optional are the members that may be absent from an answer.
var optional = map[string]bool{
	"last_used": true, "last_used_address": true, "ended_time": true, "first_instant": true, "previous_secret_until": true, "instance": true, "token_limit": true, "live_tokens": true, "soonest_expiry": true, "user_limit": true,
	"reason": true, "id": true, "user": true, "scopes": true, "expiration_time": true, // of an introspection
	"scope": true, "username": true, "sub": true, "iss": true, "jti": true, "token_type": true, "exp": true, "iat": true, // of one in the form of OAuth
}

// TestOpenAPIRequestsHaveTheMembersThatTheServiceReads compares the document with
// the members and parameters that a refusal lists as allowed.
func TestOpenAPIRequestsHaveTheMembersThatTheServiceReads(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct{ method, path, body, schema string }{
		{"POST", collection, `{"surplus":1}`, "CreateRequest"},
		{"POST", collection, `{"user":{"surplus":1}}`, "IdentityRequest"},
		{"PATCH", collection + "JhxND7ci", `{"surplus":1}`, "UpdateRequest"},
		{"POST", "/v1/auth/authorize", `{"surplus":1}`, "IntrospectRequest"},
		{"POST", collection + "JhxND7ci/rotate", `{"surplus":1}`, "RotateRequest"},
	} {
		detail := w.do(c.method, c.path, w.admin, c.body).expect(t, 400, "unknown_member").problem(t).Detail
		members, _ := documented(t).at("components", "schemas", c.schema, "properties")
		sameNames(t, c.schema, detail, members.(map[string]any))
	}
	for _, path := range []string{collection, collection + "JhxND7ci", collection + "JhxND7ci/events", "/v1/users/ann/events", "/v1/events"} {
		detail := w.do("GET", path+"?surplus=1", w.admin, "").expect(t, 400, "invalid_parameter").problem(t).Detail
		operation, _ := documented(t).at("paths", documented(t).pathOf(path), "get", "parameters")
		names := map[string]any{}
		for _, p := range operation.([]any) {
			parameter := p.(map[string]any)
			if ref, ok := parameter["$ref"].(string); ok {
				target, _ := documented(t).at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
				parameter = target.(map[string]any)
			}
			names[parameter["name"].(string)] = parameter
		}
		sameNames(t, path, detail, names)
	}
}

func sameNames(t *testing.T, what, detail string, names map[string]any) {
	t.Helper()
	_, allowed, _ := strings.Cut(strings.TrimSuffix(detail, "."), "allowed: ")
	read := strings.Split(allowed, ", ")
	if len(read) != len(names) {
		t.Errorf("%s: the service reads %v, the document has %d", what, read, len(names))
	}
	for _, name := range read {
		if _, ok := names[name]; !ok {
			t.Errorf("%s: the service reads %s, the document does not have it", what, name)
		}
	}
}
