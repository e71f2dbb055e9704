package httpapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
)

func TestCredentialsThatDoNotPassAre401WithAChallenge(t *testing.T) {
	w := settledScene(t)
	made, revoked := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	before := w.contents()
	const unknown = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	const invalid, bare = `Bearer realm="apitoken", error="invalid_token"`, `Bearer realm="apitoken"`
	for _, c := range []struct {
		header    []string
		code      string
		challenge string
	}{
		{nil, "credential_missing", bare},
		{[]string{"Bearer"}, "credential_missing", bare},
		{[]string{"Bearer " + w.admin, "Bearer " + w.admin}, "credential_repeated", invalid},
		{[]string{"Bearer " + w.admin + ", Bearer " + w.admin}, "credential_repeated", invalid},
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
			if got := s.header.Get("Www-Authenticate"); got != c.challenge {
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

func TestAllThreeSchemesAreAccepted(t *testing.T) {
	w := newScene(t)
	for _, value := range []string{
		"Bearer " + w.admin, "bearer " + w.admin, "API-TOKEN " + w.admin,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("ignored:"+w.admin)),
	} {
		w.send("GET", "/v1/session/who-am-i", http.Header{"Authorization": {value}}, nil).expect(t, http.StatusOK, "")
	}
}

func TestScopesAndSourceRangesLimitATokensCalls(t *testing.T) {
	w := newScene(t)
	_, reader := w.make(httpapi.CreateRequest{Scopes: []string{"GET /v1/auth/access-tokens/*"}})
	w.do("GET", collection, reader, "").expect(t, http.StatusOK, "")
	w.do("GET", strings.TrimSuffix(collection, "/"), reader, "").expect(t, http.StatusOK, "")
	w.do("POST", collection, reader, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	w.do("GET", "/v1/session/who-am-i", reader, "").expect(t, http.StatusForbidden, "permission_denied_by_scope")
	if line := w.log.last(t); line["token_id"] != reader[:8] || line["code"] != "permission_denied_by_scope" {
		t.Errorf("got log line %v, want one with the refused token's id", line)
	}
	_, elsewhere := w.make(httpapi.CreateRequest{SourceIPs: []string{"192.0.2.0/24"}})
	w.do("GET", collection, elsewhere, "").expect(t, http.StatusForbidden, "permission_denied_by_source")
	h := w.handler(func(c *httpapi.Config) {
		c.Source = func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.9") }
	})
	handle(h, request(t, "GET", collection, elsewhere)).expect(t, http.StatusOK, "")
}

func TestAfterAGatewayOnlyItsPrincipalIsUsed(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *httpapi.Config) { c.TrustPrincipal, c.Guard = true, nil })
	s := handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusUnauthorized, "credential_missing")
	if s.header.Get("Www-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
	admin := guard.Principal{Owner: "admin", TokenID: w.admin[:8]}
	handle(h, asPrincipal(request(t, "GET", collection, ""), admin)).expect(t, http.StatusOK, "")
	if line := w.log.last(t); line["token_id"] != w.admin[:8] || line["operation"] != "list" {
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
	if line := w.log.last(t); line["level"] != "INFO" || line["error"] == nil {
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
	if line := w.log.last(t); line["level"] != "ERROR" || line["error"] == nil {
		t.Errorf("got %v, want an error with the reason", line)
	}
}

func TestOutageIs503AndNever401(t *testing.T) {
	w := newScene(t, func(c *httpapi.Config) { c.Ready = notReady })
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, route := range httpapi.Routes() {
		if route.Open && route.Path != "/healthz" {
			continue
		}
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		s := w.do(route.Method, path, w.admin, "{}").expect(t, http.StatusServiceUnavailable, "unavailable")
		if s.header.Get("Retry-After") == "" || !s.problem(t).Retryable || strings.Contains(string(s.body), "10.0.0.7") {
			t.Errorf("%s: got %v %s, want Retry-After, retryable, and no reason", path, s.header, s.body)
		}
		line := w.log.last(t)
		if line["level"] != "ERROR" || line["error"] == nil || line["request_id"] != s.problem(t).RequestID {
			t.Errorf("%s: got log line %v, want the reason", path, line)
		}
	}
	s := w.do("GET", "/healthz", "", "")
	golden(t, "problem_unavailable.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
	// A gateway has checked the credential, and then the store fails.
	h := w.handler(func(c *httpapi.Config) { c.TrustPrincipal = true })
	for _, route := range httpapi.Routes() {
		if !route.Open && route.Path != "/v1/auth/authorize" {
			path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
			s := handle(h, asPrincipal(request(t, route.Method, path, ""), guard.Principal{Owner: "ann", TokenID: "JhxND7ci"}))
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
	g := guard.New(guard.Config{Views: unsealed{w.store}, Uses: w.store, Keys: w.keys, Now: w.clock})
	h := w.handler(func(c *httpapi.Config) { c.Guard = g })
	for _, route := range httpapi.Routes() {
		if route.Open {
			continue
		}
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		s := handle(h, request(t, route.Method, path, w.admin)).expect(t, http.StatusInternalServerError, "internal")
		if s.problem(t).Retryable || s.header.Get("Retry-After") != "" || s.header.Get("WWW-Authenticate") != "" || strings.Contains(string(s.body), "seal") {
			t.Errorf("%s: got %v %s, want no retry, no challenge and no reason", path, s.header, s.body)
		}
		if line := w.log.last(t); line["level"] != "ERROR" || line["token_id"] != w.admin[:8] || line["error"] == nil {
			t.Errorf("%s: got log line %v, want the token and the reason", path, line)
		}
	}
}

func TestFaultIs500WithoutItsReasonAndTheLogHasTheReason(t *testing.T) {
	w := newScene(t)
	other := issuer.New(issuer.Config{Store: w.store, Keys: testKeys(t, "other"), Now: w.clock})
	h := w.handler(func(c *httpapi.Config) { c.Issuer = other })
	s := handle(h, request(t, "POST", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
	golden(t, "problem_internal.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
	line := w.log.last(t)
	if !strings.Contains(fmt.Sprint(line["error"]), "unknown pepper") || line["request_id"] != s.problem(t).RequestID {
		t.Errorf("got log line %v, want the reason and the answer's request id", line)
	}
}

func TestPanicIs500WithoutItsText(t *testing.T) {
	w := newScene(t)
	for name, value := range map[string]any{"text": "panic with " + w.admin, "error": fmt.Errorf("token %s", w.admin), "struct": struct{ Token string }{w.admin}} {
		h := w.handler(func(c *httpapi.Config) { c.Source = func(*http.Request) netip.Addr { panic(value) } })
		s := handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
		if strings.Contains(string(s.body), "panic") || strings.Contains(w.log.String(), w.admin[9:]) {
			t.Errorf("%s: the answer or the log has the panic's text: %s\n%s", name, s.body, w.log)
		}
		if line := w.log.last(t); !strings.Contains(fmt.Sprint(line["error"]), "TestPanicIs500WithoutItsText") {
			t.Errorf("%s: got %v, want the place of the panic", name, line["error"])
		}
	}
	h := w.handler(func(c *httpapi.Config) {
		c.Source = func(*http.Request) netip.Addr { return []netip.Addr{}[w.log.b.Len()] }
	})
	handle(h, request(t, "GET", collection, w.admin)).expect(t, http.StatusInternalServerError, "internal")
	if line := w.log.last(t); !strings.Contains(fmt.Sprint(line["error"]), "index out of range") {
		t.Errorf("got %v, want the runtime's reason", line["error"])
	}
}

func TestEachRequestHasOneLogLineWithoutPrivateText(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("GET", collection+"?user=private-query", w.admin, "").expect(t, http.StatusOK, "")
	w.do("GET", collection+made.ID+"?private=query", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("GET", collection+made.ID, w.admin, "private-body").expect(t, http.StatusOK, "")
	line := w.log.last(t)
	delete(line, "time")
	delete(line, "duration")
	delete(line, "request_id")
	want := map[string]any{
		"level": slog.LevelInfo.String(), "msg": "request", "operation": "get", "code": "ok", "token_id": w.admin[:8],
		"method": "GET", "route": "/v1/auth/access-tokens/{id}", "status": 200.0,
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
