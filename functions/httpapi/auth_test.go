package httpapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

func TestCredentialsThatDoNotPassAre401WithAChallenge(t *testing.T) {
	w := settledScene(t)
	made, revoked := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	before := w.contents()
	const unknown = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	const basic = `Basic realm="apitoken"`
	const metadata = `, resource_metadata="` + publicURL + machine.MetadataPath + `"`
	invalid, bare := []string{`Bearer realm="apitoken", error="invalid_token"` + metadata, basic}, []string{`Bearer realm="apitoken"` + metadata, basic}
	for _, c := range []struct {
		header    []string
		code      string
		challenge []string
	}{
		{nil, "credential_missing", bare},
		{[]string{"Bearer"}, "credential_missing", bare},
		{[]string{"Bearer " + w.admin, "Bearer " + w.admin}, "credential_repeated", invalid},
		{[]string{"Bearer " + w.admin + ", Bearer " + w.admin}, "credential_repeated", invalid},
		{[]string{"Bearer Bearer " + w.admin}, "token_malformed", invalid},
		{[]string{"Digest " + w.admin}, "scheme_unsupported", invalid},
		{[]string{"Bearer x"}, "token_malformed", invalid},
		{[]string{"Bearer " + w.admin[:len(w.admin)-1] + "!"}, "token_malformed", invalid},
		{[]string{"Bearer " + unknown}, "token_invalid", invalid},
		{[]string{"Bearer " + revoked}, "token_revoked", invalid},
	} {
		header := http.Header{}
		if c.header != nil {
			header["Authorization"] = c.header
		}
		for _, call := range []struct{ method, path string }{{"POST", collection}, {"GET", "/v1/session/who-am-i"}} {
			s := w.send(call.method, call.path, header, strings.NewReader(`{"user":{"name":"mallory"}}`))
			s.expect(t, http.StatusUnauthorized, c.code)
			if got := s.header["Www-Authenticate"]; !slices.Equal(got, c.challenge) {
				t.Errorf("%v: got WWW-Authenticate %q, want %q", c.header, got, c.challenge)
			}
		}
	}
	w.do("POST", collection+"?access_token="+w.admin, "", "{}").expect(t, http.StatusBadRequest, "token_in_query")
	w.do("POST", collection+"?access_token="+w.admin, w.admin, "{}").expect(t, http.StatusBadRequest, "token_in_query")
	if w.contents() != before {
		t.Error("the store has changed")
	}
	s := w.do("GET", collection, unknown, "")
	golden(t, "problem_token_invalid.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
}

func TestAllFourSchemesAreAccepted(t *testing.T) {
	w := newScene(t)
	for _, value := range []string{
		"Bearer " + w.admin, "bearer " + w.admin, "API-TOKEN " + w.admin, "token " + w.admin,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("ignored:"+w.admin)),
	} {
		w.send("GET", "/v1/session/who-am-i", http.Header{"Authorization": {value}}, nil).expect(t, http.StatusOK, "")
	}
}

// waitForChallenge is a program for Python's standard library.
const waitForChallenge = `
import sys, urllib.request
passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, sys.argv[1], "x", sys.argv[2])
urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords)).open(sys.argv[1], timeout=20)
`

// TestClientsThatWaitForAChallengeSendTheToken runs clients that send a password
// only after a 401 with a challenge for Basic: with the challenges of this
// service, and with both in one header, as API Gateway sends them.
func TestClientsThatWaitForAChallengeSendTheToken(t *testing.T) {
	w := newScene(t)
	oneHeader := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != w.admin {
			rw.Header().Set("WWW-Authenticate", `Bearer realm="apitoken", Basic realm="apitoken"`)
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer oneHeader.Close()
	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine 127.0.0.1 login x password "+w.admin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{w.server.URL + "/v1/session/who-am-i", oneHeader.URL} {
		for _, command := range [][]string{
			{"wget", "--quiet", "--output-document=-", "--tries=1", "--user=x", "--password=" + w.admin, url},
			{"curl", "--silent", "--fail", "--anyauth", "--user", "x:" + w.admin, url},
			{"curl", "--silent", "--fail", "--user", "x:" + w.admin, url},
			{"curl", "--silent", "--fail", "--anyauth", "--netrc-file", netrc, url},
			{"wget", "--quiet", "--output-document=-", "--tries=1", "--http-user=x", "--http-password=" + w.admin, url},
			{"python3", "-c", waitForChallenge, url, w.admin},
		} {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Logf("skipped, because this machine has no %s", command[0])
				continue
			}
			if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%s at %s: %v\n%s", command[0], url, err, out)
			}
		}
	}
}

func TestScopesAndSourceRangesLimitATokensCalls(t *testing.T) {
	w := newScene(t)
	_, reader := w.make(httpapi.CreateRequest{Scopes: []string{"GET /v1/auth/access-tokens/*"}})
	w.do("GET", collection, reader, "").expect(t, http.StatusOK, "")
	w.do("GET", strings.TrimSuffix(collection, "/"), reader, "").expect(t, http.StatusOK, "")
	w.do("POST", collection, reader, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	w.do("GET", "/v1/users/admin/events", reader, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	if line := w.log.Last(t); line["token_id"] != reader[:8] || line["code"] != "permission_denied_by_scope" {
		t.Errorf("got log line %v, want one with the refused token's id", line)
	}
	_, elsewhere := w.make(httpapi.CreateRequest{SourceIPs: []string{"192.0.2.0/24"}})
	w.do("GET", collection, elsewhere, "").expect(t, http.StatusForbidden, "permission_denied_by_source")
	h := w.handler(func(c *machine.Config) {
		c.Source = func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.9") }
	})
	handle(h, request(t, "GET", collection, elsewhere)).expect(t, http.StatusOK, "")
}

// TestCallsAboutTheOwnTokenNeedNoScope: a token can always see and end itself. Its
// source ranges and its expiry bind there too, and its own id is an id like every
// other.
func TestCallsAboutTheOwnTokenNeedNoScope(t *testing.T) {
	w := newScene(t)
	const self, who = "/v1/auth/access-tokens/self", "/v1/session/who-am-i"
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"GET /hello"}})
	w.make(httpapi.CreateRequest{User: named("ann")})
	for _, path := range []string{self, self + "/", who, who + "/"} {
		w.do("GET", path, text, "").expect(t, http.StatusOK, "")
		w.do("HEAD", path, text, "").expect(t, http.StatusOK, "")
	}
	shown := w.do("GET", self, text, "")
	if got := decodeAs[httpapi.Entry](t, shown); got.ID != made.ID || shown.header.Get("Etag") != `"1"` {
		t.Errorf("got %s, want the acting token with its ETag", shown.body)
	}
	history := decodeAs[httpapi.History](t, w.do("GET", self+"/events?limit=1", text, "").expect(t, http.StatusOK, ""))
	if len(history.Entries) != 1 || !strings.Contains(string(history.Entries[0]), made.ID) {
		t.Errorf("got %s, want the one record of the acting token", history.Entries)
	}
	for _, c := range []struct{ method, path string }{
		{"GET", collection + made.ID}, {"DELETE", collection + made.ID}, {"GET", collection + made.ID + "/events"}, {"GET", collection}, {"POST", collection},
	} {
		w.do(c.method, c.path, text, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	}
	w.do("PATCH", self, text, "").expect(t, http.StatusMethodNotAllowed, "method_not_allowed")
	w.do("POST", self+"/rotate", text, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	w.do("GET", self+"?x=1", text, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("GET", self+"?x="+text, text, "").expect(t, http.StatusBadRequest, "token_in_query")
	w.do("DELETE", self, text, "").expect(t, http.StatusOK, "")
	w.do("GET", self, text, "").expect(t, http.StatusUnauthorized, "token_revoked")

	_, elsewhere := w.make(httpapi.CreateRequest{SourceIPs: []string{"192.0.2.0/24"}})
	w.do("GET", self, elsewhere, "").expect(t, http.StatusForbidden, "permission_denied_by_source")
	w.do("DELETE", self, elsewhere, "").expect(t, http.StatusForbidden, "permission_denied_by_source")
	_, late := w.make(httpapi.CreateRequest{ExpiresIn: "1s"})
	w.sleep(time.Second)
	w.do("GET", who, late, "").expect(t, http.StatusUnauthorized, "token_expired")
	w.do("DELETE", self, late, "").expect(t, http.StatusUnauthorized, "token_expired")
}

// TestCallsAboutTheOwnTokenIgnoreTheGateway: no authorizer runs before them, so a
// principal of a gateway may come from anywhere.
func TestCallsAboutTheOwnTokenIgnoreTheGateway(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *machine.Config) { c.TrustPrincipal = true })
	_, text := w.make(httpapi.CreateRequest{User: named("ann")})
	admin := guard.Principal{Owner: "admin", TokenID: w.admin[:8]}
	for _, route := range httpapi.Routes() {
		if !route.Direct || route.Function == "oauth" { // oauth_test.go has these
			continue
		}
		handle(h, asPrincipal(request(t, route.Method, route.Path, ""), admin)).expect(t, http.StatusUnauthorized, "credential_missing")
	}
	s := handle(h, asPrincipal(request(t, "GET", "/v1/session/who-am-i", text), admin)).expect(t, http.StatusOK, "")
	if self := decodeAs[httpapi.WhoAmI](t, s); self.Name != "ann" {
		t.Errorf("got %s, want the owner of the token", s.body)
	}
}

func TestAfterAGatewayOnlyItsPrincipalIsUsed(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *machine.Config) {
		c.TrustPrincipal, c.Guard, c.Only = true, nil, []string{"list", "history", "about"}
	})
	s := handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusUnauthorized, "credential_missing")
	if s.header.Get("Www-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
	admin := guard.Principal{Owner: "admin", TokenID: w.admin[:8]}
	handle(h, asPrincipal(request(t, "GET", collection, ""), admin)).expect(t, http.StatusOK, "")
	if line := w.log.Last(t); line["token_id"] != w.admin[:8] || line["operation"] != "list" {
		t.Errorf("got %v", line)
	}
	admin.Scopes = []string{"GET /v1/version"}
	handle(h, asPrincipal(request(t, "GET", collection, ""), admin)).expect(t, http.StatusForbidden, "permission_denied_by_scope")
	admin.Scopes = []string{"GET /v1/users/x/*"}
	handle(h, asPrincipal(request(t, "GET", "/v1/users/x%2fy/events", ""), admin)).expect(t, http.StatusForbidden, "permission_denied_by_scope")
	admin.Scopes = nil
	handle(h, asPrincipal(request(t, "GET", "/v1/users/x%2fy/events", ""), admin)).expect(t, http.StatusOK, "")
	handle(h, request(t, "GET", "/healthz", "")).expect(t, http.StatusOK, "")
}

func TestClosedConnectionIsNoErrorInTheLog(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	ctx, disconnect := context.WithCancel(t.Context())
	disconnect()
	handle(w.handler(), request(t, "POST", collection, w.admin).WithContext(ctx)).expect(t, http.StatusServiceUnavailable, "unavailable")
	if line := w.log.Last(t); line["level"] != "INFO" || line["error"] == nil {
		t.Errorf("got %v, want level INFO and the reason", line)
	}
	if w.contents() != before {
		t.Error("the store has changed")
	}
}

func TestPassedDeadlineIsAnErrorInTheLog(t *testing.T) {
	w := settledScene(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	handle(w.handler(), request(t, "POST", collection, w.admin).WithContext(ctx)).expect(t, http.StatusServiceUnavailable, "unavailable")
	if line := w.log.Last(t); line["level"] != "ERROR" || line["error"] == nil {
		t.Errorf("got %v, want an error with the reason", line)
	}
}

func TestOutageIs503AndNever401(t *testing.T) {
	w := newScene(t, func(c *machine.Config) { c.Ready = notReady })
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, route := range httpapi.Routes() {
		if route.Open && route.Path != "/healthz" || route.Function == "oauth" { // oauth_test.go has these
			continue
		}
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		s := w.do(route.Method, path, w.admin, "{}").expect(t, http.StatusServiceUnavailable, "unavailable")
		if s.header.Get("Retry-After") == "" || !s.problem(t).Retryable || strings.Contains(string(s.body), "10.0.0.7") {
			t.Errorf("%s: got %v %s, want Retry-After, retryable, and no reason", path, s.header, s.body)
		}
		line := w.log.Last(t)
		if line["level"] != "ERROR" || line["error"] == nil || line["request_id"] != s.problem(t).RequestID {
			t.Errorf("%s: got log line %v, want the reason", path, line)
		}
	}
	s := w.do("GET", "/healthz", "", "")
	golden(t, "problem_unavailable.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
	// A gateway has checked the credential, and then the store fails.
	h := w.handler(func(c *machine.Config) { c.TrustPrincipal = true })
	for _, route := range httpapi.Routes() {
		if !route.Open && route.Path != "/v1/auth/authorize" && route.Path != "/v1/session/roles" {
			path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
			token := ""
			if route.Direct { // it has no gateway, and checks the credential itself
				token = w.admin
			}
			r := request(t, route.Method, path, token)
			r.Body = io.NopCloser(strings.NewReader(sampleBody(route, token)))
			s := handle(h, asPrincipal(r, guard.Principal{Owner: "ann", TokenID: "JhxND7ci"}))
			if s.status < http.StatusInternalServerError {
				t.Errorf("%s %s: got %d %s, want a 5xx", route.Method, path, s.status, s.body)
			}
		}
	}
}

// unsealed is a store with views that lost their seals.
type unsealed struct{ events.Views }

func (u unsealed) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	v, use, err := u.Views.Token(ctx, id)
	v.Seal = events.Verifier{}
	return v, use, err
}

// TestDamagedTokenIs500AndNever401: a retry cannot help, so the client is not asked
// for one. The log line has the id of the damaged token.
func TestDamagedTokenIs500AndNever401(t *testing.T) {
	w := newScene(t)
	g := guard.New(guard.Config{Views: unsealed{w.store}, Uses: w.store, Notices: w.store, Keys: w.keys, Now: w.clock})
	h := w.handler(func(c *machine.Config) { c.Guard = g })
	for _, route := range httpapi.Routes() {
		if route.Open || route.Function == "oauth" { // oauth_test.go has these
			continue
		}
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		s := handle(h, request(t, route.Method, path, w.admin)).expect(t, http.StatusInternalServerError, "internal")
		if s.problem(t).Retryable || s.header.Get("Retry-After") != "" || s.header.Get("WWW-Authenticate") != "" || strings.Contains(string(s.body), "seal") {
			t.Errorf("%s: got %v %s, want no retry, no challenge and no reason", path, s.header, s.body)
		}
		if line := w.log.Last(t); line["level"] != "ERROR" || line["token_id"] != w.admin[:8] || line["error"] == nil {
			t.Errorf("%s: got log line %v, want the token and the reason", path, line)
		}
	}
}

func TestFaultIs500WithoutItsReasonAndTheLogHasTheReason(t *testing.T) {
	w := newScene(t)
	other := issuer.New(issuer.Config{Store: w.store, Keys: testKeys(t, "other"), Now: w.clock})
	h := w.handler(func(c *machine.Config) { c.Issuer = other })
	s := handle(h, request(t, "POST", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
	golden(t, "problem_internal.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
	line := w.log.Last(t)
	if !strings.Contains(fmt.Sprint(line["error"]), "unknown pepper") || line["request_id"] != s.problem(t).RequestID {
		t.Errorf("got log line %v, want the reason and the answer's request id", line)
	}
}

func TestPanicIs500WithoutItsText(t *testing.T) {
	w := newScene(t)
	for name, value := range map[string]any{"text": "panic with " + w.admin, "error": fmt.Errorf("token %s", w.admin), "struct": struct{ Token string }{w.admin}} {
		h := w.handler(func(c *machine.Config) { c.Source = func(*http.Request) netip.Addr { panic(value) } })
		s := handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
		if strings.Contains(string(s.body), "panic") || strings.Contains(w.log.String(), w.admin[9:]) {
			t.Errorf("%s: the answer or the log has the panic's text: %s\n%s", name, s.body, w.log)
		}
		if line := w.log.Last(t); !strings.Contains(fmt.Sprint(line["error"]), "TestPanicIs500WithoutItsText") {
			t.Errorf("%s: got %v, want the place of the panic", name, line["error"])
		}
	}
	h := w.handler(func(c *machine.Config) {
		c.Source = func(*http.Request) netip.Addr { return []netip.Addr{}[len(w.log.String())] }
	})
	handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
	if line := w.log.Last(t); !strings.Contains(fmt.Sprint(line["error"]), "index out of range") {
		t.Errorf("got %v, want the runtime's reason", line["error"])
	}
}

// TestLogNamesARefusedTokenIfItsSecretIsRight, so that an operator can tell which
// token a program still uses. A caller with a wrong secret cannot write a token id
// into the log.
func TestLogNamesARefusedTokenIfItsSecretIsRight(t *testing.T) {
	w := newScene(t)
	revoked, revokedText := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("DELETE", collection+revoked.ID, w.admin, "").expect(t, http.StatusOK, "")
	expired, expiredText := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1s"})
	away, awayText := w.make(httpapi.CreateRequest{User: named("ann"), SourceIPs: []string{"192.0.2.0/24"}})
	scoped, scopedText := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{"GET /hello"}})
	w.sleep(time.Second)
	for _, c := range []struct{ id, text, code string }{
		{revoked.ID, revokedText, "token_revoked"}, {expired.ID, expiredText, "token_expired"},
		{away.ID, awayText, "permission_denied_by_source"}, {scoped.ID, scopedText, "permission_denied_by_scope"},
	} {
		w.do("GET", collection, c.text, "")
		if line := w.log.Last(t); line["code"] != c.code || line["token_id"] != c.id || line["owner"] != "ann" {
			t.Errorf("got %v, want %s with the token %s of ann", line, c.code, c.id)
		}
		wrong := secret.Mint("")
		wrong.ID = c.id
		for _, text := range []string{forged(wrong), c.text[:9] + "-" + c.text[10:]} {
			w.do("GET", collection, text, "").expect(t, http.StatusUnauthorized, "")
			if line := w.log.Last(t); line["token_id"] != "" || line["owner"] != "" {
				t.Errorf("got %v for a wrong secret, want no token", line)
			}
		}
	}
}

// forged returns a token with a right checksum and a wrong secret.
func forged(t secret.Token) string {
	body := t.ID + "." + t.Secret.Reveal()[:26]
	crc, sum := crc32.ChecksumIEEE([]byte(body)), []byte("000000")
	for i := len(sum) - 1; i >= 0; i, crc = i-1, crc/62 {
		sum[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[crc%62]
	}
	return body + string(sum)
}

func TestLogHasTheRouteOrACutPath(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct {
		path, agent string
		want        map[string]any // attributes; nil: absent
	}{
		{"/nowhere?x=private", "curl/8.5.0", map[string]any{"route": "", "path": "/nowhere", "user_agent": "curl/8.5.0"}},
		{"/" + strings.Repeat("ab/", 99), "", map[string]any{"path": "/" + strings.Repeat("ab/", 31) + "ab"}},
		{"/v1/private%20name/x", "", map[string]any{"path": "/v1/*/x"}},
		{"//v1/version", "", map[string]any{"path": "//v1/version"}},
		{"/x/" + w.admin, "", map[string]any{"path": "[redacted]", "code": "token_in_path"}},
		{"/x/" + w.admin[:24], "", map[string]any{"path": "/x/*"}},
		{"/x/" + w.admin[9:], "", map[string]any{"path": "/x/*"}},
		{collection + "hello", "", map[string]any{"route": "/v1/auth/access-tokens/{id}", "path": nil}},
		{collection + w.admin, "", map[string]any{"route": "/v1/auth/access-tokens/{id}", "path": nil}},
		{collection, strings.Repeat("agent ", 99), map[string]any{"user_agent": strings.Repeat("agent ", 99)[:128]}},
		{collection, "x " + w.admin, map[string]any{"user_agent": "[redacted]"}},
		{collection, strings.Repeat("agent ", 20) + w.admin, map[string]any{"user_agent": "[redacted]"}},
	} {
		header := http.Header{"User-Agent": {c.agent}, "Authorization": {"Bearer " + w.admin}}
		r := request(t, "GET", "http://localhost"+c.path, "")
		r.Header = header
		handle(w.handler(), r)
		line := w.log.Last(t)
		for name, want := range c.want {
			if line[name] != want {
				t.Errorf("%s: got %s %v, want %v", c.path, name, line[name], want)
			}
		}
	}
	if strings.Contains(w.log.String(), "private") || strings.Contains(w.log.String(), "hello") || strings.Contains(w.log.String(), w.admin[9:20]) {
		t.Errorf("the log has a private text:\n%s", w.log)
	}
}

func TestHealthIsLoggedAtDebugLevelUnlessItFails(t *testing.T) {
	w := newScene(t)
	before := w.log.String()
	for _, method := range []string{"GET", "HEAD"} {
		w.do(method, "/healthz", "", "").expect(t, http.StatusOK, "")
	}
	if w.log.String() != before {
		t.Errorf("got %s, want no line at level INFO", w.log)
	}
	debug := w.handler(func(c *machine.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	handle(debug, request(t, "GET", "/healthz", "")).expect(t, http.StatusOK, "")
	if line := w.log.Last(t); line["level"] != "DEBUG" || line["route"] != "/healthz" {
		t.Errorf("got %v, want a line at level DEBUG", line)
	}
	handle(w.handler(), request(t, "GET", "/v1/version", "")).expect(t, http.StatusOK, "")
	if line := w.log.Last(t); line["level"] != "INFO" || line["route"] != "/v1/version" {
		t.Errorf("got %v, want a line at level INFO", line)
	}
	handle(w.handler(func(c *machine.Config) { c.Ready = notReady }), request(t, "GET", "/healthz", "")).expect(t, http.StatusServiceUnavailable, "unavailable")
	if line := w.log.Last(t); line["level"] != "ERROR" || line["route"] != "/healthz" {
		t.Errorf("got %v, want a line at level ERROR", line)
	}
}

func TestEachRequestHasOneLogLineWithoutPrivateText(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("GET", collection+"?user=private-query", w.admin, "").expect(t, http.StatusOK, "")
	w.do("GET", collection+made.ID+"?private=query", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("GET", collection+made.ID, w.admin, "private-body").expect(t, http.StatusOK, "")
	line := w.log.Last(t)
	delete(line, "time")
	if took, ok := line["duration_ms"].(float64); !ok || took != 0 { // the scene's clock does not move
		t.Errorf("got duration_ms %v, want 0", line["duration_ms"])
	}
	delete(line, "duration_ms")
	delete(line, "request_id")
	want := map[string]any{
		"level": slog.LevelInfo.String(), "msg": "request", "operation": "get", "code": "ok", "token_id": w.admin[:8],
		"owner": "admin", "address": "127.0.0.1", "user_agent": "Go-http-client/1.1", "method": "GET", "route": "/v1/auth/access-tokens/{id}", "status": 200.0,
	}
	if fmt.Sprint(line) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", line, want)
	}
	for _, private := range []string{w.admin[9:], "private", made.ID} {
		if strings.Contains(w.log.String(), private) {
			t.Errorf("the log has %q", private)
		}
	}
	if lines := strings.Count(w.log.String(), "\n"); lines != 4 {
		t.Errorf("got %d lines for 4 requests", lines)
	}
}
