package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/functions/httpapi/forward"
)

// TestABytewiseAttackOnTheListenerForProxies sends what no proxy should send, each text on
// a connection of its own. Each answer belongs to its request: no part of a header or of
// a body becomes a request, and no header of another spelling counts.
func TestABytewiseAttackOnTheListenerForProxies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := run(t, dir)
	token, err := datadir.ReadPrivate(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(asked(t, s), "http://")
	const asks = " /v1/auth/forward/nginx HTTP/1.1\r\nHost: a\r\n"
	const call = "X-Original-Method: GET\r\nX-Original-URI: /things\r\nX-Real-IP: 192.0.2.1\r\n"
	good := "Authorization: Bearer " + token + "\r\n"
	passes := "GET" + asks + call + good + "\r\n"
	fails := "GET" + asks + call + "Authorization: Bearer x\r\n\r\n"
	envoy := func(method, path, more string) string {
		return method + " /v1/auth/forward/envoy" + path + " HTTP/1.1\r\nHost: a\r\nX-Envoy-External-Address: 192.0.2.1\r\n" + more + good + "\r\n"
	}
	for name, test := range map[string]struct {
		sent string
		want []int
	}{
		"one after the other":          {passes + fails + passes + "HEAD" + asks + call + good + "\r\n" + fails, []int{200, 401, 200, 200, 401}},
		"a refusal, then a verdict":    {fails + "GET /x HTTP/1.1\r\nHost: a\r\n\r\n" + passes, []int{401, 404, 200}},
		"a request in a body":          {"POST" + asks + call + "Content-Length: 400\r\n\r\n" + passes, []int{401}},
		"a request after chunks":       {"POST" + asks + call + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n" + passes, []int{401}},
		"a length and chunks":          {"POST" + asks + call + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + passes, []int{401}},
		"chunks in HTTP/1.0":           {"POST /v1/auth/forward/nginx HTTP/1.0\r\nConnection: keep-alive\r\n" + call + "Transfer-Encoding: chunked\r\n\r\n" + passes, []int{401}},
		"Expect":                       {"POST" + asks + call + good + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", []int{200}},
		"two lengths":                  {"POST" + asks + call + good + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", []int{400}},
		"a length with a sign":         {"POST" + asks + call + good + "Content-Length: +5\r\n\r\n", []int{400}},
		"chunks of another spelling":   {"POST" + asks + call + good + "Transfer-Encoding: \x0bchunked\r\n\r\n", []int{400}},
		"two encodings":                {"POST" + asks + call + good + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", []int{400}},
		"an upgrade":                   {"GET" + asks + call + good + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + fails, []int{200, 401}},
		"a space after a name":         {"GET" + asks + "X-Original-URI : /x\r\n" + call + good + "\r\n", []int{400}},
		"a folded first line":          {"GET /v1/auth/forward/nginx HTTP/1.1\r\n Host: a\r\n" + call + good + "\r\n", []int{400}},
		"a NUL":                        {"GET" + asks + call + good + "X-A: \x00\r\n\r\n", []int{400}},
		"a NUL in the path":            {envoy("GET", "/a\x00b", ""), []int{400}},
		"a wrong escape":               {envoy("GET", "/a%zz", ""), []int{400}},
		"a whole address":              {"GET http://a/v1/auth/forward/nginx HTTP/1.1\r\nHost: a\r\n" + call + good + "\r\n", []int{400}},
		"CONNECT":                      {envoy("CONNECT", "/a:443", "") + passes, []int{400}},
		"a method that is no word":     {envoy("GE(T", "/a", ""), []int{400}},
		"other spellings only":         {"GET" + asks + "X-Original-Method: GET\r\nX_Original_URI: /a\r\nX-Original_URI: /a\r\nX-Original-URL: /a\r\nX-Rewrite-URL: /a\r\nX-Real-IP: 192.0.2.1\r\n" + good + "\r\n", []int{500}},
		"the headers of others":        {"GET" + asks + "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /a\r\nX-Forwarded-For: 192.0.2.1\r\n" + good + "\r\n", []int{500}},
		"a header twice":               {"GET" + asks + call + "x-original-uri: /other\r\n" + good + "\r\n", []int{500}},
		"two tokens":                   {"GET" + asks + call + good + good + "\r\n", []int{401}},
		"the token of another name":    {"GET" + asks + call + "Authorization_: x\r\nProxy-Authorization: Bearer " + token + "\r\nX-Authorization: Bearer " + token + "\r\n\r\n", []int{401}},
		"a forged owner":               {"GET" + asks + call + good + "Apitoken-Owner: ann\r\nApitoken_Owner: ann\r\n\r\n", []int{200}},
		"bytes that are no text":       {envoy("GET", "/\xff\xfe", ""), []int{200}},
		"the path of another proxy":    {envoy("GET", "/../nginx", "X-Original-Method: GET\r\nX-Original-URI: /a\r\n"), []int{200}}, // a path of the client
		"an encoded slash in the word": {"GET /v1/auth/forward%2fnginx HTTP/1.1\r\nHost: a\r\n" + call + good + "\r\n", []int{404}},
		"a double slash":               {"GET //v1/auth/forward/nginx HTTP/1.1\r\nHost: a\r\n" + call + good + "\r\n", []int{404}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, test.sent); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, in := []int{}, bufio.NewReader(c)
			for {
				method := "GET"
				if name == "one after the other" && len(got) == 3 {
					method = "HEAD"
				}
				a, err := http.ReadResponse(in, &http.Request{Method: method})
				if err != nil {
					break // the end of the connection
				}
				if _, err := io.Copy(io.Discard, a.Body); err != nil {
					t.Errorf("reading a body: %v", err)
				}
				got = append(got, a.StatusCode)
				if owner := a.Header.Values(forward.Owner); (a.StatusCode == 200) != slices.Equal(owner, []string{"admin"}) {
					t.Errorf("an answer %d has the owner %q", a.StatusCode, owner)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got the answers %d, want %d", got, test.want)
			}
		})
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if log := s.log.String(); strings.Contains(log, token) || strings.Contains(log, "panic") {
		t.Errorf("the log is %s", log)
	}
}
