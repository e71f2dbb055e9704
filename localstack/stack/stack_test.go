// Package stack_test tests the deployed stack on MiniStack with AUTH=true, which
// enforces the authorizer and the IAM role of each function. One test deploys to
// LocalStack. Without an engine a test skips with a message; make integration
// starts the engines.
//
// Where MiniStack cannot show something, a comment or a log line says so.
package stack_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/localstack/engines"
	"apitoken/localstack/qumulo"
)

// object is a JSON object.
type object = map[string]any

// unknownToken has the right form, but no store has it.
const unknownToken = "00000000.000000000000000000000000002uutdl"

func TestTheDeployedStack(t *testing.T) {
	s := deploy(t)
	t.Run("Qumulo's clients work", s.qumuloClients) // first: it needs a new stack
	t.Run("VAST's clients work", s.vastClients)
	t.Run("every route answers, guarded or open, with and without a slash", s.routes)
	t.Run("unknown paths and methods are 404 and 405", s.unknownCalls)
	t.Run("every GET answers HEAD", s.heads)
	t.Run("a token's whole life", s.tokenLife)
	t.Run("VAST's calls work, and the limit is no fault", s.vastCalls)
	t.Run("a scoped token reaches only its scopes", s.scopedToken)
	t.Run("a token passes only from its ranges", s.tokenWithRanges)
	t.Run("people manage their tokens on the page", s.managedOnThePage)
	t.Run("the authorizer guards another API", s.exampleAPI)
	t.Run("the smoke test passes", s.smokeTest)
	t.Run("the administrator is made once", s.secondBootstrap)
	t.Run("200 simultaneous creates and four slots make four tokens", s.concurrentCreates)
	t.Run("nothing passes after a suspension", s.suspension)
	t.Run("every statement of every role is needed", s.neededStatements)
	t.Run("the audit table has every event once", s.auditCopies)
	t.Run("a revocation that the log lost is applied again", s.reappliedRevocation)
	t.Run("no log has a secret", s.logsWithoutSecrets)
}

func (s *stack) routes(t *testing.T) {
	for _, r := range faces.Routes() {
		path := strings.NewReplacer("{id}", "00000000", "{user}", "leaver", "{vms}", "1").Replace(r.Path) // leaver: whom the route offboards
		for _, path := range []string{path, path + "/"} {
			switch {
			case r.Function == "vast":
				s.checkVASTRoute(t, r, path)
			case r.Function == "oauth":
				s.checkOAuthRoute(t, r, path)
			case r.Function == "login":
				s.checkLoginRoute(t, r, path)
			case r.Open:
				s.checkOpenRoute(t, r, path)
			case r.Direct:
				s.checkSelfRoute(t, r, path)
			default:
				s.checkGuardedRoute(t, r.Method, path)
			}
		}
	}
	s.revokeOtherTokens(t)
}

func (s *stack) checkOpenRoute(t *testing.T, r machine.Route, path string) {
	t.Helper()
	want := http.StatusOK
	switch {
	case r.Refuses:
		want = http.StatusUnauthorized
	case r.Path == machine.MetadataPath: // the stack has no domain, so no place for them
		want = http.StatusNotFound
	}
	if a := s.api.request(t, r.Method, path, "", nil); a.Status != want {
		t.Errorf("%s %s without a token: got %s, want %d", r.Method, path, a, want)
	}
}

func (s *stack) checkGuardedRoute(t *testing.T, method, path string) {
	t.Helper()
	for _, bearer := range []string{"", unknownToken, "garbage"} {
		a := s.api.request(t, method, path, bearer, nil)
		p := problemOf(t, a)
		if a.Status != http.StatusUnauthorized || p.Code != "token_invalid" || a.Header.Get("WWW-Authenticate") != `Bearer realm="apitoken", Basic realm="apitoken"` {
			t.Errorf("%s %s with token %q: got %s, want 401 with a challenge", method, path, bearer, a)
		}
	}
	a := s.api.request(t, method, path, s.admin, object{})
	if a.Status == http.StatusUnauthorized || a.Status >= 500 || codeOf(a) == "path_not_found" {
		t.Errorf("%s %s as admin: got %s", method, path, a)
	}
}

// checkSelfRoute calls a route about the acting token. The function answers 401
// itself, so its answers have their own codes. Most of these routes need no
// scope.
func (s *stack) checkSelfRoute(t *testing.T, r machine.Route, path string) {
	t.Helper()
	for bearer, code := range map[string]string{"": "credential_missing", unknownToken: "token_invalid", "garbage": "token_malformed"} {
		a := s.api.request(t, r.Method, path, bearer, nil)
		if p := problemOf(t, a); a.Status != http.StatusUnauthorized || p.Code != code {
			t.Errorf("%s %s with token %q: got %s, want 401 %s", r.Method, path, bearer, a, code)
		}
	}
	elsewhere := s.createToken(t, httpapi.CreateRequest{User: newUser("self"), Scopes: []string{"GET /elsewhere"}})
	a := s.api.request(t, r.Method, path, elsewhere.BearerToken.Reveal(), nil)
	if r.Unscoped {
		if !a.OK() {
			t.Errorf("%s %s with a scoped token: got %s, want 200", r.Method, path, a)
		}
		return
	}
	if p := problemOf(t, a); a.Status != http.StatusForbidden || p.Code != "permission_denied_by_scope" {
		t.Errorf("%s %s out of scope: got %s, want 403", r.Method, path, a)
	}
	here := s.createToken(t, httpapi.CreateRequest{User: newUser("self"), Scopes: []string{r.Method + " " + r.Path}})
	if a := s.api.request(t, r.Method, path, here.BearerToken.Reveal(), nil); !a.OK() {
		t.Errorf("%s %s within the scope: got %s, want 200", r.Method, path, a)
	}
}

// revokeOtherTokens revokes the administrator's tokens that the routes made.
func (s *stack) revokeOtherTokens(t *testing.T) {
	t.Helper()
	admin := s.api.client(s.admin)
	list, err := admin.List(t.Context(), httpapi.ListQuery{User: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Entries {
		if e.ID == s.admin[:8] {
			continue
		}
		if err := admin.Revoke(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// problemOf reads an answer as a problem. It checks that the problem's request
// id is the one in the header.
func problemOf(t *testing.T, a engines.Answer) (p httpapi.Problem) {
	t.Helper()
	if a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got headers %v, want those of a problem", a.Header)
	}
	engines.Decode(t, a.Body, &p)
	if p.Status != a.Status || p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		t.Errorf("got %s with X-Request-Id %q", a, a.Header.Get("X-Request-Id"))
	}
	return p
}

// codeOf returns the code of a problem, or "" for other answers.
func codeOf(a engines.Answer) string {
	var p httpapi.Problem
	if json.Unmarshal(a.Body, &p) != nil {
		return ""
	}
	return p.Code
}

// statusOf returns the status of a problem, or 0 for other errors.
func statusOf(err error) int {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return p.Status
	}
	return 0
}

// unknownCalls reach the function about, with and without a credential. MiniStack would
// give the same 404 if they did not; AWS gives a 403 about the Authorization header.
func (s *stack) unknownCalls(t *testing.T) {
	allowed := map[string]string{
		"/v1/auth/access-tokens": "GET, HEAD, POST", "/v1/auth/access-tokens/00000000": "DELETE, GET, HEAD, PATCH",
		"/v1/auth/access-tokens/self": "DELETE, GET, HEAD", "/v1/users/leaver/offboard": "POST", "/healthz": "GET, HEAD", "/v1/session/login": "POST",
	}
	for _, bearer := range []string{"", s.admin, unknownToken, "garbage"} {
		for _, path := range []string{"/", "/v1", "/v1/nothing", "/v1/nothing/", "/v2/auth/access-tokens", "/v1/users/leaver", "/api"} {
			s.checkUnknown(t, "GET", path, bearer, http.StatusNotFound, "path_not_found", "")
			s.checkUnknown(t, "DELETE", path, bearer, http.StatusNotFound, "path_not_found", "")
		}
		for path, allow := range allowed {
			s.checkUnknown(t, "PUT", path, bearer, http.StatusMethodNotAllowed, "method_not_allowed", allow)
			s.checkUnknown(t, "OPTIONS", path+"/", bearer, http.StatusMethodNotAllowed, "method_not_allowed", allow)
		}
		s.checkUnknown(t, "PATCH", "/v1/auth/access-tokens/self", bearer, http.StatusMethodNotAllowed, "method_not_allowed", "DELETE, GET, HEAD")
	}
}

func (s *stack) checkUnknown(t *testing.T, method, path, bearer string, status int, code, allow string) {
	t.Helper()
	a := s.api.request(t, method, path, bearer, nil)
	if a.Status != status || problemOf(t, a).Code != code || a.Header.Get("Allow") != allow {
		t.Errorf("%s %s with token %.8q: got %s with Allow %q, want %d %s with Allow %q", method, path, bearer, a, a.Header.Get("Allow"), status, code, allow)
	}
	if a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s with token %.8q: the gateway answered, and not the function about", method, path, bearer)
	}
}

// heads checks that HEAD has the function and the authorizer of GET.
func (s *stack) heads(t *testing.T) {
	for _, r := range faces.Routes() {
		if r.Method != http.MethodGet {
			continue
		}
		without, with := http.StatusUnauthorized, http.StatusOK
		switch {
		case r.Path == machine.MetadataPath:
			without, with = http.StatusNotFound, http.StatusNotFound // the stack has no domain of its own
		case strings.HasPrefix(r.Path, "/ui/"):
			without, with = http.StatusNotFound, http.StatusNotFound // the stack has no issuer
			if kind := s.api.request(t, http.MethodGet, r.Path, "", nil).Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
				t.Errorf("GET %s: got the type %q, want the page of the function login", r.Path, kind)
			}
		case r.Open:
			without = http.StatusOK
		}
		path := strings.NewReplacer("{id}", s.admin[:8], "{user}", "admin", "{vms}", "1").Replace(r.Path)
		for bearer, status := range map[string]int{"": without, s.admin: with} {
			for _, path := range []string{path, path + "/"} {
				a := s.api.request(t, http.MethodHead, path, bearer, nil)
				if a.Status != status || len(a.Body) != 0 {
					t.Errorf("HEAD %s with token %.8q: got %s, want %d without a body", path, bearer, a, status)
				}
			}
		}
	}
}

func (s *stack) smokeTest(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), top+"localstack/smoke.sh", s.api.url, s.tokenFile, s.api.host).CombinedOutput(); err != nil {
		t.Errorf("smoke.sh: %v\n%s", err, out)
	}
}

func (s *stack) secondBootstrap(t *testing.T) {
	if out, err := s.runBootstrap(t, "--out", s.tokenFile, "--first"); err != nil || !strings.Contains(out, "has an administrator") {
		t.Errorf("bootstrap --first again: got %v: %s", err, out)
	}
	if out, err := s.runBootstrap(t, "--out", s.tokenFile); err == nil || !strings.Contains(out, "still works") {
		t.Errorf("bootstrap over a token that works: got %v: %s, want a refusal", err, out)
	}
}

// logsWithoutSecrets looks for tokens, peppers and a password in the log lines of all functions.
func (s *stack) logsWithoutSecrets(t *testing.T) {
	_, pepper, _ := strings.Cut(s.peppers, ":")
	lines, requests := s.root.LogMessages(t, s.ids["FunctionLogs"]), 0
	for _, line := range lines {
		if strings.Contains(line, `"request"`) {
			requests++
		}
		if hasToken(line) {
			t.Errorf("a log line has a whole token: %.40s…", line)
		}
		if strings.Contains(line, pepper) {
			t.Errorf("a log line has a pepper: %.40s…", line)
		}
		if strings.Contains(line, qumulo.Password) {
			t.Errorf("a log line has a password: %.40s…", line)
		}
	}
	if requests == 0 {
		t.Errorf("none of %d log lines is of a request, so this test checked nothing", len(lines))
	}
}

func hasToken(line string) bool {
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(` "\,;:=`, r) }) {
		if _, err := secret.Parse(word); err == nil {
			return true
		}
	}
	return false
}
