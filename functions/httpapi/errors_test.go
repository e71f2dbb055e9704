package httpapi_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apitoken/cmd/readme/readmetest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// onlyTheGateway are the codes of the README that the service itself never answers.
// The tests of the template compare them with the gateway's answers.
var onlyTheGateway = []string{"refused_by_gateway", "throttled"}

// onlySignIn are the codes of calls that open sessions. Their problems have the form of
// OAuth, or of a page for people; signin_test.go provokes them.
var onlySignIn = []string{
	"identity_expired", "identity_invalid", "identity_malformed", "permission_denied_groups_overage", "sign_in_rate_exceeded", "sign_in_refused",
}

// problemsFile has one line for each code: the whole problem of its case, without the
// id of the request.
const problemsFile = "testdata/problems.jsonl"

// errorCase provokes one code.
type errorCase struct {
	code    string
	field   string // of errors; "" if errors is empty
	members string // the members that only some codes have, separated by spaces
	request func(*scene) answer
}

// TestEveryErrorCode provokes each code, and compares status and the whole problem
// with the README's row, with the rules for its members, and with problemsFile.
func TestEveryErrorCode(t *testing.T) {
	rows := readmetest.Rows(t, "code")
	recorded := recordedProblems(t)
	var provoked []string
	lines := map[string]string{}
	for _, c := range errorCases() {
		provoked = append(provoked, c.code)
		t.Run(c.code, func(t *testing.T) {
			w := newScene(t)
			got := c.request(w)
			checkProblem(t, c, got, rows[c.code])
			lines[c.code] = withoutID(got)
			if lines[c.code] != recorded[c.code] && !*update {
				t.Errorf("got\n%s\n%s has\n%s", lines[c.code], problemsFile, recorded[c.code])
			}
		})
	}
	for _, code := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(machine.Codes(), code) && !slices.Contains(onlyTheGateway, code) {
			t.Errorf("README.md: nothing answers the code %s", code)
		}
	}
	for _, code := range machine.Codes() {
		if rows[code] == nil {
			t.Errorf("README.md: the table of codes has no row for %s", code)
		}
		if !slices.Contains(provoked, code) && !slices.Contains(onlySignIn, code) {
			t.Errorf("no case provokes the code %s", code)
		}
	}
	if *update && len(lines) == len(provoked) {
		writeProblems(t, lines)
	}
	for code := range recorded {
		if !slices.Contains(provoked, code) {
			t.Errorf("%s has a line for %s, which no case provokes", problemsFile, code)
		}
	}
}

// checkProblem compares a problem with the README's row and with what follows from
// code and status. It reads nothing of the code's table.
func checkProblem(t *testing.T, c errorCase, got answer, row []string) {
	t.Helper()
	if len(row) != 3 || row[1] != strconv.Itoa(got.status) || len(row[2]) < 20 {
		t.Errorf("the README's row is %q; the status is %d", row, got.status)
	}
	p := got.problem(t)
	retry := got.status == http.StatusTooManyRequests || got.status == http.StatusServiceUnavailable
	switch {
	case p.Code != c.code || p.Type != "urn:apitoken:problem:"+c.code || p.Status != got.status:
		t.Errorf("got code %q, type %q and status %d in an answer with %d", p.Code, p.Type, p.Status, got.status)
	case p.Title == "" || p.Detail == "" || p.Description != p.Detail || !strings.HasSuffix(p.Detail, "."):
		t.Errorf("got title %q, detail %q, description %q", p.Title, p.Detail, p.Description)
	case p.RequestID == "" || p.RequestID != got.header.Get("X-Request-Id"):
		t.Errorf("got request id %q, and %q in the header", p.RequestID, got.header.Get("X-Request-Id"))
	case p.Retryable != retry || (got.header.Get("Retry-After") != "") != retry:
		t.Errorf("got retryable %t and Retry-After %q", p.Retryable, got.header.Get("Retry-After"))
	case p.ErrorClass != classOf(c.code, got.status):
		t.Errorf("got error_class %q", p.ErrorClass)
	case (len(got.header.Values("WWW-Authenticate")) > 0) != (got.status == http.StatusUnauthorized):
		t.Errorf("got the challenges %q", got.header.Values("WWW-Authenticate"))
	case got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Cache-Control") != "no-store":
		t.Errorf("got the headers %v", got.header)
	}
	checkFields(t, c, p)
	if complaints := documented(t).body(got, "#/components/schemas/Problem"); len(complaints) > 0 {
		t.Errorf("the problem differs from the document: %v", complaints)
	}
	checkMembers(t, c, got.body)
}

func checkFields(t *testing.T, c errorCase, p httpapi.Problem) {
	t.Helper()
	switch {
	case p.Errors == nil || (len(p.Errors) == 0) != (c.field == ""):
		t.Errorf("got the errors %+v, want the field %q", p.Errors, c.field)
	case c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field || p.Errors[0].Detail == ""):
		t.Errorf("got the errors %+v, want the field %q", p.Errors, c.field)
	}
}

// checkMembers compares the names of the members. instance depends on the path.
func checkMembers(t *testing.T, c errorCase, body []byte) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "instance")
	want := strings.Fields("type title status detail code retryable errors request_id error_class description " + c.members)
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("got the members %v, want %v", got, want)
	}
}

// classOf is the word for Qumulo's clients.
func classOf(code string, status int) string {
	if code == "token_limit_reached" {
		return "access_token_limit_exceeded_error"
	}
	word := map[int]string{401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 500: "internal", 503: "unavailable"}[status]
	if word == "" {
		return "invalid_request_error"
	}
	return "http_" + word + "_error"
}

// withoutID is the problem in one line, with placeholders for what differs in each
// run: the id of the request, and ids of tokens.
func withoutID(got answer) string {
	line := strings.ReplaceAll(strings.TrimSpace(string(got.body)), got.header.Get("X-Request-Id"), "REQUEST")
	return tokenIDs.ReplaceAllString(line, "${1}ID$2")
}

func recordedProblems(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(problemsFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	recorded := map[string]string{}
	for line := range strings.Lines(string(b)) {
		var p httpapi.Problem
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%s: %v in %s", problemsFile, err, line)
		}
		recorded[p.Code] = strings.TrimSpace(line)
	}
	return recorded
}

func writeProblems(t *testing.T, lines map[string]string) {
	t.Helper()
	var all strings.Builder
	for _, code := range slices.Sorted(maps.Keys(lines)) {
		all.WriteString(lines[code] + "\n")
	}
	if err := os.WriteFile(problemsFile, []byte(all.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// raw sends bytes that net/http refuses before any handler, and reads the answer.
func raw(request string) func(*scene) answer {
	return func(w *scene) answer {
		conn := w.dial(w.listen())
		go io.WriteString(conn, request)
		s, _ := w.readAnswer(bufio.NewReader(conn), "GET")
		return s
	}
}
