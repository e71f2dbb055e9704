package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
	"apitoken/localstack/engines"
)

// checkVASTRoute calls a route of the function vast. The function answers 401 itself,
// in VAST's form. The calls as administrator are refused because of their body, so
// they change nothing.
func (s *stack) checkVASTRoute(t *testing.T, r machine.Route, path string) {
	t.Helper()
	codes := map[string]string{"": "credential_missing", unknownToken: "token_invalid", "garbage": "token_malformed"}
	if r.Refuses {
		codes = map[string]string{"": "password_unsupported", s.admin: "password_unsupported"}
	}
	for bearer, code := range codes {
		checkDenied(t, s.api.request(t, r.Method, path, bearer, nil), http.StatusUnauthorized, code)
	}
	if r.Refuses {
		return
	}
	a := s.api.request(t, r.Method, path, s.admin, object{"surplus": true})
	var d vast.Denied // other answers have other types
	if err := json.Unmarshal(a.Body, &d); a.Status == http.StatusUnauthorized || a.Status >= 500 || err == nil && d.Code == "path_not_found" {
		t.Errorf("%s %s as admin: got %s", r.Method, path, a)
	}
}

// checkDenied checks an answer of VAST's form that is about the caller or the path.
func checkDenied(t *testing.T, a engines.Answer, status int, code string) {
	t.Helper()
	var d vast.Denied
	if a.Status != status || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s with %v, want %d in VAST's form", a, a.Header, status)
		return
	}
	if engines.Decode(t, a.Body, &d); d.Code != code || d.Detail == "" {
		t.Errorf("got %s, want the code %s and a detail", a, code)
	}
}

// vastCalls makes the calls of VAST's clients without the clients.
func (s *stack) vastCalls(t *testing.T) {
	text := s.createToken(t, httpapi.CreateRequest{User: newUser("vast")}).BearerToken.Reveal()
	const tokens = "/api/latest/apitokens/"
	var made vast.Created
	s.callVAST(t, "POST", tokens, text, object{"name": "backup"}, http.StatusCreated, &made)
	var all []vast.APIToken
	s.callVAST(t, "GET", tokens+"?name=backup", text, nil, http.StatusOK, &all)
	if len(all) != 1 || all[0].ID != made.ID || all[0].Revoked {
		t.Errorf("list: got %+v, want the token %s", all, made.ID)
	}
	var one vast.APIToken
	s.callVAST(t, "GET", "/api/v5/apitokens/"+made.ID+"/", made.Token, nil, http.StatusOK, &one)
	if one.Name != "backup" {
		t.Errorf("show: got %+v", one)
	}
	var said string
	s.callVAST(t, "PATCH", tokens+made.ID+"/revoke/", text, object{}, http.StatusOK, &said)
	checkDenied(t, s.api.request(t, "GET", tokens, made.Token, nil), http.StatusUnauthorized, "token_revoked")
	checkDenied(t, s.api.request(t, "GET", tokens, "", nil), http.StatusUnauthorized, "credential_missing")
	checkDenied(t, s.api.request(t, "GET", "/api/latest/nothing/", text, nil), http.StatusNotFound, "path_not_found")
	checkDenied(t, s.api.request(t, "PUT", tokens, text, object{}), http.StatusMethodNotAllowed, "method_not_allowed")
	s.checkVASTLimit(t, tokens, text)
}

// callVAST makes a call and reads its answer.
func (s *stack) callVAST(t *testing.T, method, path, bearer string, body any, status int, into any) {
	t.Helper()
	a := s.api.request(t, method, path, bearer, body)
	if a.Status != status {
		t.Fatalf("%s %s: got %s, want %d", method, path, a, status)
	}
	engines.Decode(t, a.Body, into)
}

// checkVASTLimit creates tokens until the limit refuses one. The refusal is a 503 that
// VAST's clients know, and no fault in the log.
func (s *stack) checkVASTLimit(t *testing.T, tokens, bearer string) {
	t.Helper()
	a := engines.Answer{Status: http.StatusCreated}
	for n := 0; a.Status == http.StatusCreated && n < 10; n++ {
		a = s.api.request(t, "POST", tokens, bearer, object{"name": fmt.Sprint("more", n)})
	}
	var said string
	if a.Status != http.StatusServiceUnavailable || json.Unmarshal(a.Body, &said) != nil || said != "Max allowed API tokens reached" {
		t.Fatalf("at the limit: got %s, want VAST's 503", a)
	}
	if retry, set := a.Header["Retry-After"]; set {
		t.Errorf("at the limit: got Retry-After %s; another try would be refused too", retry)
	}
	engines.Eventually(t, time.Minute, "a log line is about the limit", func() string {
		for _, line := range s.root.LogMessages(t, s.ids["FunctionLogs"]) {
			if strings.Contains(line, `"code":"token_limit_reached"`) && strings.Contains(line, `"route":"/api/apitokens"`) {
				if !strings.Contains(line, `"level":"INFO"`) || !strings.Contains(line, `"status":503`) || strings.Contains(line, "Faults") {
					t.Errorf("the log line at the limit is %s", line)
				}
				return ""
			}
		}
		return "none is"
	})
}

// vastExercises are the exercises of the function vast.
func (s *stack) vastExercises(other func(t *testing.T) httpapi.Created) map[string]exercise {
	const tokens = "/api/latest/apitokens/"
	list := func(t *testing.T, bearer string) engines.Answer { return s.api.request(t, "GET", tokens, bearer, nil) }
	ofOther := func(query string) exercise {
		return func(t *testing.T) string { return s.apiCall("GET", tokens+query+other(t).User.Name, nil)(t) }
	}
	return map[string]exercise{
		"Vast ReadToken":         s.apiCall("GET", "/api/openapi.yaml", nil),
		"Vast NoteLastUse":       s.notedUse(list),
		"Vast NoteReuse":         s.notedReuse(http.StatusUnauthorized, list),
		"Vast ReadStreams":       ofOther("?owner="),
		"Vast ReadLastUses":      s.apiCall("GET", tokens, nil),
		"Vast ReadLists":         s.apiCall("GET", tokens+"?archived=True", nil),
		"Vast ReadListsOfOwners": ofOther("?archived=True&owner="),
		"Vast Commit": func(t *testing.T) string {
			if a := s.api.request(t, "POST", tokens, s.admin, object{"owner": newUser("vast").Name}); a.Status != http.StatusCreated {
				return a.String()
			}
			return ""
		},
	}
}
