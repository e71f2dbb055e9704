package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
)

// asQumulo is a request with the bytes of Qumulo's Python client (qumulo_api 7.10.2.1),
// which names a length and a type also without a body.
func asQumulo(method, target, token, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept-Encoding: identity\r\nUser-Agent: qq\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", method, target, len(body), qumuloCredential(token), body)
}

// chunkedAsQumulo is a request of `qq raw` with an empty file.
func chunkedAsQumulo(method, target, token string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept-Encoding: identity\r\nUser-Agent: qq\r\n" +
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + qumuloCredential(token) + "\r\n0\r\n\r\n"
}

func qumuloCredential(token string) string {
	if token == "" {
		return ""
	}
	return "Authorization: Bearer " + token + "\r\n"
}

// TestRequestsOfQumulosClientAreAnswered replays the odd requests of the client over
// one connection, as the client does.
func TestRequestsOfQumulosClientAreAnswered(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("alice")})
	c := w.dial(w.listen())
	answers := bufio.NewReader(c)
	for _, row := range []struct {
		name, method, request string
		status                int
		contains              string
	}{
		{"a length of zero on GET", "GET", asQumulo("GET", collection, w.admin, ""), 200, `"paging":{"next":""`},
		{"no slash at the end", "GET", asQumulo("GET", collection+made.ID, w.admin, ""), 200, `"id":"` + made.ID + `"`},
		{"an empty chunked body", "POST", chunkedAsQumulo("POST", collection, w.admin), 200, `"bearer_token":"`},
		{"an empty chunked change", "PATCH", chunkedAsQumulo("PATCH", collection+made.ID, w.admin), 200, `"enabled":true`},
		{"a change of nothing", "PATCH", asQumulo("PATCH", collection+made.ID, w.admin, "{}"), 200, `"enabled":true`},
		{"an identity with nulls", "POST", asQumulo("POST", collection, w.admin, `{"user": {"domain": "LOCAL", "auth_id": null, "uid": null, "gid": null, "sid": null, "name": "bob"}}`), 200, `"bearer_token":"`},
		{"a time of datetime", "PATCH", asQumulo("PATCH", collection+made.ID, w.admin, `{"expiration_time": "2030-01-20T00:00:00+00:00"}`), 200, `"expiration_time":"2030-01-20T00:00:00.000000Z"`},
		{"microseconds and an offset", "PATCH", asQumulo("PATCH", collection+made.ID, w.admin, `{"expiration_time": "2031-02-03T04:05:06.000789-05:00"}`), 200, `"expiration_time":"2031-02-03T09:05:06.000789Z"`},
		{"an encoded query", "GET", asQumulo("GET", collection+"?user=cn%3Da%3Ab%2Cdc%3Dx", w.admin, ""), 200, `"entries":[]`},
		{"a query in the user", "GET", asQumulo("GET", collection+"?user=alice?limit=1", w.admin, ""), 400, "second question mark"},
		{"an encoded slash in the id", "GET", asQumulo("GET", collection+"a%2Fb", w.admin, ""), 404, "There is no such token."},
		{"an id of Qumulo", "GET", asQumulo("GET", collection+"19021525077776428364118", w.admin, ""), 404, "There is no such token."},
		{"the roles", "GET", asQumulo("GET", "/v1/session/roles", w.admin, ""), 200, "[]"},
		{"the groups", "GET", asQumulo("GET", "/v1/users/500/groups/", w.admin, ""), 404, "There is no such path."},
		{"the other identities", "POST", asQumulo("POST", "/v1/identity/expand", w.admin, ""), 404, "There is no such path."},
		{"another path", "GET", asQumulo("GET", "/v1/cluster/nodes/", w.admin, ""), 404, "There is no such path."},
		{"another method", "PUT", asQumulo("PUT", "/v1/version", "", ""), 405, "does not allow this method"},
		{"no credential", "GET", asQumulo("GET", collection, "", ""), 401, "no credential"},
	} {
		if _, err := io.WriteString(c, row.request); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		got, _ := w.readAnswer(answers, row.method)
		if got.status != row.status || !strings.Contains(string(got.body), row.contains) {
			t.Errorf("%s: got %d %s, want %d with %s", row.name, got.status, got.body, row.status, row.contains)
		}
		qqPrints(t, row.name, got)
	}
}

// qqPrints checks that the client can print the answer: it stops with a traceback if
// an error is not a JSON object.
func qqPrints(t *testing.T, name string, got answer) {
	t.Helper()
	var object struct {
		ErrorClass  string `json:"error_class"`
		Description string `json:"description"`
	}
	switch {
	case !json.Valid(got.body):
		t.Errorf("%s: got no JSON: %s", name, got.body)
	case got.status >= 400 && (json.Unmarshal(got.body, &object) != nil || object.ErrorClass == "" || object.Description == ""):
		t.Errorf("%s: the client cannot print %s", name, got.body)
	}
}

// TestQumulosClientFollowsPages asks for the next page as it was answered, and as an
// absolute URL, which the client sends as it is in the request line.
func TestQumulosClientFollowsPages(t *testing.T) {
	w := newScene(t)
	for range 3 {
		w.make(httpapi.CreateRequest{User: named("alice")})
	}
	c := w.dial(w.listen())
	answers := bufio.NewReader(c)
	for _, prefix := range []string{"", "https://127.0.0.1:8000"} {
		seen, target := map[string]bool{}, collection+"?user=alice&limit=1"
		for target != "" {
			if _, err := io.WriteString(c, asQumulo("GET", prefix+target, w.admin, "")); err != nil {
				t.Fatal(err)
			}
			got, _ := w.readAnswer(answers, "GET")
			page := decodeAs[httpapi.List](t, got.expect(t, http.StatusOK, ""))
			if len(page.Entries) != 1 || seen[page.Entries[0].ID] {
				t.Fatalf("%q: got the page %s", prefix, got.body)
			}
			seen[page.Entries[0].ID] = true
			if target = page.Paging.Next; target != "" && (!strings.HasPrefix(target, collection) || !strings.Contains(target, "user=alice") || !strings.Contains(target, "limit=1")) {
				t.Errorf("%q: next is %s, want a path that keeps user and limit", prefix, target)
			}
		}
		if len(seen) != 3 {
			t.Errorf("%q: got %d tokens, want 3", prefix, len(seen))
		}
	}
}

// TestAResetConnectionOfQumulosClientIsNoFault: as root on the host of the service, the
// client resets its connections.
func TestAResetConnectionOfQumulosClientIsNoFault(t *testing.T) {
	w := newScene(t)
	address := w.listen()
	for range 3 {
		c := w.dial(address)
		if _, err := io.WriteString(c, asQumulo("GET", collection, w.admin, "")); err != nil {
			t.Fatal(err)
		}
		got, _ := w.readAnswer(bufio.NewReader(c), "GET")
		got.expect(t, http.StatusOK, "")
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if strings.Contains(w.log.String(), `"level":"ERROR"`) {
		t.Errorf("the log has an error: %s", w.log)
	}
}

// TestAPrivilegedPortIsNoCredential: as root, the client sends from a port below 1024,
// which a node of Qumulo takes for a proof.
func TestAPrivilegedPortIsNoCredential(t *testing.T) {
	w := newScene(t)
	for _, from := range []string{"127.0.0.1:1022", "[::1]:900"} {
		r := request(t, "GET", "/v1/session/who-am-i", "")
		r.RemoteAddr = from
		handle(w.handler(), r).expect(t, http.StatusUnauthorized, "credential_missing")
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestALoginIsRefusedUnread: the refusal says how to use a token, and the password
// reaches neither the service nor its log.
func TestALoginIsRefusedUnread(t *testing.T) {
	w := newScene(t)
	const body = `{"username": "admin", "password": "hunter2"}`
	r := request(t, "POST", "/v1/session/login", "")
	r.Body, r.ContentLength = io.NopCloser(unreadable{t}), int64(len(body))
	handle(w.handler(), r).expect(t, http.StatusUnauthorized, "password_unsupported")
	c := w.dial(w.listen())
	if _, err := io.WriteString(c, asQumulo("POST", "/v1/session/login", "", body)); err != nil {
		t.Fatal(err)
	}
	got, _ := w.readAnswer(bufio.NewReader(c), "POST")
	p := got.expect(t, http.StatusUnauthorized, "password_unsupported").problem(t)
	if !strings.Contains(p.Description, `{"version":1,"bearer_token":"TOKEN"}`) || !strings.Contains(p.Description, "0600") {
		t.Errorf("the description does not say how to use a token: %s", p.Description)
	}
	if got.header.Get("WWW-Authenticate") == "" || p.ErrorClass != "http_unauthorized_error" {
		t.Errorf("got %v %s", got.header, got.body)
	}
	if text := string(got.body) + w.log.String(); strings.Contains(text, "hunter2") {
		t.Error("the answer or the log has the password")
	}
}

// TestAPasswordInBasicIsNamed: it would be of no use to look for a better token in its
// place.
func TestAPasswordInBasicIsNamed(t *testing.T) {
	w := newScene(t)
	for _, path := range []string{collection, "/v1/session/who-am-i", "/v1/settings"} {
		r := request(t, "GET", path, "")
		r.SetBasicAuth("admin", "hunter2")
		got := handle(w.handler(), r).expect(t, http.StatusUnauthorized, "password_unsupported")
		if !strings.Contains(string(got.body), "send a token as the password") || strings.Contains(string(got.body)+w.log.String(), "hunter2") {
			t.Errorf("%s: got %s", path, got.body)
		}
	}
}
