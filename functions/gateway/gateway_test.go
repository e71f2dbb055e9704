package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
	rules "apitoken/events/name"
	"apitoken/functions/payloads"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestRequestsArriveAsSent compares the requests that handlers get from the
// documented payloads with golden files: with and without a slash at the end; at
// the default endpoint, on a stage and under the base path of a custom domain;
// PATCH with a body in base64; headers and queries with several values.
func TestRequestsArriveAsSent(t *testing.T) {
	for _, name := range append(payloads.Names(t, "rest-*"), payloads.Names(t, "http-*")...) {
		t.Run(name, func(t *testing.T) {
			var got string
			g := New(Config{TrustAuthorizer: true, ValidOwner: anyOwner, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = dump(t, r) })})
			if _, err := g.Invoke(t.Context(), payloads.Read(t, name)); err != nil {
				t.Fatalf("Invoke: %v", err)
			}
			golden(t, name, got)
		})
	}
}

func anyOwner(string) error { return nil }

// dump returns a request as text, with its headers and principal.
func dump(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\nuri %s\nhost %s\nfrom %s\nlength %d\n", r.Method, r.URL, r.RequestURI, r.Host, r.RemoteAddr, r.ContentLength)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "header %s: %q\n", name, r.Header[name])
	}
	p, ok := guard.PrincipalFrom(r.Context())
	fmt.Fprintf(&b, "principal %t %+v\nbody %s\n", ok, p, body)
	return b.String()
}

func TestStageAndBasePathAreRemoved(t *testing.T) {
	for _, c := range []struct {
		name, public, resource, path string
		parameters                   map[string]string
		want                         string
	}{
		{"stage", "/prod/v1/x", "/v1/x", "/v1/x", nil, "/v1/x"},
		{"stage, slash at the end", "/prod/v1/x/", "/v1/x", "/v1/x/", nil, "/v1/x/"},
		{"no prefix", "/v1/x", "/v1/x", "/v1/x", nil, "/v1/x"},
		{"base path of two segments", "/a/b/v1/x/ann", "/v1/x/{id}", "/a/b/v1/x/ann", nil, "/v1/x/ann"},
		{"base path that looks like the resource", "/v1/v1/x", "/v1/x", "/v1/v1/x", nil, "/v1/x"},
		{"encoded parameter", "/prod/v1/users/ann%2Fb/events", "/v1/users/{user}/events", "/v1/users/ann%2Fb/events", nil, "/v1/users/ann%2Fb/events"},
		{"greedy parameter", "/prod/a/b/c", "/{proxy+}", "/a/b/c", map[string]string{"proxy": "a/b/c"}, "/a/b/c"},
		{"greedy parameter, slash at the end", "/prod/a/b/", "/{proxy+}", "/a/b/", map[string]string{"proxy": "a/b/"}, "/a/b/"},
		{"greedy parameter without its value", "/prod/a/b", "/{proxy+}", "/a/b", nil, "/a/b"},
		{"parameter with a decoded slash", "/v1/users/admin/ann", "/v1/{id}", "/v1/users/admin/ann", map[string]string{"id": "users/admin/ann"}, "/v1/users/admin/ann"},
		{"parameter whose last part is another call", "/admin/public", "/{id}", "/admin/public", map[string]string{"id": "admin/public"}, "/admin/public"},
		{"the same, encoded", "/admin/public", "/{id}", "/admin/public", map[string]string{"id": "admin%2Fpublic"}, "/admin/public"},
		{"parameter that is sent decoded", "/prod/v1/users/ann%20b/events", "/v1/users/{user}/events", "", map[string]string{"user": "ann b"}, "/v1/users/ann%20b/events"},
		{"parameter that is sent encoded", "/prod/v1/users/ann%20b/events", "/v1/users/{user}/events", "", map[string]string{"user": "ann%20b"}, "/v1/users/ann%20b/events"},
		{"parameter with a percent sign", "/prod/v1/users/100%25/events", "/v1/users/{user}/events", "", map[string]string{"user": "100%"}, "/v1/users/100%25/events"},
		{"greedy parameter that is not the end", "/x/a/b", "/{proxy+}", "/x/a/b", map[string]string{"proxy": "c/b"}, "/x/a/b"},
		{"root", "/prod", "/", "/", nil, "/"},
		{"root, slash at the end", "/prod/", "/", "/", nil, "/"},
		{"resource that does not match", "/prod/v1/y", "/v1/x", "/v1/y", nil, "/v1/y"},
		{"resource longer than the path", "/x", "/v1/x", "/x", nil, "/x"},
		{"no resource", "/prod/v1/x", "", "/v1/x", nil, "/v1/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := apiPath(c.public, c.resource, c.parameters, c.path); got != c.want {
				t.Errorf("apiPath(%q, %q): got %q, want %q", c.public, c.resource, got, c.want)
			}
		})
	}
}

func TestStageIsRemovedFromCallsOfTheDefaultRoute(t *testing.T) {
	for public, want := range map[string]string{
		"/dev/v1/x": "/v1/x", "/dev": "/", "/dev/": "/", "/developer/x": "/developer/x", "/v1/x": "/v1/x",
	} {
		if got := apiPathOfRoute(public, "$default", nil, "dev"); got != want {
			t.Errorf("apiPathOfRoute(%q): got %q, want %q", public, got, want)
		}
	}
}

func TestTheStageDefaultIsInNoPath(t *testing.T) {
	if got := apiPathOfRoute("/$default/v1/x", "$default", nil, "$default"); got != "/$default/v1/x" {
		t.Errorf("got %q, want the path as the client sent it", got)
	}
}

// TestPathsOfHTTPAPIsAreNotDecodedAgain has the paths of both formats in which
// HTTP APIs ask an authorizer.
func TestPathsOfHTTPAPIsAreNotDecodedAgain(t *testing.T) {
	for payload, want := range map[string]string{
		`{"version":"2.0","type":"REQUEST","routeArn":"` + stage + `/GET/x","rawPath":"/files/%61 ä","requestContext":{"http":{"method":"GET"}}}`: "/files/%2561%20%C3%A4",
		`{"version":"1.0","type":"REQUEST","methodArn":"` + stage + `/GET/x","path":"/files/%61 ä","httpMethod":"GET"}`:                           "/files/%2561%20%C3%A4",
		`{"type":"REQUEST","methodArn":"` + stage + `/GET/x","path":"/files/%61","httpMethod":"GET"}`:                                             "/files/%61",
		`{"type":"TOKEN","methodArn":"` + stage + `/GET/files/%61"}`:                                                                              "/files/%61",
	} {
		q, err := ParseQuestion(t.Context(), []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Request.URL.EscapedPath(); got != want {
			t.Errorf("%s: got %s, want %s", payload, got, want)
		}
	}
}

func TestPercentSignWithoutAnEscapeIsKept(t *testing.T) {
	if got := parsePath("/v1/users/100%/events").Path; got != "/v1/users/100%/events" {
		t.Errorf("got %q", got)
	}
	if got := parsePath("/v1/users/a%20b/events").Path; got != "/v1/users/a b/events" {
		t.Errorf("got %q", got)
	}
}

// TestAnswerComesBeforeTheDeadline: a handler that works until its context ends
// still answers before Lambda ends the invocation.
func TestAnswerComesBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g := New(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})})
		for _, name := range []string{"rest-get", "http-get"} {
			answer, err := g.Invoke(ctx, payloads.Read(t, name))
			if err != nil || ctx.Err() != nil || !strings.Contains(string(answer), `"statusCode":503`) {
				t.Errorf("%s: got %s, %v, the invocation's context: %v", name, answer, err, ctx.Err())
			}
		}
	})
}

func TestHeadersThatDifferInCaseAreOne(t *testing.T) {
	h := headers(nil, map[string]string{"authorization": "Bearer a", "Authorization": "Bearer b"})
	if got := h.Values("Authorization"); len(got) != 2 {
		t.Errorf("got %q, want both values", got)
	}
	h = headers(map[string][]string{"X": {"1", "2"}}, map[string]string{"X": "2"})
	if got := h.Values("X"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %q, want each value once", got)
	}
}

func TestQueriesKeepAllValues(t *testing.T) {
	got := restQuery(map[string][]string{"a b": {"1", "2&3"}}, map[string]string{"a b": "2&3"})
	if want := "a+b=1&a+b=2%263"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := restQuery(nil, map[string]string{"a": "é"}), "a=%C3%A9"; got != want {
		t.Errorf("the form with one value each: got %q, want %q", got, want)
	}
}

// TestIncompleteContextGivesNoPrincipal shows that only a complete context of
// our authorizer becomes a principal. A context without scopes must never mean
// all calls.
func TestIncompleteContextGivesNoPrincipal(t *testing.T) {
	complete := func() map[string]any {
		return Context(guard.Principal{
			Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent, Rotated: 1 << 40, Scopes: []string{"GET /v1/x"},
		})
	}
	if p, err := parsePrincipal(complete()); err != nil || p.Owner != "ann" || p.Rotated != 1<<40 || !slices.Equal(p.Scopes, []string{"GET /v1/x"}) {
		t.Fatalf("the complete context: got %+v, %v", p, err)
	}
	outgoing := complete()
	outgoing["credential"], outgoing["expires_at"] = "outgoing", "2030-01-20T00:00:00.000000Z"
	if p, err := parsePrincipal(outgoing); err != nil || p.Credential != guard.CredentialOutgoing {
		t.Errorf("an outgoing secret with its end: got %+v, %v", p, err)
	}
	for name, damage := range map[string]func(map[string]any){
		"no owner":            func(c map[string]any) { delete(c, "owner") },
		"empty owner":         func(c map[string]any) { c["owner"] = "" },
		"no token id":         func(c map[string]any) { delete(c, "token_id") },
		"no scopes":           func(c map[string]any) { delete(c, "scopes") },
		"null scopes":         func(c map[string]any) { c["scopes"] = nil },
		"scopes as JSON null": func(c map[string]any) { c["scopes"] = "null" },
		"empty scopes":        func(c map[string]any) { c["scopes"] = "" },
		"scopes of OAuth":     func(c map[string]any) { c["scopes"] = "read write" },
		"no sources":          func(c map[string]any) { delete(c, "source_ips") },
		"invalid source":      func(c map[string]any) { c["source_ips"] = `["everywhere"]` },
		"invalid expiry":      func(c map[string]any) { c["expires_at"] = "soon" },
		"no expiry":           func(c map[string]any) { delete(c, "expires_at") },
		"owner is a number":   func(c map[string]any) { c["owner"] = 7.0 },
		"no kind":             func(c map[string]any) { delete(c, "kind") },
		"empty kind":          func(c map[string]any) { c["kind"] = "" },
		"unknown kind":        func(c map[string]any) { c["kind"] = "session" },
		"no credential":       func(c map[string]any) { delete(c, "credential") },
		"unknown credential":  func(c map[string]any) { c["credential"] = "older" },
		"no rotation":         func(c map[string]any) { delete(c, "rotation") },
		"negative rotation":   func(c map[string]any) { c["rotation"] = "-1" },
		"outgoing, no end":    func(c map[string]any) { c["credential"] = "outgoing" },
		"no permissions":      func(c map[string]any) { delete(c, "permissions") },
		"null permissions":    func(c map[string]any) { c["permissions"] = "null" },
		"empty permissions":   func(c map[string]any) { c["permissions"] = "" },
		"a list, not text":    func(c map[string]any) { c["permissions"] = []any{} },
		"token, permissions":  func(c map[string]any) { c["permissions"] = `["edit"]` },
		"no via":              func(c map[string]any) { delete(c, "via") },
		"token with via":      func(c map[string]any) { c["via"] = "oidc" },
		"via is null":         func(c map[string]any) { c["via"] = nil },
		"no bound":            func(c map[string]any) { delete(c, "makes_until") },
		"token with a bound":  func(c map[string]any) { c["makes_until"] = "2030-01-20T00:00:00.000000Z" },
		"no opening token":    func(c map[string]any) { delete(c, "opened_with") },
		"token opened with":   func(c map[string]any) { c["opened_with"] = "L7k8ljIC" },
		"no ui":               func(c map[string]any) { delete(c, "ui") },
		"token at the page":   func(c map[string]any) { c["ui"] = "true" },
	} {
		c := complete()
		damage(c)
		if p, err := parsePrincipal(c); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
	}
}

// TestASessionTravelsWithItsBounds: the context of each way to be opened becomes the
// same principal, and one without a bound or a member becomes none. A session without
// its bound would make tokens that outlive it.
func TestASessionTravelsWithItsBounds(t *testing.T) {
	end := time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC)
	session := guard.Principal{Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindSession, Credential: guard.CredentialCurrent, ExpiresAt: end}
	person, exchange, ofToken := session, session, session
	person.Via, person.Permissions, person.UI = guard.ViaOIDC, []string{"view", "edit"}, true
	exchange.Via, exchange.MakesUntil = guard.ViaExchange, end.Add(time.Microsecond)
	ofToken.Via, ofToken.From, ofToken.MakesUntil, ofToken.Scopes = guard.ViaToken, "L7k8ljIC", end, []string{"GET /v1/x"}
	for _, want := range []guard.Principal{person, exchange, ofToken} {
		if got, err := parsePrincipal(Context(want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		for _, member := range []string{"kind", "via", "permissions", "makes_until", "opened_with", "ui", "expires_at"} {
			c := Context(want)
			delete(c, member)
			if p, err := parsePrincipal(c); err == nil {
				t.Errorf("via %s without %s: got %+v, want an error", want.Via, member, p)
			}
		}
	}
	for name, damage := range map[string]func(*guard.Principal){
		"an exchange without its bound":      func(p *guard.Principal) { *p = exchange; p.MakesUntil = time.Time{} },
		"a person with a bound":              func(p *guard.Principal) { *p = person; p.MakesUntil = end },
		"a person with a token":              func(p *guard.Principal) { *p = person; p.From = "L7k8ljIC" },
		"a session of a token, without it":   func(p *guard.Principal) { *p = ofToken; p.From = "" },
		"a session of a token, with actions": func(p *guard.Principal) { *p = ofToken; p.Permissions = []string{"view"} },
		"a session without an end":           func(p *guard.Principal) { *p = person; p.ExpiresAt = time.Time{} },
		"a session of another kind":          func(p *guard.Principal) { *p = person; p.Via = "saml" },
		"a session with an old secret":       func(p *guard.Principal) { *p = person; p.Credential = guard.CredentialOutgoing },
		"a session that was rotated":         func(p *guard.Principal) { *p = person; p.Rotated = 1 },
	} {
		var p guard.Principal
		damage(&p)
		if got, err := parsePrincipal(Context(p)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

// TestContextHasAllMembersAsText: API Gateway passes scalars only. The members
// never contain the token.
func TestContextHasAllMembersAsText(t *testing.T) {
	c := Context(guard.Principal{
		Owner: "ann", TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent, Rotated: 7,
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
	})
	want := map[string]any{
		"owner": "ann", "token_id": "JhxND7ci", "kind": "token", "credential": "current", "rotation": "7", "permissions": "[]", "via": "",
		"makes_until": "", "opened_with": "", "ui": "",
		"scopes": "[]", "expires_at": "", "source_ips": `["203.0.113.0/24"]`,
	}
	if !maps.Equal(c, want) {
		t.Errorf("got %v, want %v", c, want)
	}
}

// TestContextOfAnExpiredTokenOrAnInvalidOwnerIsDenied: the right to invoke a
// function must not be the right to act for every owner, or for ever.
func TestContextOfAnExpiredTokenOrAnInvalidOwnerIsDenied(t *testing.T) {
	expiry := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		now   time.Time
		owner string
		want  bool
	}{
		"before the expiry":      {expiry.Add(-1), "ann", true},
		"at the expiry":          {expiry, "ann", false},
		"after the expiry":       {expiry.Add(time.Hour), "ann", false},
		"the operator":           {expiry.Add(-1), "API_OPERATOR_DOMAIN:operator", false},
		"a name with blanks":     {expiry.Add(-1), " ann", false},
		"another spelling":       {expiry.Add(-1), "local:ann", false},
		"an invisible character": {expiry.Add(-1), "a\u200bnn", false},
		"a line end":             {expiry.Add(-1), "ann\n", false},
	} {
		found := false
		g := New(Config{
			TrustAuthorizer: true, ValidOwner: rules.ValidOwner, Now: func() time.Time { return row.now },
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, found = guard.PrincipalFrom(r.Context()) }),
		})
		payload, err := json.Marshal(lambdaevents.APIGatewayProxyRequest{
			HTTPMethod: "GET", Path: "/v1/x", RequestContext: lambdaevents.APIGatewayProxyRequestContext{Authorizer: Context(guard.Principal{
				Owner: row.owner, TokenID: "JhxND7ci", Kind: guard.KindToken, Credential: guard.CredentialCurrent, ExpiresAt: expiry,
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Invoke(t.Context(), payload); err != nil || found != row.want {
			t.Errorf("%s: got a principal %t, %v, want %t", name, found, err, row.want)
		}
	}
}

func TestAuthorizerContextIsIgnoredUnlessTrusted(t *testing.T) {
	for _, trust := range []bool{false, true} {
		var found bool
		g := New(Config{TrustAuthorizer: trust, ValidOwner: anyOwner, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, found = guard.PrincipalFrom(r.Context())
		})})
		for _, name := range []string{"rest-get", "http-get"} {
			if _, err := g.Invoke(t.Context(), payloads.Read(t, name)); err != nil || found != trust {
				t.Errorf("%s, trusted %t: got a principal %t, %v", name, trust, found, err)
			}
		}
	}
}

func TestAnswersKeepAllHeaders(t *testing.T) {
	g := New(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Origin")
		w.WriteHeader(http.StatusConflict)
		w.WriteHeader(http.StatusOK) // too late, so ignored
		w.Header().Set("Late", "too")
		io.WriteString(w, "no ✓")
	})})
	var rest lambdaevents.APIGatewayProxyResponse
	invoke(t, g, "rest-get", &rest)
	if rest.StatusCode != 409 || rest.Body != "no ✓" || rest.IsBase64Encoded || !slices.Equal(rest.MultiValueHeaders["Vary"], []string{"Accept", "Origin"}) || rest.MultiValueHeaders["Late"] != nil {
		t.Errorf("format 1.0: got %+v", rest)
	}
	var http2 lambdaevents.APIGatewayV2HTTPResponse
	invoke(t, g, "http-get", &http2)
	if http2.StatusCode != 409 || http2.Body != "no ✓" || http2.Headers["Vary"] != "Accept, Origin" {
		t.Errorf("format 2.0: got %+v", http2)
	}
}

func TestBinaryBodyIsSentInBase64(t *testing.T) {
	g := New(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff, 0xfe}) })})
	var out lambdaevents.APIGatewayProxyResponse
	invoke(t, g, "rest-get", &out)
	if !out.IsBase64Encoded || out.Body != base64.StdEncoding.EncodeToString([]byte{0xff, 0xfe}) {
		t.Errorf("got %+v", out)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	g := New(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "body") })})
	payload := strings.ReplaceAll(string(payloads.Read(t, "rest-get")), `"GET"`, `"HEAD"`)
	answer, err := g.Invoke(t.Context(), []byte(payload))
	if err != nil || strings.Contains(string(answer), "body\":\"body") {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestUnknownPayloadsAreFaults(t *testing.T) {
	g := New(Config{Handler: http.NotFoundHandler()})
	for _, payload := range []string{``, `[]`, `"x"`, `{"body":7}`, `{"version":"2.0","headers":7}`, `{"body":"%%","isBase64Encoded":true}`} {
		if answer, err := g.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: got %s, want an error", payload, answer)
		}
	}
}

func TestInvalidSourceIsNoAddress(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.9:0", "2001:db8::1": "[2001:db8::1]:0", "::ffff:203.0.113.9": "203.0.113.9:0", "": "", "test-invoke-source-ip": "",
	} {
		if got := remoteAddr(text); got != want {
			t.Errorf("remoteAddr(%q): got %q, want %q", text, got, want)
		}
	}
	if a := parseAddress("fe80::1%eth0"); a != netip.MustParseAddr("fe80::1") {
		t.Errorf("got %v", a)
	}
}

func invoke(t *testing.T, g *Gateway, name string, into any) {
	t.Helper()
	answer, err := g.Invoke(t.Context(), payloads.Read(t, name))
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
