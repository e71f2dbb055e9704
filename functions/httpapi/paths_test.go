package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// raw sends a request with an unchanged target. Go's client would clean the target.
func (w *scene) raw(method, target string) answer {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", method, target, w.admin)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{method: method, path: target, status: res.StatusCode, header: res.Header, body: body}
}

func TestUnknownPathsAnswerAProblemAndNeverARedirect(t *testing.T) {
	w := newScene(t)
	for _, target := range []string{
		"/", "/v1", "/v2/auth/access-tokens", "/v1/auth/access-tokens/JhxND7ci/secrets", "/V1/version",
		"//v1/auth/access-tokens/", "/v1//auth/access-tokens", "/v1/auth/access-tokens//", "/v1/auth/access-tokens//JhxND7ci",
		"/v1/version/%2F", "/v1/auth/access-tokens/%2f", "/v1/auth/access-tokens/JhxND7ci/%2F", "/v1/users/%2F/events",
		"/v1/./version", "/v1/../v1/version", "/v1/version/.", "/v1/version/..", "/..", "/v1/%2e%2e/v1/version", "/v1/%2E/version",
		"http://localhost//v1/version", "*", "/v1/version/more",
	} {
		s := w.raw("GET", target)
		p := s.expect(t, http.StatusNotFound, "path_not_found").problem(t)
		if s.header.Get("Location") != "" || p.Instance != "" || p.RequestID == "" {
			t.Errorf("%s: got %v %s, want neither Location nor instance", target, s.header, s.body)
		}
	}
	s := w.do("GET", "/v1/nowhere", "", "")
	golden(t, "problem_path_not_found.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
}

// TestEveryUserHasAHistoryPath uses names with special meanings in a path. The
// client escapes each name as one segment.
func TestEveryUserHasAHistoryPath(t *testing.T) {
	w := newScene(t)
	for _, name := range []string{"a/b", "a//b", "..", ".", "a/../b", "a b", "a?b#c%2Fd", `AD\ann`} {
		made, _ := w.make(httpapi.CreateRequest{User: named(name)})
		got, err := w.client(w.admin).UserEvents(t.Context(), name, httpapi.HistoryQuery{})
		if err != nil || len(got.Entries) != 1 || !strings.Contains(string(got.Entries[0]), made.ID) {
			t.Errorf("%q: got %s, %v; want the one event of its token", name, got.Entries, err)
		}
	}
}

func TestEveryRouteAnswersWithAndWithoutASlash(t *testing.T) {
	w := newScene(t)
	for _, route := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		for _, target := range []string{path, path + "/", "http://localhost" + path} {
			s := w.raw(route.Method, target)
			if code := s.status; code/100 == 3 || code == http.StatusMethodNotAllowed || strings.Contains(string(s.body), `"code":"path_not_found"`) {
				t.Errorf("%s %s: got %d %s", route.Method, target, s.status, s.body)
			}
		}
	}
}

func TestUnknownMethodsAnswerAProblemWithAllow(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/v1/auth/access-tokens", "GET, HEAD, POST"},
		{"OPTIONS", "/v1/auth/access-tokens/", "GET, HEAD, POST"},
		{"PUT", "/v1/auth/access-tokens/JhxND7ci", "DELETE, GET, HEAD, PATCH"},
		{"PATCH", "/v1/auth/access-tokens/self", "DELETE, GET, HEAD"},
		{"GET", "/v1/auth/authorize", "POST"},
		{"POST", "/v1/session/who-am-i", "GET, HEAD"},
		{"BREW", "/v1/version", "GET, HEAD"},
		{"DELETE", "/healthz", "GET, HEAD"},
	} {
		s := w.do(c.method, c.path, w.admin, "").expect(t, http.StatusMethodNotAllowed, "method_not_allowed")
		if got := s.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: got Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	if line := w.log.Last(t); line["method"] != "DELETE" || line["operation"] != "none" {
		t.Errorf("got %v", line)
	}
	w.do("BREW", "/v1/version", w.admin, "")
	if line := w.log.Last(t); line["method"] != "other" {
		t.Errorf("got method %v in the log, want other: a client can choose the text of a method", line["method"])
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	for _, path := range []string{collection, collection + made.ID, "/v1/session/who-am-i", "/v1/version", "/openapi.yaml"} {
		get := w.do("GET", path, w.admin, "")
		head := w.do("HEAD", path, w.admin, "").expect(t, http.StatusOK, "")
		for _, name := range []string{"Content-Type", "Content-Length", "Etag", "Cache-Control"} {
			if got, want := head.header.Get(name), get.header.Get(name); got != want {
				t.Errorf("HEAD %s: got %s %q, want %q", path, name, got, want)
			}
		}
		if len(head.body) != 0 || get.status != head.status {
			t.Errorf("HEAD %s: got %d and %d bytes", path, head.status, len(head.body))
		}
		if s := handle(w.handler(), request(t, "HEAD", path, w.admin)); len(s.body) != 0 {
			t.Errorf("HEAD %s: the handler wrote %d bytes", path, len(s.body))
		}
	}
}

func TestOnlyOpenRoutesNeedNoCredential(t *testing.T) {
	w := newScene(t)
	for _, route := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		s := w.do(route.Method, path, "", "")
		if open := s.status != http.StatusUnauthorized; open != (route.Open && !route.Refuses || route.Shown) {
			t.Errorf("%s %s without a credential: got %d, Open is %t", route.Method, path, s.status, route.Open)
		}
	}
	if s := w.do("GET", "/v1/version", "", ""); string(s.body) != `{"version":"1.2.3"}`+"\n" {
		t.Errorf("got %s", s.body)
	}
	if s := w.do("GET", "/openapi.yaml", "", ""); string(s.body) != string(httpapi.OpenAPI) {
		t.Error("the served document is not the embedded one")
	}
}

func TestOnlyTheNamedFunctionsAreServed(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *machine.Config) { c.Only = []string{"get", "about"} })
	handle(h, request(t, "GET", collection+"zzzzzzzz", w.admin)).expect(t, http.StatusNotFound, "not_found")
	handle(h, request(t, "GET", "/healthz", "")).expect(t, http.StatusOK, "")
	handle(h, request(t, "DELETE", collection+"zzzzzzzz", w.admin)).expect(t, http.StatusNotFound, "path_not_found")
	handle(h, request(t, "PUT", collection+"zzzzzzzz", w.admin)).expect(t, http.StatusMethodNotAllowed, "method_not_allowed")
	handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusNotFound, "path_not_found")
	defer func() {
		if recover() == nil {
			t.Error("a function that does not exist was accepted")
		}
	}()
	w.handler(func(c *machine.Config) { c.Only = []string{"gte"} })
}

func TestEveryAnswerHasItsSafetyHeaders(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct{ method, path, token, cache string }{
		{"POST", collection, w.admin, "no-store"},
		{"GET", collection, w.admin, "no-store"},
		{"GET", "/v1/session/who-am-i", w.admin, "no-store"},
		{"GET", collection, "", "no-store"},
		{"GET", "/nowhere", "", "no-store"},
		{"GET", "/healthz", "", "no-store"},
		{"GET", "/v1/version", "", "no-cache"},
		{"GET", "/openapi.yaml", "", "public, max-age=300"},
	} {
		s := w.do(c.method, c.path, c.token, "")
		for name, want := range map[string]string{
			"Cache-Control": c.cache, "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := s.header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s %s: got %s %q, want %q", c.method, c.path, name, got, want)
			}
		}
	}
}

func TestEachRequestGetsItsOwnIDFromTheService(t *testing.T) {
	w := newScene(t)
	header := http.Header{"X-Request-Id": {"theirs\tforged"}}
	a := w.send("GET", "/nowhere", header, nil)
	b := w.send("GET", "/nowhere", header, nil)
	first, second := a.header.Get("X-Request-Id"), b.header.Get("X-Request-Id")
	if first == second || len(first) != 26 || a.problem(t).RequestID != first {
		t.Errorf("got ids %q and %q, problem %s", first, second, a.body)
	}
	if line := w.log.Last(t); line["request_id"] != second {
		t.Errorf("got %v in the log, want %s", line["request_id"], second)
	}
}
