package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// listen serves the scene's handler as `apitoken serve` does, and returns the
// address.
func (w *scene) listen() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{
		Handler: w.handler(), MaxHeaderBytes: 32 << 10, ReadTimeout: 5 * time.Minute, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
	}
	go server.Serve(machine.Listener(l, slog.New(slog.NewJSONHandler(w.log, nil)), httpapi.Face()))
	w.t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// dial connects to the address, for at most ten seconds.
func (w *scene) dial(address string) net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// readAnswer reads one answer from a connection.
func (w *scene) readAnswer(from *bufio.Reader, method string) (answer, *http.Response) {
	w.t.Helper()
	res, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("reading the answer to %s: %v", method, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{method: method, status: res.StatusCode, header: res.Header, body: body}, res
}

// TestRefusalsOfTheServerAreProblems sends requests that net/http refuses before
// any handler sees them, and requests that only look like those.
func TestRefusalsOfTheServerAreProblems(t *testing.T) {
	w := newScene(t)
	address := w.listen()
	const host = "Host: localhost\r\n"
	for _, c := range []struct {
		name, request string
		status        int
		code, names   string
	}{
		{"a wrong escape", "GET /v1/users/%zz/events HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request", "cannot be read"},
		{"half an escape", "GET /v1/users/% HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request", "cannot be read"},
		{"a wrong escape with a body", "POST /v1/%zz HTTP/1.1\r\n" + host + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 400, "malformed_request", "cannot be read"},
		{"a large header", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", 431, "header_too_large", "too large"},
		{"many headers", "GET / HTTP/1.1\r\n" + host + strings.Repeat("X: "+strings.Repeat("x", 90)+"\r\n", 500) + "\r\n", 431, "header_too_large", "too large"},
		{"a long path", "GET /" + strings.Repeat("x", 40<<10) + " HTTP/1.1\r\n" + host + "\r\n", 431, "header_too_large", "too large"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "malformed_request", "missing required Host header"},
		{"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "malformed_request", ""},
		{"a wrong host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed_request", "malformed Host header"},
		{"a header name with a space", "GET / HTTP/1.1\r\n" + host + "a b: c\r\n\r\n", 400, "malformed_request", ""},
		{"a header value with a control character", "GET / HTTP/1.1\r\n" + host + "X: a\x01b\r\n\r\n", 400, "malformed_request", ""},
		{"a header without a colon", "GET / HTTP/1.1\r\n" + host + "nonsense\r\n\r\n", 400, "malformed_request", ""},
		{"a folded first header", "GET / HTTP/1.1\r\n folded: x\r\n" + host + "\r\n", 400, "malformed_request", ""},
		{"no request line", "hello\r\n\r\n", 400, "malformed_request", "request line"},
		{"a request line of two words", "GET /\r\n\r\n", 400, "malformed_request", "request line"},
		{"a method with a bracket", "G[T / HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request", ""},
		{"no version", "GET / HTTP\r\n" + host + "\r\n", 400, "malformed_request", ""},
		{"version 3", "GET / HTTP/3.0\r\n" + host + "\r\n", 505, "version_unsupported", "HTTP/1.1"},
		{"version 2", "GET / HTTP/2.0\r\n" + host + "\r\n", 505, "version_unsupported", "HTTP/1.1"},
		{"version 0.9", "GET / HTTP/0.9\r\n" + host + "\r\n", 505, "version_unsupported", "HTTP/1.1"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, "path_not_found", ""},
		{"a body of gzip chunks", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501, "transfer_unsupported", "chunked"},
		{"two transfer encodings", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer_unsupported", "chunked"},
		{"two lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed_request", ""},
		{"a negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400, "malformed_request", ""},
		{"an unknown expectation", "POST / HTTP/1.1\r\n" + host + "Expect: cake\r\nContent-Length: 2\r\n\r\n", 417, "expectation_unsupported", "100-continue"},
		{"an unknown expectation, version 1.0", "POST / HTTP/1.0\r\nExpect: cake\r\n\r\n", 417, "expectation_unsupported", "100-continue"},
		{"OPTIONS of the server", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 404, "path_not_found", ""},
		{"OPTIONS of a path", "OPTIONS /v1/version HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed", ""},
		{"TRACE", "TRACE /v1/version HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed", ""},
		{"CONNECT", "CONNECT example.com:443 HTTP/1.1\r\n" + host + "\r\n", 404, "path_not_found", ""},
		{"CONNECT of a path", "CONNECT /v1/version HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed", ""},
		{"version 1.0", "GET /v1/version HTTP/1.0\r\n\r\n", 200, "", ""},
		{"a path without a slash", "GET v1/version HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request", ""},
		{"a token in a path with a wrong escape", "GET /v1/" + w.admin + "/%zz HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := w.dial(address)
			go io.WriteString(conn, c.request)
			s, res := w.readAnswer(bufio.NewReader(conn), "GET")
			s.expect(t, c.status, c.code)
			if c.code == "" {
				return
			}
			p := s.problem(t)
			if !strings.Contains(p.Detail, c.names) || p.RequestID == "" || p.RequestID != s.header.Get("X-Request-Id") {
				t.Errorf("got %v %s, want a detail with %q and the id of the request", s.header, s.body, c.names)
			}
			if complaints := documented(t).body(s, "#/components/schemas/Problem"); len(complaints) > 0 {
				t.Errorf("the answer differs from the document: %v", complaints)
			}
			if s.header.Get("Cache-Control") != "no-store" || s.header.Get("Date") == "" || s.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got %v, want the headers of every answer", s.header)
			}
			if c.code != "path_not_found" && c.code != "method_not_allowed" && !res.Close {
				t.Error("the connection stays open after a request that cannot be read")
			}
			line := w.log.Last(t)
			if line["request_id"] != p.RequestID || line["code"] != c.code || line["status"] != float64(c.status) || line["address"] != "127.0.0.1" {
				t.Errorf("got log line %v, want the one of this answer", line)
			}
		})
	}
	if strings.Contains(w.log.String(), w.admin[9:]) {
		t.Error("the log has a token")
	}
}

// TestListenerKeepsOtherAnswers: an answer of the service is not replaced, however
// its texts look. Two requests on one connection get two answers.
func TestListenerKeepsOtherAnswers(t *testing.T) {
	w := newScene(t)
	address := w.listen()
	text := "HTTP/1.1 400 Bad Request  Content-Type: text/plain " + strings.Repeat("HTTP/1.1 500 ", 30)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann"), Description: text})
	conn := w.dial(address)
	from := bufio.NewReader(conn)
	for _, c := range []struct {
		path   string
		status int
	}{
		{collection + made.ID, 200}, {"/nowhere", 404}, {"/v1/auth/access-tokens?user=ann", 200}, {"/v1/auth/access-tokens?user=", 400}, {"/openapi.yaml", 200},
	} {
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", c.path, w.admin)
		s, _ := w.readAnswer(from, "GET")
		if s.status != c.status || len(s.header.Values("X-Request-Id")) != 1 {
			t.Errorf("%s: got %d %v, want %d", c.path, s.status, s.header, c.status)
		}
		if strings.Contains(c.path, made.ID) {
			var e httpapi.Entry
			if err := json.Unmarshal(s.body, &e); err != nil || e.Description != text {
				t.Errorf("got %q, %v; want the description unchanged", e.Description, err)
			}
		}
	}
}

// TestAnswerDoesNotWaitForAnUnreadBody: a client without a credential must
// not hold a connection with a body that it never sends.
func TestAnswerDoesNotWaitForAnUnreadBody(t *testing.T) {
	w := newScene(t)
	address := w.listen()
	for _, c := range []struct {
		name, line, header string
		status             int
	}{
		{"no credential", "POST " + collection, "Content-Length: 100\r\n", 401},
		{"no credential, chunks", "POST " + collection, "Transfer-Encoding: chunked\r\n", 401},
		{"no credential, a large body", "POST " + collection, "Content-Length: 9999999\r\n", 401},
		{"no credential, a body announced", "POST " + collection, "Content-Length: 100\r\nExpect: 100-continue\r\n", 401},
		{"a malformed credential", "POST " + collection, "Content-Length: 100\r\nAuthorization: Bearer x\r\n", 401},
		{"an unknown token", "POST /v1/auth/authorize", "Content-Length: 100\r\nAuthorization: Bearer JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F\r\n", 401},
		{"a token in the query", "POST " + collection + "?access_token=x", "Content-Length: 100\r\n", 400},
		{"an unknown path", "POST /nowhere", "Content-Length: 100\r\n", 404},
		{"an unknown method", "PUT /v1/version", "Content-Length: 100\r\n", 405},
		{"an open call", "GET /v1/version", "Content-Length: 100\r\n", 200},
		{"the health", "GET /healthz", "Transfer-Encoding: chunked\r\n", 200},
		{"an encoded body", "POST " + collection, "Content-Length: 100\r\nContent-Encoding: gzip\r\nAuthorization: Bearer " + w.admin + "\r\n", 415},
		{"a call without a body", "GET /v1/session/who-am-i", "Content-Length: 100\r\nAuthorization: Bearer " + w.admin + "\r\n", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			conn := w.dial(address)
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", c.line, c.header)
			from := bufio.NewReader(conn)
			s, res := w.readAnswer(from, "POST")
			if s.status != c.status || !res.Close {
				t.Errorf("got %d, closing %t; want %d and a connection that is closed", s.status, res.Close, c.status)
			}
			if took := time.Since(began); took > 50*time.Second { // before the deadline of dial, and long before that of the service
				t.Errorf("the answer came after %s", took)
			}
			if _, err := from.ReadByte(); err == nil {
				t.Error("the connection has more than one answer")
			}
			if took := time.Since(began); took > 50*time.Second {
				t.Errorf("the connection was open for %s", took)
			}
		})
	}
}

// TestAnswerReachesAClientThatStillSends: the service closes the connection only
// after it has read what arrived, otherwise the client's system drops the answer.
func TestAnswerReachesAClientThatStillSends(t *testing.T) {
	w := newScene(t)
	address := w.listen()
	for range 20 {
		conn := w.dial(address)
		body := strings.Repeat(" ", 60<<10)
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", collection, len(body), body); err != nil {
			t.Fatal(err)
		}
		s, _ := w.readAnswer(bufio.NewReader(conn), "POST")
		s.expect(t, http.StatusUnauthorized, "credential_missing")
	}
}

// TestConnectionIsKeptAfterABodyThatWasRead, and after a request without a body.
func TestConnectionIsKeptAfterABodyThatWasRead(t *testing.T) {
	w := newScene(t)
	conn := w.dial(w.listen())
	from := bufio.NewReader(conn)
	for _, c := range []struct{ line, header, body string }{
		{"POST " + collection, "Content-Length: 2\r\nAuthorization: Bearer " + w.admin + "\r\n", "{}"},
		{"POST " + collection, "Transfer-Encoding: chunked\r\nAuthorization: Bearer " + w.admin + "\r\n", "0\r\n\r\n"},
		{"POST " + collection, "Content-Length: 1\r\nAuthorization: Bearer " + w.admin + "\r\n", "x"},
		{"POST " + collection, "Content-Length: 0\r\n", ""},
		{"GET " + collection, "", ""},
		{"GET /healthz", "", ""},
	} {
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", c.line, c.header, c.body)
		if _, res := w.readAnswer(from, "POST"); res.Close {
			t.Errorf("%s %s: the connection is closed", c.line, c.header)
		}
	}
}
