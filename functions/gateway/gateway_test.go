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
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
	"apitoken/functions/payloads"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestRequestsArriveAsSent holds what handlers see of the documented payloads
// against golden files: with and without the slash at the end, at the default
// endpoint, on a stage and under a custom domain's base path, PATCH with a body
// in base64, headers and queries with several values.
func TestRequestsArriveAsSent(t *testing.T) {
	for _, name := range append(payloads.Names(t, "rest-*"), payloads.Names(t, "http-*")...) {
		t.Run(name, func(t *testing.T) {
			var got string
			g := New(Config{TrustAuthorizer: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = dump(t, r) })})
			if _, err := g.Invoke(t.Context(), payloads.Read(t, name)); err != nil {
				t.Fatalf("Invoke: %v", err)
			}
			golden(t, name, got)
		})
	}
}

// dump is a request as text, headers and principal included.
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

func TestPrefixIsWhatTheAPIDoesNotDescribe(t *testing.T) {
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
		{"root", "/prod", "/", "/", nil, "/"},
		{"root, slash at the end", "/prod/", "/", "/", nil, "/"},
		{"resource that does not fit", "/prod/v1/y", "/v1/x", "/v1/y", nil, "/v1/y"},
		{"resource that is longer", "/x", "/v1/x", "/x", nil, "/x"},
		{"no resource", "/prod/v1/x", "", "/v1/x", nil, "/v1/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := below(c.public, c.resource, c.parameters, c.path); got != c.want {
				t.Errorf("below(%q, %q): got %q, want %q", c.public, c.resource, got, c.want)
			}
		})
	}
}

func TestStageIsTakenOffACallThatNoRouteDescribes(t *testing.T) {
	for public, want := range map[string]string{
		"/dev/v1/x": "/v1/x", "/dev": "/", "/dev/": "/", "/developer/x": "/developer/x", "/v1/x": "/v1/x",
	} {
		if got := belowRoute(public, "$default", nil, "dev"); got != want {
			t.Errorf("belowRoute(%q): got %q, want %q", public, got, want)
		}
	}
}

func TestPercentSignThatIsNoEscapeStaysOne(t *testing.T) {
	if got := location("/v1/users/100%/events").Path; got != "/v1/users/100%/events" {
		t.Errorf("got %q", got)
	}
	if got := location("/v1/users/a%20b/events").Path; got != "/v1/users/a b/events" {
		t.Errorf("got %q", got)
	}
}

// TestTimeIsLeftToAnswer: a handler that works until its time is over still has
// its answer out before Lambda ends the invocation.
func TestTimeIsLeftToAnswer(t *testing.T) {
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
				t.Errorf("%s: got %s, %v, and the invocation's time: %v", name, answer, err, ctx.Err())
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

func TestQueriesKeepAllOfTheirValues(t *testing.T) {
	got := restQuery(map[string][]string{"a b": {"1", "2&3"}}, map[string]string{"a b": "2&3"})
	if want := "a+b=1&a+b=2%263"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := restQuery(nil, map[string]string{"a": "é"}), "a=%C3%A9"; got != want {
		t.Errorf("the single form: got %q, want %q", got, want)
	}
}

// TestForeignAuthorizerContextNamesNobody shows that only a whole context of
// our own becomes a principal: one without scopes must never mean all of them.
func TestForeignAuthorizerContextNamesNobody(t *testing.T) {
	whole := func() map[string]any {
		return Context(guard.Principal{Owner: "ann", TokenID: "JhxND7ci", Scopes: []string{"GET /v1/x"}})
	}
	if p, err := principal(whole()); err != nil || p.Owner != "ann" || !slices.Equal(p.Scopes, []string{"GET /v1/x"}) {
		t.Fatalf("the whole context: got %+v, %v", p, err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"no owner":            func(c map[string]any) { delete(c, "owner") },
		"empty owner":         func(c map[string]any) { c["owner"] = "" },
		"no token id":         func(c map[string]any) { delete(c, "token_id") },
		"no scopes":           func(c map[string]any) { delete(c, "scopes") },
		"null scopes":         func(c map[string]any) { c["scopes"] = nil },
		"scopes as JSON null": func(c map[string]any) { c["scopes"] = "null" },
		"empty scopes":        func(c map[string]any) { c["scopes"] = "" },
		"scopes of OAuth":     func(c map[string]any) { c["scopes"] = "read write" },
		"no sources":          func(c map[string]any) { delete(c, "source_ips") },
		"sources of no form":  func(c map[string]any) { c["source_ips"] = `["everywhere"]` },
		"expiry of no form":   func(c map[string]any) { c["expires_at"] = "soon" },
		"no expiry":           func(c map[string]any) { delete(c, "expires_at") },
		"owner of no text":    func(c map[string]any) { c["owner"] = 7.0 },
	} {
		c := whole()
		spoil(c)
		if p, err := principal(c); err == nil {
			t.Errorf("%s: got %+v, want nobody", name, p)
		}
	}
}

func TestAuthorizerContextIsIgnoredUnlessTrusted(t *testing.T) {
	for _, trust := range []bool{false, true} {
		var named bool
		g := New(Config{TrustAuthorizer: trust, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, named = guard.PrincipalFrom(r.Context())
		})})
		for _, name := range []string{"rest-get", "http-get"} {
			if _, err := g.Invoke(t.Context(), payloads.Read(t, name)); err != nil || named != trust {
				t.Errorf("%s, trusted %t: got a principal %t, %v", name, trust, named, err)
			}
		}
	}
}

func TestAnswersKeepAllOfTheirHeaders(t *testing.T) {
	g := New(Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Origin")
		w.WriteHeader(http.StatusConflict)
		w.WriteHeader(http.StatusOK) // comes too late
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

func TestBytesThatAreNoTextGoOutInBase64(t *testing.T) {
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

func TestPayloadsOfNobodyAreFaults(t *testing.T) {
	g := New(Config{Handler: http.NotFoundHandler()})
	for _, payload := range []string{``, `[]`, `"x"`, `{"body":7}`, `{"version":"2.0","headers":7}`, `{"body":"%%","isBase64Encoded":true}`} {
		if answer, err := g.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: got %s, want an error", payload, answer)
		}
	}
}

func TestSourceOfNoFormIsNoAddress(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.9:0", "2001:db8::1": "[2001:db8::1]:0", "::ffff:203.0.113.9": "203.0.113.9:0", "": "", "test-invoke-source-ip": "",
	} {
		if got := remote(text); got != want {
			t.Errorf("remote(%q): got %q, want %q", text, got, want)
		}
	}
	if a := address("fe80::1%eth0"); a != netip.MustParseAddr("fe80::1") {
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
