package forward_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/guard/guardtest"
	"apitoken/events/issuer"
	"apitoken/events/scope/scopetest"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/forward"
	"apitoken/infra/bolt/bolttest"
)

// words are the proxies, each with the sub-request that it sends.
var words = map[string]func(q guard.Question) *http.Request{
	"nginx": func(q guard.Question) *http.Request {
		r := httptest.NewRequest("GET", forward.Prefix+"nginx", nil)
		r.Header = http.Header{"X-Original-Method": {q.Method}, "X-Original-Uri": {q.Path + "?q=" + sentinel}, "X-Real-Ip": {q.Source.String()}}
		return r
	},
	"traefik": forwarded("traefik"),
	"caddy":   forwarded("caddy"),
	"envoy": func(q guard.Question) *http.Request {
		r := httptest.NewRequest(q.Method, forward.Prefix+"envoy"+q.Path+"?q="+sentinel, nil)
		r.Host = q.Host
		r.Header = http.Header{"X-Envoy-External-Address": {q.Source.String()}}
		return r
	},
}

// sentinel is a text in each query, which no log line may have.
const sentinel = "in-the-query"

func forwarded(word string) func(q guard.Question) *http.Request {
	return func(q guard.Question) *http.Request {
		r := httptest.NewRequest("GET", forward.Prefix+word+"?q="+sentinel, nil)
		r.Header = http.Header{
			"X-Forwarded-Method": {q.Method}, "X-Forwarded-Uri": {q.Path + "?q=" + sentinel}, "X-Forwarded-Host": {q.Host},
			"X-Forwarded-For": {"203.0.113.9, " + q.Source.String()},
		}
		return r
	}
}

// ask sends a sub-request from this machine.
func ask(h http.Handler, r *http.Request) *http.Response {
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestEveryProxyGetsTheVerdict(t *testing.T) {
	for word, sub := range words {
		t.Run(word, func(t *testing.T) {
			var log bytes.Buffer
			guardtest.Run(t, bolttest.Open(t), 27, func(t *testing.T, s guardtest.Service) guardtest.Ask {
				h := forward.New(forward.Config{Guard: s.Guard(), Logger: slog.New(slog.NewJSONHandler(&log, nil)), Now: s.Now})
				return func(t *testing.T, q guard.Question) (guardtest.Answer, bool) {
					if !q.Source.IsValid() && !strings.HasPrefix(word, "t") && word != "caddy" {
						return guardtest.Answer{}, false // the header must have an address
					}
					r := sub(q)
					r.Header["Authorization"] = q.Authorization
					return answerOf(t, ask(h, r)), true
				}
			})
			checkLog(t, log.String())
		})
	}
}

// answerOf reads an answer as a proxy and its client do.
func answerOf(t *testing.T, got *http.Response) guardtest.Answer {
	t.Helper()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode == http.StatusOK {
		if len(body) > 0 {
			t.Errorf("an answer that lets pass has the body %s", body)
		}
		return guardtest.Answer{Owner: got.Header.Get(forward.Owner), TokenID: got.Header.Get(forward.TokenID)}
	}
	var p httpapi.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Status != got.StatusCode || p.RequestID == "" {
		t.Errorf("got %d with %s, want a problem", got.StatusCode, body)
	}
	challenges := got.Header.Values("WWW-Authenticate")
	switch got.StatusCode {
	case http.StatusUnauthorized:
		if len(challenges) != 2 {
			t.Errorf("a 401 has the challenges %q", challenges)
		}
	case http.StatusForbidden:
		if len(challenges) != 0 {
			t.Errorf("a 403 has the challenges %q", challenges)
		}
	case http.StatusServiceUnavailable:
		if got.Header.Get("Retry-After") == "" || p.Code != "unavailable" {
			t.Errorf("a fault has the code %s and Retry-After %q", p.Code, got.Header.Get("Retry-After"))
		}
		return guardtest.Answer{Fault: true}
	default:
		t.Errorf("got the status %d, which proxies read as a fault of theirs", got.StatusCode)
	}
	return guardtest.Answer{Code: p.Code}
}

// checkLog: one line for each verdict, and no credential or query in it.
func checkLog(t *testing.T, log string) {
	t.Helper()
	if strings.Contains(log, sentinel) {
		t.Errorf("the log has a query")
	}
	lines, allowed := 0, 0
	for line := range strings.Lines(log) {
		var l struct {
			Level, Operation, Code, Owner, Token_ID, Address, Proxy, Method, Path, Request_ID string
			Status                                                                            int
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		lines++
		if l.Operation != "forward" || l.Code == "" || l.Proxy == "" || l.Method == "" || !strings.HasPrefix(l.Path, "/") || l.Request_ID == "" || (l.Status >= 500) != (l.Level == "ERROR") {
			t.Errorf("got the line %s", line)
		}
		if l.Code == "ok" {
			allowed++
			if l.Owner == "" || l.Token_ID == "" || l.Status != 200 {
				t.Errorf("got the line %s", line)
			}
		}
	}
	if lines < 27 || allowed < 5 {
		t.Errorf("got %d lines with %d verdicts that let pass", lines, allowed)
	}
}

// scene is a service with a handler.
type scene struct {
	*testing.T
	*issuer.Issuer
	log  bytes.Buffer
	free string // a token without scopes
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, Issuer: issuer.New(issuer.Config{Store: bolttest.Open(t), Keys: storetest.Keys})}
	_, s.free = s.create("ann", token.Wish{})
	return s
}

func (s *scene) create(owner string, w token.Wish) (issuer.Token, string) {
	s.Helper()
	made, text, err := s.Create(s.Context(), guard.Principal{Owner: owner}, "", w)
	if err != nil {
		s.Fatal(err)
	}
	return made, text.Reveal()
}

func (s *scene) handler(peers ...string) http.Handler {
	c := forward.Config{Guard: s.Guard(), Logger: slog.New(slog.NewJSONHandler(&s.log, nil))}
	for _, p := range peers {
		c.Peers = append(c.Peers, netip.MustParsePrefix(p))
	}
	return forward.New(c)
}

var question = guard.Question{Method: "GET", Path: "/things/7", Host: "api.example.org", Source: netip.MustParseAddr("10.1.2.3")}

// TestOnlyTheHeadersOfTheProxyCount takes away and repeats each header that a proxy
// must send, and adds the headers of all other proxies with another call.
func TestOnlyTheHeadersOfTheProxyCount(t *testing.T) {
	s := newScene(t)
	h := s.handler()
	_, scoped := s.create("ann", token.Wish{Scopes: []string{"GET /things/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	all := http.Header{
		"X-Original-Method": {"DELETE"}, "X-Original-Uri": {"/admin"}, "X-Real-Ip": {"192.0.2.1"}, "X-Original-Url": {"/admin"},
		"X-Forwarded-Method": {"DELETE"}, "X-Forwarded-Uri": {"/admin"}, "X-Forwarded-Host": {"evil"}, "X-Forwarded-For": {"192.0.2.1"},
		"X-Envoy-External-Address": {"192.0.2.1"}, "X-Envoy-Original-Path": {"/admin"}, "X-Http-Method-Override": {"DELETE"},
		"Forwarded": {"for=192.0.2.1"}, "X_original_uri": {"/admin"}, "X-Original_Uri": {"/admin"},
		"Proxy-Authorization": {"Bearer x"}, "X-Api-Key": {"x"}, "Cookie": {"authorization=x"},
	}
	for word, sub := range words {
		for _, hostile := range []bool{false, true} {
			r := sub(question)
			own := r.Header.Clone()
			if hostile {
				for name, values := range all {
					if own[name] == nil {
						r.Header[name] = values
					}
				}
			}
			r.Header.Set("Authorization", "Bearer "+scoped)
			if got := ask(h, r); got.StatusCode != http.StatusOK {
				t.Errorf("%s, with forged headers %t: got %d", word, hostile, got.StatusCode)
			}
			for name := range own {
				for _, values := range [][]string{nil, {""}, {own.Get(name), own.Get(name)}} {
					r := sub(question)
					for other, forged := range all {
						if own[other] == nil && hostile {
							r.Header[other] = forged
						}
					}
					r.Header.Set("Authorization", "Bearer "+scoped)
					r.Header[name] = values
					got := ask(h, r)
					body, _ := io.ReadAll(got.Body)
					if name == "X-Forwarded-For" && len(values) == 2 {
						if got.StatusCode != http.StatusOK { // a list may have several lines
							t.Errorf("%s, %s twice: got %d", word, name, got.StatusCode)
						}
						continue
					}
					if got.StatusCode != 500 || !bytes.Contains(body, []byte(`"forward_misconfigured"`)) || !bytes.Contains(bytes.ToLower(body), []byte(strings.ToLower(name))) {
						t.Errorf("%s, %s is %q: got %d %s", word, name, values, got.StatusCode, body)
					}
				}
			}
		}
	}
}

// TestANonAddressIsNoAddress: nothing is guessed from a text that is none.
func TestANonAddressIsNoAddress(t *testing.T) {
	s := newScene(t)
	for word, name := range map[string]string{"nginx": "X-Real-Ip", "envoy": "X-Envoy-External-Address"} {
		for _, text := range []string{"unix:", "10.1.2.3:80", "10.1.2.3, 10.1.2.4", "fe80::1%eth0", "localhost", "010.1.2.3"} {
			r := words[word](question)
			r.Header.Set("Authorization", "Bearer "+s.free)
			r.Header.Set(name, text)
			if got := ask(s.handler(), r); got.StatusCode != 500 {
				t.Errorf("%s: %q gives %d", word, text, got.StatusCode)
			}
		}
	}
}

// TestAScopedTokenCallsOnlyPathsThatAllBackendsReadAlike sends each hostile path as
// each proxy does.
func TestAScopedTokenCallsOnlyPathsThatAllBackendsReadAlike(t *testing.T) {
	s := newScene(t)
	h := s.handler()
	_, scoped := s.create("ann", token.Wish{Scopes: []string{scopetest.Scope}})
	for word, sub := range words {
		for i, paths := range [][]string{scopetest.Hostile, scopetest.Odd} {
			want := []int{http.StatusForbidden, http.StatusOK}[i]
			for _, path := range paths {
				if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.Contains(path, "?") || path == "" || word == "envoy" && !strings.HasPrefix(path, "/") {
					continue // no request line has it
				}
				q := question
				q.Path = "/"
				r := sub(q)
				switch word {
				case "nginx":
					r.Header.Set("X-Original-Uri", path)
				case "envoy":
					r.RequestURI = forward.Prefix + "envoy" + path
				default:
					r.Header.Set("X-Forwarded-Uri", path)
				}
				r.Header.Set("Authorization", "Bearer "+scoped)
				if got := ask(h, r).StatusCode; got != want {
					t.Errorf("%s, %q: got %d, want %d", word, path, got, want)
				}
			}
		}
	}
}

// TestIdentityHeadersAreAlwaysThereAndASCII: a proxy that gets a header overwrites
// the one of the client.
func TestIdentityHeadersAreAlwaysThereAndASCII(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		owner  string
		wish   token.Wish
		want   string
		scopes string
		ends   bool
	}{
		{owner: "ann", want: "ann", scopes: "-"},
		{owner: "j\u00f6rg", want: "j%C3%B6rg", scopes: "-"},
		{owner: "-", want: "%2D", scopes: "-"},
		{owner: "100%", want: "100%25", scopes: "-"},
		{owner: "ann marie", want: "ann marie", scopes: "-"},
		{owner: "\u65e5\u672c", want: "%E6%97%A5%E6%9C%AC", scopes: "-"},
		{owner: "bob", wish: token.Wish{ExpiresIn: time.Hour, Scopes: []string{"GET /things/*", "* /a=b,c"}}, want: "bob", scopes: "GET:/things/* *:/a=b,c", ends: true},
	} {
		made, text := s.create(c.owner, c.wish)
		for word, sub := range words {
			r := sub(question)
			r.Header.Set("Authorization", "Bearer "+text)
			r.Header.Set("Apitoken-Owner", "admin")
			got := ask(s.handler(), r)
			expires := "-"
			if c.ends {
				expires = made.ExpiresAt.Format("2006-01-02T15:04:05.000000Z")
			}
			want := http.Header{forward.Owner: {c.want}, forward.TokenID: {made.ID}, forward.Scopes: {c.scopes}, forward.Expires: {expires}}
			for name, values := range want {
				if have := got.Header[name]; len(have) != 1 || have[0] != values[0] {
					t.Errorf("%s, %s: got %s %q, want %q", word, c.owner, name, have, values)
				}
			}
			if got.StatusCode != 200 || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s: got %d %v", word, got.StatusCode, got.Header)
			}
		}
	}
}

func TestOnlyThisMachineAndItsPeersMayAsk(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		peer, local string
		peers       []string
		want        int
	}{
		{"127.0.0.1:5", "127.0.0.1:8081", nil, 200},
		{"[::1]:5", "[::1]:8081", nil, 200},
		{"[::ffff:127.0.0.1]:5", "127.0.0.1:8081", nil, 200},
		{"192.0.2.5:5", "192.0.2.5:8081", nil, 200}, // this machine, by another of its addresses
		{"192.0.2.6:5", "192.0.2.5:8081", nil, 403},
		{"192.0.2.6:5", "192.0.2.5:8081", []string{"192.0.2.0/29"}, 200},
		{"192.0.2.9:5", "192.0.2.5:8081", []string{"192.0.2.0/29"}, 403},
		{"[::ffff:192.0.2.6]:5", "192.0.2.5:8081", []string{"192.0.2.0/29"}, 200},
		{"[fe80::1%eth0]:5", "[fe80::2%eth0]:8081", nil, 403},
		{"nonsense", "192.0.2.5:8081", []string{"0.0.0.0/0", "::/0"}, 403},
		{"", "192.0.2.5:8081", []string{"0.0.0.0/0", "::/0"}, 403},
	} {
		r := words["nginx"](question)
		r.Header.Set("Authorization", "Bearer "+s.free)
		local, err := net.ResolveTCPAddr("tcp", c.local)
		if err != nil && !strings.Contains(c.local, "eth0") {
			t.Fatal(err)
		}
		if local != nil {
			r = r.WithContext(contextWith(r, local))
		}
		r.RemoteAddr = c.peer
		w := httptest.NewRecorder()
		s.log.Reset()
		s.handler(c.peers...).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s at %s with %v: got %d, want %d", c.peer, c.local, c.peers, w.Code, c.want)
		}
		if named := strings.Contains(s.log.String(), "--forward-peers") && strings.Contains(s.log.String(), `"level":"WARN"`); named != (c.want == 403) {
			t.Errorf("%s: the log is %s", c.peer, &s.log)
		}
	}
}

// TestAUnixSocketNeedsNoPeers asks over a real socket.
func TestAUnixSocketNeedsNoPeers(t *testing.T) {
	s := newScene(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, s.handler())
	client := &http.Client{Transport: &http.Transport{DialContext: (&unixDialer{path}).dial}}
	r := words["nginx"](question)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", "socket"
	r.Header.Set("Authorization", "Bearer "+s.free)
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != 200 {
		t.Errorf("got %d", got.StatusCode)
	}
}

// TestASubRequestWithABodyIsAnsweredAtOnce: a proxy that passes on Content-Length
// without the body must not wait.
func TestASubRequestWithABodyIsAnsweredAtOnce(t *testing.T) {
	s := newScene(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, s.handler())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(c, "GET "+forward.Prefix+"nginx HTTP/1.1\r\nHost: x\r\nX-Original-Method: POST\r\nX-Original-URI: /a\r\nX-Real-IP: 10.0.0.1\r\nAuthorization: Bearer "+s.free+"\r\nContent-Length: 1000\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	s := newScene(t)
	for _, target := range []string{"/", "/v1/auth/forward", forward.Prefix, forward.Prefix + "nginx/", forward.Prefix + "nginx/x", forward.Prefix + "haproxy", forward.Prefix + "envoy", "/v1/auth/access-tokens", forward.Prefix + "NGINX", "*", "http://x" + forward.Prefix + "nginx"} {
		r := words["nginx"](question)
		r.RequestURI = target
		r.Header.Set("Authorization", "Bearer "+s.free)
		if got := ask(s.handler(), r).StatusCode; got != 404 {
			t.Errorf("%s: got %d", target, got)
		}
	}
}

// FuzzAnswer: no target and no header makes a panic, an unexpected status, or a log
// line with a token.
func FuzzAnswer(f *testing.F) {
	f.Add("nginx", "GET", "/a", "10.0.0.1", "Bearer x")
	f.Add("envoy/%zz", "", "//", "unix:", "")
	f.Fuzz(func(t *testing.T, word, method, uri, from, credential string) {
		var log bytes.Buffer
		h := forward.New(forward.Config{Guard: guard.New(guard.Config{}), Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI = forward.Prefix + word
		r.Header = http.Header{
			"X-Original-Method": {method}, "X-Original-Uri": {uri}, "X-Real-Ip": {from}, "X-Forwarded-Method": {method}, "X-Forwarded-Uri": {uri},
			"X-Forwarded-For": {from}, "X-Forwarded-Host": {uri}, "X-Envoy-External-Address": {from}, "Authorization": {credential},
		}
		switch got := ask(h, r).StatusCode; got {
		case 401, 403, 404, 500, 503: // this guard has no store: each read of it is a fault
		default:
			t.Errorf("got %d", got)
		}
		if secretForm.MatchString(log.String()) {
			t.Errorf("the log has a token: %s", &log)
		}
	})
}
