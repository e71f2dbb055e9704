package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/scope/scopetest"
	"apitoken/events/token"
	"apitoken/functions/gateway"
	"apitoken/functions/gateway/iamtest"
	"apitoken/functions/payloads"
)

const stageARN = "arn:aws:execute-api:us-east-1:123456789012:gy415nuibc/prod"

// TestEverythingThatDecidesSeesTheSamePath gives each hostile path to everything
// that decides whether a call is in scope. Where one of them says yes, each backend
// must read the path as a path within the scope.
func TestEverythingThatDecidesSeesTheSamePath(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{Scopes: []string{scopetest.Scope}})
	for name, allows := range s.deciders(text) {
		for _, method := range []string{"GET", "HEAD"} {
			if !allows(method, "/v1/public/x") || allows(method, "/v1/admin") || allows("DELETE", "/v1/public/x") {
				t.Fatalf("%s does not decide by the scope", name)
			}
			for _, path := range hostile() {
				if !allows(method, path) {
					continue
				}
				sent, _, _ := strings.Cut(path, "?") // what follows is a query to a server
				if outside := scopetest.Outside(scopetest.Scope, sent); outside != "" {
					t.Errorf("%s allows %s %q, and a backend may read it as %q", name, method, path, outside)
				}
			}
		}
		for _, path := range scopetest.Odd {
			// IAM compares the path as it was sent, and an HTTP API's path is not decoded.
			exempt := strings.HasPrefix(name, "policy") && strings.Contains(path, "%") || name == simpleAnswer && path == "/v1/%70ublic/x"
			if !allows("GET", path) && !exempt {
				t.Errorf("%s refuses %q, and all backends read it as a path in scope", name, path)
			}
		}
	}
}

// hostile has the hostile paths as a client sends them, and decoded, as an HTTP API
// sends them.
func hostile() (paths []string) {
	for _, path := range scopetest.Hostile {
		paths = append(paths, path)
		// A request line and an ARN have no raw control characters.
		if decoded := scopetest.Decode(path); decoded != path && !strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			paths = append(paths, decoded)
		}
	}
	return paths
}

const simpleAnswer = "simple answer"

// deciders are all that decides about a call of the token.
func (s *scene) deciders(text string) map[string]func(method, path string) bool {
	return map[string]func(method, path string) bool{
		"guard":                func(m, p string) bool { return s.byGuard(text, m, p) },
		"introspection":        func(m, p string) bool { return s.byIntrospection(text, m, p) },
		"policy, REST TOKEN":   func(m, p string) bool { return s.byPolicy("authorizer-token", text, m, p) },
		"policy, REST REQUEST": func(m, p string) bool { return s.byPolicy("authorizer-request", text, m, p) },
		"policy, HTTP API 1.0": func(m, p string) bool { return s.byPolicy("authorizer-http-1.0", text, m, p) },
		"policy, HTTP API 2.0": func(m, p string) bool { return s.byPolicy("authorizer-http-2.0", text, m, p) },
		simpleAnswer:           func(m, p string) bool { return s.bySimpleAnswer(text, m, p) },
	}
}

// byGuard sends a request line as a client does. A line that the server cannot
// parse makes no call.
func (s *scene) byGuard(text, method, path string) bool {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+text)
	return s.issuer.Guard().Judge(s.Context(), guard.QuestionOf(r, netip.Addr{})).Allowed()
}

func (s *scene) byIntrospection(text, method, path string) bool {
	got, err := s.issuer.Introspect(s.Context(), guard.Principal{Owner: "ann"}, text, method+" "+path, netip.Addr{})
	return err == nil && got.Active
}

// byPolicy asks for the policy with another call, as if it was cached, and
// evaluates it for this one.
func (s *scene) byPolicy(payload, text, method, path string) bool {
	s.form = gateway.Policy
	return iamtest.Allows(s.reply(payload, text).PolicyDocument, stageARN+"/"+method+path)
}

func (s *scene) bySimpleAnswer(text, method, path string) bool {
	s.form = gateway.Simple
	r := s.decode(s.Invoke(s.Context(), s.asked("authorizer-http-2.0", text, method, path)))
	return r.IsAuthorized != nil && *r.IsAuthorized
}

// asked is a sample payload for this call.
func (s *scene) asked(name, text, method, path string) []byte {
	s.Helper()
	var p map[string]any
	if err := json.Unmarshal(payloads.Read(s, name), &p); err != nil {
		s.Fatal(err)
	}
	for _, member := range []string{"headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "rawQueryString"} {
		delete(p, member)
	}
	if _, ok := p["authorizationToken"]; ok {
		p["authorizationToken"] = "Bearer " + text
	}
	p["headers"] = map[string]any{"authorization": "Bearer " + text}
	context, _ := p["requestContext"].(map[string]any)
	for name, value := range map[string]any{"path": path, "httpMethod": method, "resource": "/{proxy+}", "rawPath": path, "routeKey": "$default"} {
		if _, ok := p[name]; ok {
			p[name] = value
		}
	}
	for _, name := range []string{"methodArn", "routeArn"} {
		if _, ok := p[name]; ok {
			p[name] = stageARN + "/" + method + path
		}
	}
	if call, ok := context["http"].(map[string]any); ok {
		call["method"], call["path"] = method, path
		context["stage"], context["routeKey"] = "$default", "$default"
	}
	if _, ok := context["path"]; ok {
		context["path"], context["httpMethod"], context["resourcePath"] = path, method, "/{proxy+}"
	}
	b, err := json.Marshal(p)
	if err != nil {
		s.Fatal(err)
	}
	return b
}

// TestAPolicyDoesNotDependOnTheFirstCall asks for each hostile path first. The
// policy that API Gateway caches then is the same.
func TestAPolicyDoesNotDependOnTheFirstCall(t *testing.T) {
	s := newScene(t)
	s.form = gateway.Policy
	_, text := s.token(token.Wish{Scopes: []string{scopetest.Scope, "POST /v1/x"}})
	for _, form := range forms {
		var first string
		for _, path := range append([]string{"/v1/public/x", "/v1/x"}, scopetest.Hostile...) {
			if !strings.HasPrefix(path, "/") {
				continue // it would change the ARN of the stage
			}
			policy := fmt.Sprint(s.decode(s.Invoke(t.Context(), s.asked(form, text, "GET", path))).PolicyDocument)
			if first == "" {
				first = policy
			}
			if policy != first {
				t.Errorf("%s, %q: got %s, want %s", form, path, policy, first)
			}
		}
	}
}

// TestTheAuthorizerDecodesPathsAsTheyAreSent compares the code of each answer's log
// line: REST APIs send a path encoded, and HTTP APIs send it decoded.
func TestTheAuthorizerDecodesPathsAsTheyAreSent(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{Scopes: []string{"GET /files/a"}})
	for _, c := range []struct {
		form, path string
		want       string
	}{
		{"authorizer-request", "/files/%61", codeOK}, {"authorizer-token", "/files/%61", codeOK},
		{"authorizer-http-1.0", "/files/%61", codeOutOfScope}, {"authorizer-http-2.0", "/files/%61", codeOutOfScope},
		{"authorizer-request", "/files/%2561", codeOutOfScope}, {"authorizer-token", "/files/%2561", codeOutOfScope},
		{"authorizer-http-1.0", "/files/a", codeOK}, {"authorizer-http-2.0", "/files/a", codeOK},
		{"authorizer-request", "/%66iles/a", codeOK}, {"authorizer-http-2.0", "/%66iles/a", codeOutOfScope},
		{"authorizer-request", "/%66%69%6c%65%73/%61/", codeOK}, {"authorizer-http-1.0", "/%66%69%6c%65%73/%61/", codeOutOfScope},
		{"authorizer-request", "/files%2Fa", codeOutOfScope}, {"authorizer-http-2.0", "/files%2Fa", codeOutOfScope},
		{"authorizer-request", "/files/%2561", codeOutOfScope}, {"authorizer-http-2.0", "/files/%2561", codeOutOfScope},
		{"authorizer-request", "/files/%zz", codeOutOfScope}, {"authorizer-http-2.0", "/files/%zz", codeOutOfScope},
		{"authorizer-http-2.0", "/files/a/", codeOK}, {"authorizer-http-2.0", "/files/%41", codeOutOfScope},
	} {
		s.log.Reset()
		s.decode(s.Invoke(t.Context(), s.asked(c.form, text, "GET", c.path)))
		if !strings.Contains(s.log.String(), `"code":"`+c.want+`"`) {
			t.Errorf("%s, %s: got %s, want %s", c.form, c.path, s.log.String(), c.want)
		}
		if simple := s.bySimpleAnswer(text, "GET", c.path); strings.Contains(c.form, "2.0") && simple != (c.want == codeOK) {
			t.Errorf("simple answer, %s: got %t", c.path, simple)
		}
	}
}
