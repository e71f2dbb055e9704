package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"

	"apitoken/localstack/longtest"
	"pgregory.net/rapid"
)

// fuzzed is a service that gets requests which are drawn from the document.
type fuzzed struct {
	*scene
	credentials map[string]string // Authorization headers by kind
	ids         []string          // tokens: live, revoked, expired, of several users
	live        []string          // those of ids that are live
	nexts       []pageLink
	answered    map[string]int // requests by operation and status
}

func newFuzzed(t *testing.T) *fuzzed {
	f := &fuzzed{scene: newScene(t), answered: map[string]int{}}
	f.change(settings.Change{TokenLimit: new(10), ChangeRate: new(0)})
	f.server.Close()
	f.server = httptest.NewUnstartedServer(f.handler())
	f.server.Config.MaxHeaderBytes = 16 << 10
	f.server.Listener = machine.Listener(f.server.Listener, slog.New(slog.DiscardHandler), httpapi.Face())
	f.server.Start()
	t.Cleanup(f.server.Close)
	_, ann := f.make(httpapi.CreateRequest{User: named("ann")})
	_, scoped := f.make(httpapi.CreateRequest{User: named("bob"), Scopes: []string{"GET /v1/*"}})
	_, bound := f.make(httpapi.CreateRequest{User: named("bob"), SourceIPs: []string{"192.0.2.0/24"}})
	_, expired := f.make(httpapi.CreateRequest{User: named("eve"), ExpiresIn: "1h"})
	for _, user := range []string{"ann", "bob"} {
		for range 3 {
			live, _ := f.make(httpapi.CreateRequest{User: named(user), Name: "live"})
			f.live = append(f.live, live.ID)
		}
		ended, _ := f.make(httpapi.CreateRequest{User: named(user), ExpiresIn: "1h"})
		revoked, _ := f.make(httpapi.CreateRequest{User: named(user)})
		f.do("DELETE", collection+revoked.ID, f.admin, "")
		f.ids = append(f.ids, ended.ID, revoked.ID)
	}
	f.ids = append(f.ids, f.live...)
	f.sleep(2 * time.Hour)
	f.credentials = map[string]string{
		"admin": "Bearer " + f.admin, "user": "Api-Token " + ann, "basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+ann)),
		"scoped": "Bearer " + scoped, "bound": "Bearer " + bound, "expired": "Bearer " + expired, "none": "", "garbage": "Bearer garbage", "scheme": "Digest x",
	}
	return f
}

// requestsPerDraw is the number of requests that one draw sends.
const requestsPerDraw = 4

// property sends drawn requests and checks their answers.
func (f *fuzzed) property(t *rapid.T) {
	for range requestsPerDraw {
		g := generator{document: documented(f.t), free: rapid.IntRange(0, 3).Draw(t, "free") == 0}
		s := g.fitting(t, rapid.SampledFrom(g.weighted()).Draw(t, "operation"), f.ids)
		kind := rapid.SampledFrom([]string{"admin", "admin", "admin", "user", "user", "basic", "scoped", "bound", "expired", "none", "garbage", "scheme"}).Draw(t, "credential")
		if pagesByCursor[s.pattern] && s.query.Has("after") && !g.free {
			kind = f.follow(t, s, kind)
		}
		if rapid.IntRange(0, 2).Draw(t, "broken") == 0 {
			s = g.breakIt(t, s)
		}
		f.try(t, g, s, kind)
	}
}

// weighted returns the operations. It repeats those with a body, because they have
// the most members.
func (g generator) weighted() []operation {
	all := g.operations()
	for _, o := range all {
		if o.body != "" {
			all = append(all, o, o, o, o)
		}
	}
	return all
}

// try sends one request and checks the answer.
func (f *fuzzed) try(t *rapid.T, g generator, s sample, kind string) {
	credential := f.credentials[kind]
	leaves := s.method == http.MethodDelete && s.pattern == "/v1/auth/access-tokens/self" || s.pattern == "/v1/auth/access-tokens/self/rotate"
	if leaves && (kind == "admin" || kind == "user") {
		made, text := f.make(httpapi.CreateRequest{User: named("leaver")})
		defer f.do(http.MethodDelete, collection+made.ID, f.admin, "")
		credential = "Bearer " + text
	} else if leaves {
		credential = ""
	}
	if credential != "" {
		s.header.Set("Authorization", credential)
	}
	if strings.HasSuffix(s.pattern, "/offboard") && strings.HasSuffix(s.values["user"], "ann") { // whose tokens the other requests use
		s.values["user"] = "joe"
	}
	if s.method == http.MethodGet && rapid.IntRange(0, 9).Draw(t, "HEAD") == 0 {
		s.method = http.MethodHead
	}
	got := f.answer(t, s)
	for _, complaint := range g.complaints(got) {
		t.Errorf("the answer differs from the document: %s", complaint)
	}
	f.judge(t, g, s, kind, got)
	if t.Failed() {
		t.Fatalf("%s as %s: got %d %s", s, kind, got.status, got.body)
	}
	f.answered[fmt.Sprint(s.method, " ", s.pattern, " ", got.status)]++
	f.learn(t, s, kind, got)
	f.undo(s, got)
}

// undo restores what a successful call about settings or a user changed. Otherwise
// the next requests would be refused because of it.
func (f *fuzzed) undo(s sample, got answer) {
	if got.status != http.StatusOK || s.method == http.MethodGet || s.method == http.MethodHead {
		return
	}
	path, _, _ := strings.Cut(s.target(), "?")
	switch s.pattern {
	case "/v1/settings":
		f.do(http.MethodPatch, path, f.admin, `{"token_limit":10,"change_rate":0,"expiration_timeout_seconds":0,"retention_seconds":34560000}`).expect(f.t, http.StatusOK, "")
	case "/v1/users/{user}/permissions":
		f.do(http.MethodPut, path, f.admin, `{"permissions":[]}`).expect(f.t, http.StatusOK, "")
	case "/v1/users/{user}/limit":
		f.do(http.MethodPut, path, f.admin, `{"token_limit":null}`).expect(f.t, http.StatusOK, "")
	case "/v1/users/{user}/suspension", "/v1/users/{user}/offboard":
		f.do(http.MethodDelete, strings.Replace(path, "/offboard", "/suspension", 1), f.admin, "").expect(f.t, http.StatusOK, "")
	}
}

func (f *fuzzed) answer(t *rapid.T, s sample) answer {
	req, err := http.NewRequestWithContext(f.t.Context(), s.method, f.server.URL+s.target(), bytes.NewReader(s.text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = s.header
	res, err := f.server.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return answer{method: s.method, path: s.target(), status: res.StatusCode, header: res.Header, body: body}
}

// stateful are the statuses of a request that fits the document: success, and the
// refusals that depend on the state of the service and on the credential.
var stateful = []int{200, 401, 403, 404, 409, 412, 422, 429}

// judge checks the kind of the answer: a request that fits the document is not
// malformed, unless it breaks a marked rule; a broken request is refused.
func (f *fuzzed) judge(t *rapid.T, g generator, s sample, kind string, got answer) {
	ignored := s.open && s.broken != "a large header" && s.broken != "an unknown expectation" // such a call ignores the query
	switch {
	case got.status >= 500:
		t.Errorf("the service failed")
	case s.broken != "" && !ignored && got.status < 400:
		t.Errorf("a request that does not fit the document was accepted")
	case s.broken != "" && !ignored && kind == "admin" && slices.Contains([]int{401, 403, 409, 412, 429}, got.status):
		t.Errorf("the refusal is about the state and not about the request")
	case s.broken != "" || slices.Contains(stateful, got.status):
	case got.status == 400 && g.free && s.method == http.MethodHead:
	case got.status == 400 && g.free && f.aboutRule(g, s, got):
	default:
		t.Errorf("a request that fits the document was refused")
	}
	if kind == "admin" && s.broken == "" && got.status == 401 && !refuses(s.method, s.pattern) {
		t.Errorf("the administrator was refused")
	}
	if got.status >= 400 && s.method != http.MethodHead {
		if code := got.problem(f.t).Code; machine.StatusOf(code) != got.status {
			t.Errorf("the code %s has another status", code)
		}
	}
}

// refuses reports whether a route answers every request with a refusal.
func refuses(method, pattern string) bool {
	return slices.ContainsFunc(httpapi.Routes(), func(r machine.Route) bool {
		return r.Refuses && r.Method == method && r.Path == pattern
	})
}

func (f *fuzzed) aboutRule(g generator, s sample, got answer) bool {
	p := got.problem(f.t)
	return (p.Code == "invalid_field" || p.Code == "invalid_parameter") && len(p.Errors) == 1 && slices.Contains(g.ruled(s.operation), p.Errors[0].Field)
}

// learn keeps some links to next pages, and revokes new tokens so that the users
// stay below the limit. A live token that was revoked is replaced.
func (f *fuzzed) learn(t *rapid.T, s sample, kind string, got answer) {
	if got.status == http.StatusOK && s.method == http.MethodDelete && slices.Contains(f.live, s.values["id"]) {
		made, _ := f.make(httpapi.CreateRequest{User: named("ann"), Name: "live"})
		f.live = replaced(f.live, s.values["id"], made.ID)
		f.ids = replaced(f.ids, s.values["id"], made.ID)
	}
	if got.status != http.StatusOK || !pagesByCursor[s.pattern] || s.method == http.MethodHead {
		return
	}
	if s.method == http.MethodPost {
		made := decodeAs[httpapi.Entry](f.t, got)
		if rapid.IntRange(0, 9).Draw(t, "keep") > 0 || made.User.Name == "ann" { // who gets the replacements of live tokens
			f.do(http.MethodDelete, collection+made.ID, f.admin, "")
		}
		return
	}
	if next := decodeAs[struct{ Paging httpapi.Paging }](f.t, got).Paging.Next; next != "" && len(f.nexts) < 200 {
		u, err := url.Parse(next)
		if err != nil {
			t.Fatal(err)
		}
		f.nexts = append(f.nexts, pageLink{s.pattern, kind, u.Query()})
	}
}

func replaced(ids []string, old, with string) []string {
	return append(slices.DeleteFunc(ids, func(id string) bool { return id == old }), with)
}

// pagesByCursor has the paths with pages that have cursors of a hidden form.
var pagesByCursor = map[string]bool{"/v1/auth/access-tokens": true, "/v1/events": true}

// pageLink is a link to the next page of a path, and the credential that got it.
type pageLink struct {
	pattern string
	kind    string
	query   url.Values
}

// follow puts the query of an earlier answer into the request, because a cursor
// belongs to its path, its filters and its caller. It returns the credential.
// Without an earlier answer the request has no cursor.
func (f *fuzzed) follow(t *rapid.T, s sample, kind string) string {
	links := slices.DeleteFunc(slices.Clone(f.nexts), func(l pageLink) bool { return l.pattern != s.pattern })
	if len(links) == 0 {
		s.query.Del("after")
		return kind
	}
	next := rapid.SampledFrom(links).Draw(t, "next")
	clear(s.query)
	maps.Copy(s.query, next.query)
	return next.kind
}

// TestRequestsOfTheDocumentGetItsAnswers sends requests that are drawn from the
// document over a real connection. rapid prints the seed of a failure.
// With -rapid.checks=N it draws N times requestsPerDraw requests.
func TestRequestsOfTheDocumentGetItsAnswers(t *testing.T) {
	f := newFuzzed(t)
	rapid.Check(t, f.property)
}

// TestFixedRequestsOfTheDocumentGetItsAnswers does the same with requests that are
// the same in each run. Some request to each operation is accepted. With
// APITOKEN_SHORTER=1 they are a third.
func TestFixedRequestsOfTheDocumentGetItsAnswers(t *testing.T) {
	f, seeds := newFuzzed(t), 600
	if longtest.Shorter() {
		seeds = 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			input := make([]byte, 64<<10)
			_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(input) // Read returns no error
			rapid.MakeFuzz(f.property)(t, input)
		})
	}
	for _, o := range (generator{document: documented(t)}).operations() {
		accepted := f.answered[fmt.Sprint(o.method, " ", o.pattern, " 200")]
		if o.method == http.MethodGet {
			accepted += f.answered[fmt.Sprint("HEAD ", o.pattern, " 200")]
		}
		if accepted == 0 && !refuses(o.method, o.pattern) {
			t.Errorf("no request to %s %s was accepted", o.method, o.pattern)
		}
	}
}
