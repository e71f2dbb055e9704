package proxies

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/scope/scopetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi/forward"
)

// TestTheMatrix runs every case with every proxy.
func TestTheMatrix(t *testing.T) {
	for proxy, start := range proxies {
		t.Run(proxy, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			start(s)
			s.ready()
			for name, check := range map[string]func(*scene, string){
				"tokens": tokens, "scopes": scopes, "sources": sources, "questions": forgedQuestions, "identities": forgedIdentities, "connections": connections, "overrides": overriding, "upgrades": upgrades,
				"owners": owners, "paths": paths, "methods": methods, "bodies": bodies, "websockets": websockets, "headers": longHeaders,
				"backend": ownFailures,
			} {
				before := s.T
				t.Run(name, func(t *testing.T) {
					s.T = t
					check(s, proxy)
				})
				s.T = before
			}
			faults(s, proxy) // at the end: nothing answers the proxy then
		})
	}
}

// ready returns when the proxy has read its file: Traefik listens before it has.
func (s *scene) ready() {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); s.send(call{}).StatusCode == http.StatusNotFound; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("the proxy has no route")
		}
	}
}

// allowed checks that a call reached the backend with this owner, once.
func (s *scene) allowed(name string, c call, owner string) answer {
	s.Helper()
	got := s.send(c)
	if got.StatusCode != http.StatusOK || len(got.seen) != 1 {
		s.Errorf("%s: the client got %d, and the backend saw %d requests, want 200 and one", name, got.StatusCode, len(got.seen))
		return got
	}
	h := got.seen[0].header
	for _, header := range []string{forward.Owner, forward.TokenID, forward.Scopes, forward.Expires} {
		if values := h[header]; len(values) != 1 || values[0] == "" {
			s.Errorf("%s: the backend saw %s %q", name, header, values)
		}
	}
	if h.Get(forward.Owner) != owner {
		s.Errorf("%s: the backend saw the owner %q, want %q", name, h.Get(forward.Owner), owner)
	}
	if credential := h["Authorization"]; credential != nil {
		s.Errorf("%s: the backend saw a credential", name)
	}
	return got
}

// refused checks that a call did not reach the backend.
func (s *scene) refused(name string, c call, status int) answer {
	s.Helper()
	got := s.send(c)
	if got.StatusCode != status || len(got.seen) > 0 {
		s.Errorf("%s: the client got %d, and the backend saw %d requests, want %d and none", name, got.StatusCode, len(got.seen), status)
	}
	if challenge := got.Header.Get("WWW-Authenticate"); (status == http.StatusUnauthorized) != strings.HasPrefix(challenge, "Bearer ") {
		s.Errorf("%s: the client got the challenge %q with %d", name, challenge, got.StatusCode)
	}
	if envoy := strings.Contains(s.Name(), "/envoy"); status == http.StatusServiceUnavailable && !envoy && got.Header.Get("Retry-After") == "" {
		s.Errorf("%s: the client got no Retry-After", name)
	}
	return got
}

func tokens(s *scene, proxy string) {
	_, free := s.create("ann", token.Wish{})
	s.allowed("a token", call{token: free}, "ann")
	s.refused("no token", call{}, 401)
	s.refused("no token, in the query", call{target: "/public/x?access_token=" + free}, 401)
	s.refused("a bad token", call{token: "hello"}, 401)
	s.refused("a wrong secret", call{token: free[:9] + strings.Repeat("0", 26) + free[35:]}, 401)
	s.allowed("Basic", call{headers: []string{"Authorization: Basic " + basic("x:"+free)}}, "ann")
	_, short := s.create("ann", token.Wish{ExpiresIn: time.Second})
	time.Sleep(1100 * time.Millisecond)
	s.refused("an expired token", call{token: short}, 401)
	id, revoked := s.create("ann", token.Wish{})
	s.allowed("before the revocation", call{token: revoked}, "ann")
	if err := s.Revoke(s.Context(), guard.Principal{Owner: "ann"}, id); err != nil {
		s.Fatal(err)
	}
	s.refused("after the revocation", call{token: revoked}, 401)
	s.allowed("another token", call{token: free}, "ann")
	got := s.send(call{headers: []string{"Authorization: Bearer " + free, "Authorization: Bearer " + free}})
	if got.StatusCode != 401 && got.StatusCode != 400 || len(got.seen) > 0 {
		s.Errorf("two credentials: the client got %d, and the backend saw %d requests", got.StatusCode, len(got.seen))
	}
}

func scopes(s *scene, proxy string) {
	_, scoped := s.create("bob", token.Wish{Scopes: []string{"GET /public/*", "POST /public/x"}})
	got := s.allowed("in scope", call{token: scoped}, "bob")
	if values := got.seen; len(values) == 1 && values[0].header.Get(forward.Scopes) != "GET:/public/* POST:/public/x" {
		s.Errorf("the backend saw the scopes %q", values[0].header.Get(forward.Scopes))
	}
	s.allowed("in scope, with a query", call{token: scoped, target: "/public/x?next=/admin&a=%2F..%2F"}, "bob")
	s.allowed("another method in scope", call{method: "POST", token: scoped, body: "x"}, "bob")
	s.refused("another path", call{token: scoped, target: "/admin"}, 403)
	s.refused("another method", call{method: "DELETE", token: scoped}, 403)
	s.refused("a path in the query", call{token: scoped, target: "/admin?/public/x"}, 403)
}

func sources(s *scene, proxy string) {
	_, inside := s.create("carol", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	_, outside := s.create("carol", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	s.allowed("from its range", call{token: inside}, "carol")
	s.refused("from elsewhere", call{token: outside}, 403)
	for _, line := range []string{
		"X-Forwarded-For: 192.0.2.7", "X-Real-IP: 192.0.2.7", "Forwarded: for=192.0.2.7", "X-Envoy-External-Address: 192.0.2.7",
		"X_Real_IP: 192.0.2.7", "X_Forwarded_For: 192.0.2.7", "True-Client-IP: 192.0.2.7", "X-Client-IP: 192.0.2.7", "CF-Connecting-IP: 192.0.2.7",
	} {
		s.refused(line, call{token: outside, headers: []string{line}}, 403)
		s.refused(line+" twice", call{token: outside, headers: []string{line, line}}, 403)
	}
}

// forgedQuestions asks for another call by the headers that some proxy sends.
func forgedQuestions(s *scene, proxy string) {
	_, scoped := s.create("dan", token.Wish{Scopes: []string{"GET /public/*"}})
	for _, line := range []string{
		"X-Original-URI: /public/x", "X-Original-URL: /public/x", "X-Forwarded-Uri: /public/x", "X-Rewrite-URL: /public/x", "X-Envoy-Original-Path: /public/x",
		"X_Original_URI: /public/x", "X_Forwarded_Uri: /public/x", "X.Forwarded.Uri: /public/x", "X-Forwarded-Prefix: /public",
	} {
		s.refused(line, call{token: scoped, target: "/admin", headers: []string{line}}, 403)
		s.refused(line+" twice", call{token: scoped, target: "/admin", headers: []string{line, line}}, 403)
	}
	for _, line := range []string{"X-Original-Method: GET", "X-Forwarded-Method: GET", "X-HTTP-Method-Override: GET", "X_Original_Method: GET"} {
		s.refused(line, call{method: "DELETE", token: scoped, headers: []string{line}}, 403)
	}
	for _, line := range []string{"X-Original-URI: /admin", "X-Forwarded-Uri: /admin", "X-Forwarded-Method: DELETE", "X-Original-Method: DELETE", "X-Forwarded-Host: evil"} {
		s.allowed(line, call{token: scoped, headers: []string{line}}, "dan")
	}
}

// upgrades asks for HTTP/2 on the same connection: if the backend agreed, the requests
// that follow would need no verdict. The request itself passes: curl and Java ask so by
// default, and may be ignored.
func upgrades(s *scene, proxy string) {
	if proxy == "envoy" {
		s.Skip("Envoy removes an upgrade to h2c; the handler in its place does not")
	}
	_, free := s.create("eve", token.Wish{})
	for _, lines := range [][]string{
		{"Upgrade: h2c"}, {"Upgrade: H2C"}, {"Upgrade: h2c, websocket"}, {"Upgrade: websocket, h2c"}, {"Upgrade: h2c", "Upgrade: websocket"},
		{"Upgrade: websocket", "Upgrade: h2c"},
	} {
		got := s.send(call{token: free, headers: append([]string{"Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}, lines...)})
		if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusSwitchingProtocols || len(got.seen) != 1 {
			s.Errorf("%q: the client got %d, and the backend saw %d requests", lines, got.StatusCode, len(got.seen))
		}
		for _, r := range got.seen {
			if text := strings.Join(r.header["Upgrade"], ","); text != "" && text != "websocket" {
				s.Errorf("%q: the backend saw the upgrade %q", lines, text)
			}
		}
	}
}

// overrides are the headers from which some frameworks take the path or the method of a
// request. The verdict is not about these, so the backend must not see them.
var overrides = []string{"X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

func overriding(s *scene, proxy string) {
	_, scoped := s.create("dan", token.Wish{Scopes: []string{"GET /public/*"}})
	for _, name := range overrides {
		for _, spelling := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_")} {
			got := s.allowed(spelling, call{token: scoped, headers: []string{spelling + ": /admin", spelling + ": DELETE"}}, "dan")
			for _, r := range got.seen {
				for header := range r.header {
					if strings.EqualFold(strings.ReplaceAll(header, "_", "-"), name) {
						s.Errorf("the backend saw %s", header)
					}
				}
			}
		}
	}
}

// forgedIdentities sends our own headers, and all names that a backend may read as
// ours.
func forgedIdentities(s *scene, proxy string) {
	_, free := s.create("eve", token.Wish{})
	names := []string{forward.Owner, forward.TokenID, forward.Scopes, forward.Expires}
	for _, own := range names {
		for _, name := range spellings(own) {
			for _, times := range []int{1, 2} {
				lines := make([]string, times)
				for i := range lines {
					lines[i] = name + ": admin"
				}
				got := s.allowed(fmt.Sprintf("%s %d times", name, times), call{token: free, headers: lines}, "eve")
				for _, r := range got.seen {
					for header, values := range r.header {
						if plain := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(header)); !strings.HasPrefix(plain, "apitoken-") {
							continue
						}
						if header != forward.Owner && header != forward.TokenID && header != forward.Scopes && header != forward.Expires || len(values) != 1 || strings.Contains(values[0], "admin") {
							s.Errorf("%s: the backend saw %s %q", name, header, values)
						}
					}
				}
				s.refused(name+" without a token", call{headers: lines}, 401)
			}
		}
	}
}

// connections names our headers in Connection: proxies remove the headers that it names
// (RFC 9110 section 7.6.1), and must not remove those of the verdict.
func connections(s *scene, proxy string) {
	if proxy == "envoy" {
		s.Skip("Envoy reads no names in Connection; the handler in its place does")
	}
	_, free := s.create("eve", token.Wish{})
	for _, name := range []string{forward.Owner, forward.TokenID, forward.Scopes, forward.Expires} {
		for _, lines := range [][]string{
			{"Connection: close, " + name},
			{"Connection: " + strings.ToLower(name) + ",close"},
			{"Connection: close", "Connection: " + strings.ToUpper(name)},
			{"Connection: Upgrade, " + name, "Upgrade: x"},
		} {
			s.allowed(strings.Join(lines, "; "), call{token: free, headers: lines}, "eve")
		}
	}
}

// spellings returns a name with each of its hyphens as a hyphen, an underscore or a
// dot, and in capital letters.
func spellings(name string) []string {
	parts := strings.Split(name, "-")
	all := []string{parts[0]}
	for _, part := range parts[1:] {
		var longer []string
		for _, begin := range all {
			for _, separator := range []string{"-", "_", "."} {
				longer = append(longer, begin+separator+part)
			}
		}
		all = longer
	}
	return append(all, strings.ToUpper(name), strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

func owners(s *scene, proxy string) {
	for owner, want := range map[string]string{"j\u00f6rg": "j%C3%B6rg", "-": "%2D", "ann marie": "ann marie", "100%": "100%25"} {
		_, text := s.create(owner, token.Wish{})
		got := s.allowed(owner, call{token: text}, want)
		if len(got.seen) == 1 && (got.seen[0].header.Get(forward.Scopes) != "-" || got.seen[0].header.Get(forward.Expires) != "-") {
			s.Errorf("%s: the backend saw %v", owner, got.seen[0].header)
		}
	}
}

// paths sends every hostile path. If one reaches the backend, then the backend must
// read it as a path in scope.
func paths(s *scene, proxy string) {
	_, scoped := s.create("fred", token.Wish{Scopes: []string{scopetest.Scope}})
	sent := 0
	for _, path := range scopetest.Hostile {
		if path == "" || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			continue // no request line has it
		}
		sent++
		got := s.send(call{token: scoped, target: path})
		for _, r := range got.seen {
			target, _, _ := strings.Cut(r.target, "?")
			if outside := scopetest.Outside(scopetest.Scope, target); outside != "" {
				s.Errorf("%q: the backend saw %q, and may read it as %q", path, r.target, outside)
			}
		}
		if got.StatusCode == 200 && len(got.seen) != 1 {
			s.Errorf("%q: the client got 200, and the backend saw %d requests", path, len(got.seen))
		}
	}
	if sent < 60 {
		s.Errorf("only %d paths were sent", sent)
	}
	for _, path := range []string{"/v1/public/../admin", "/v1/public/%2e%2e/admin", "/v1/public/a%2fb", "/v1/public//x", "/v1/public/..;/admin", "/v1/public/%zz"} {
		got := s.send(call{token: scoped, target: path})
		if len(got.seen) > 0 && (proxy == "nginx" || proxy == "envoy") || got.StatusCode == 401 || got.StatusCode >= 500 {
			s.Errorf("%q: the client got %d, and the backend saw %v", path, got.StatusCode, got.seen)
		}
	}
	s.allowed("a plain path", call{token: scoped, target: "/v1/public/x"}, "fred")
	s.allowed("an escaped letter", call{token: scoped, target: "/v1/public/%78"}, "fred")
}

func methods(s *scene, proxy string) {
	_, scoped := s.create("gina", token.Wish{Scopes: []string{"GET /public/*"}})
	_, free := s.create("gina", token.Wish{})
	got := s.allowed("HEAD", call{method: "HEAD", token: scoped}, "gina")
	if len(got.body) > 0 || len(got.seen) == 1 && got.seen[0].method != "HEAD" {
		s.Errorf("HEAD: the client got %q, the backend saw %+v", got.body, got.seen)
	}
	s.refused("HEAD without a token", call{method: "HEAD"}, 401)
	s.refused("OPTIONS without a token", call{method: "OPTIONS", headers: []string{"Origin: https://example.org", "Access-Control-Request-Method: GET"}}, 401)
	s.refused("OPTIONS out of scope", call{method: "OPTIONS", token: scoped}, 403)
	for _, method := range []string{"OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"} {
		got := s.allowed(method, call{method: method, token: free}, "gina")
		if len(got.seen) == 1 && got.seen[0].method != method {
			s.Errorf("%s: the backend saw %s", method, got.seen[0].method)
		}
	}
}

func bodies(s *scene, proxy string) {
	_, free := s.create("hank", token.Wish{})
	body := strings.Repeat("0123456789abcdef", 1<<16) // 1 MB
	for _, chunked := range []bool{false, true} {
		got := s.allowed("a body", call{method: "POST", token: free, body: body, chunked: chunked}, "hank")
		if string(got.body) != body || len(got.seen) == 1 && string(got.seen[0].body) != body {
			s.Errorf("chunked %t: the client got %d bytes, want the body", chunked, len(got.body))
		}
		s.refused("a body without a token", call{method: "POST", body: body, chunked: chunked}, 401)
	}
}

const upgrade = "GET /public/socket HTTP/1.1\r\nHost: api.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func websockets(s *scene, proxy string) {
	_, free := s.create("ivy", token.Wish{})
	for shown, want := range map[string]int{"Authorization: Bearer " + free + "\r\n": 101, "": 401, "Authorization: Bearer x\r\n": 401} {
		s.backend.take()
		conn := s.dial()
		io.WriteString(conn, upgrade+shown+"\r\n")
		in := bufio.NewReader(conn)
		got, err := http.ReadResponse(in, nil)
		if err != nil {
			s.Fatal(err)
		}
		if got.StatusCode != want {
			s.Errorf("the client got %d, want %d", got.StatusCode, want)
		}
		if got.StatusCode == 101 {
			message := []byte("\x81\x85\x00\x00\x00\x00hello")
			conn.Write(message)
			echo := make([]byte, len(message))
			if _, err := io.ReadFull(in, echo); err != nil || !bytes.Equal(echo, message) {
				s.Errorf("the client got %q, %v, want the message", echo, err)
			}
		}
		conn.Close()
		seen := s.backend.take()
		if (len(seen) == 1) != (want == 101) || want == 101 && len(seen) == 1 && (seen[0].header.Get(forward.Owner) != "ivy" || seen[0].header["Authorization"] != nil) {
			s.Errorf("want %d: the backend saw %+v", want, seen)
		}
	}
}

func longHeaders(s *scene, proxy string) {
	_, free := s.create("jane", token.Wish{})
	lines := []string{"Cookie: a=" + strings.Repeat("a", 4000), "X-Long: " + strings.Repeat("b", 4000)}
	got := s.allowed("8 KB of headers", call{token: free, headers: lines}, "jane")
	if len(got.seen) == 1 && (len(got.seen[0].header.Get("Cookie")) != 4002 || len(got.seen[0].header.Get("X-Long")) != 4000) {
		s.Errorf("the backend saw a shorter header")
	}
	s.refused("8 KB of headers without a token", call{headers: lines}, 401)
	var full []string // the longest scopes that a token may have
	for i := range 16 {
		full = append(full, fmt.Sprintf("PROPPATCH /%02d%s*", i, strings.Repeat("x", 128-len("PROPPATCH /00*"))))
	}
	_, scoped := s.create("jane", token.Wish{Scopes: full})
	got = s.allowed("sixteen long scopes", call{method: "PROPPATCH", token: scoped, target: "/00" + strings.Repeat("x", 120)}, "jane")
	if len(got.seen) == 1 && len(strings.Fields(got.seen[0].header.Get(forward.Scopes))) != 16 {
		s.Errorf("the backend saw the scopes %q", got.seen[0].header.Get(forward.Scopes))
	}
}

// ownFailures: a 500 of the backend stays one.
func ownFailures(s *scene, proxy string) {
	_, free := s.create("kim", token.Wish{})
	if got := s.send(call{token: free, target: "/fails"}); got.StatusCode != 500 || len(got.seen) != 1 {
		s.Errorf("the client got %d, and the backend saw %d requests", got.StatusCode, len(got.seen))
	}
}

// faults: without a verdict no request passes, and no client is told that its token is
// wrong.
func faults(s *scene, proxy string) {
	_, free := s.create("leo", token.Wish{})
	s.down.Store(true)
	s.refused("the store is down", call{token: free}, 503)
	s.refused("the store is down, a body", call{method: "POST", token: free, body: "x"}, 503)
	s.down.Store(false)
	s.allowed("the store is back", call{token: free}, "leo")
	s.ask.Listener.Close()
	s.ask.CloseClientConnections()
	got := s.send(call{token: free})
	if len(got.seen) > 0 || got.StatusCode != unreachable[proxy] {
		s.Errorf("the service is gone: the client got %d, want %d, and the backend saw %d requests", got.StatusCode, unreachable[proxy], len(got.seen))
	}
}

// unreachable is what a client gets if the proxy cannot reach the service.
var unreachable = map[string]int{"nginx": 503, "envoy": 503, "caddy": 502, "traefik": 500}
