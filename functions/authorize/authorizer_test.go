package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/gateway"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// vector is the token in the sample payloads.
const vector = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

// scene is an authorizer on a real store.
type scene struct {
	*testing.T
	*authorizer
	store  *bolt.Store
	issuer *issuer.Issuer
	log    bytes.Buffer
	now    time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, store: bolttest.Open(t), now: time.Now().UTC()}
	s.issuer = issuer.New(issuer.Config{Store: s.store, Keys: storetest.Keys, Now: func() time.Time { return s.now }})
	s.authorizer = s.newAuthorizer(s.issuer.Guard())
	return s
}

func (s *scene) newAuthorizer(g *guard.Guard) *authorizer {
	return &authorizer{guard: g, form: gateway.Simple, now: time.Now, log: telemetry.NewLogger(telemetry.Config{Out: &s.log, Function: "authorize"})}
}

// token makes a token for ann and returns it with its text.
func (s *scene) token(w token.Wish) (issuer.Token, string) {
	s.Helper()
	made, text, err := s.issuer.Create(s.Context(), guard.Principal{Owner: "ann"}, "", w)
	if err != nil {
		s.Fatalf("creating a token: %v", err)
	}
	return made, text.Reveal()
}

// ask sends a sample payload with this token instead of vector.
func (s *scene) ask(name, token string) ([]byte, error) {
	s.Helper()
	return s.Invoke(s.Context(), bytes.ReplaceAll(payloads.Read(s, name), []byte(vector), []byte(token)))
}

// forms are the four payloads that an authorizer may get.
var forms = []string{"authorizer-token", "authorizer-request", "authorizer-http-1.0", "authorizer-http-2.0"}

// reply has all members of both forms of an answer.
type reply struct {
	lambdaevents.APIGatewayCustomAuthorizerResponse
	IsAuthorized *bool `json:"isAuthorized"`
}

func (s *scene) reply(name, token string) reply {
	s.Helper()
	return s.decode(s.ask(name, token))
}

// decode reads an answer that must be no error.
func (s *scene) decode(answer []byte, err error) (r reply) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		s.Fatalf("reading %s: %v", answer, err)
	}
	return r
}

// allowed reports whether the answer admits any call.
func (r reply) allowed() bool {
	if r.IsAuthorized != nil {
		return *r.IsAuthorized
	}
	return slices.ContainsFunc(r.PolicyDocument.Statement, func(s lambdaevents.IAMPolicyStatement) bool { return s.Effect == "Allow" })
}

func TestValidTokenIsAllowedInEveryForm(t *testing.T) {
	s := newScene(t)
	made, text := s.token(token.Wish{ExpiresAt: s.now.Add(time.Hour)})
	want := map[string]any{
		"owner": "ann", "token_id": made.ID, "kind": "token", "credential": "current", "rotation": "0", "permissions": "[]", "via": "", "makes_until": "", "opened_with": "", "ui": "", "scopes": "[]", "source_ips": "[]",
		"expires_at": s.now.Add(time.Hour).Format("2006-01-02T15:04:05.000000Z"),
		"denial":     "_by_scope", "detail": "The token's scopes do not allow this call.",
	}
	for _, form := range forms {
		r := s.reply(form, text)
		if !r.allowed() {
			t.Errorf("%s: got %+v, want it allowed", form, r)
		}
		for name, value := range want {
			if r.Context[name] != value {
				t.Errorf("%s: context %s: got %v, want %v", form, name, r.Context[name], value)
			}
		}
		if len(r.Context) != len(want) {
			t.Errorf("%s: the context has more members than %v: %v", form, want, r.Context)
		}
		if simple := form == "authorizer-http-2.0"; simple != (r.IsAuthorized != nil) || simple == (r.PrincipalID == "ann") {
			t.Errorf("%s: got %+v, want the other form of answer", form, r)
		}
	}
}

func TestHTTPAPIGetsAPolicyIfConfigured(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{})
	s.form = gateway.Policy
	if r := s.reply("authorizer-http-2.0", text); r.IsAuthorized != nil || !r.allowed() || r.PrincipalID != "ann" {
		t.Errorf("got %+v, want a policy", r)
	}
}

// TestRefusedCredentialIsUnauthorized expects the exact error for which API
// Gateway answers 401. A wrapped error would give 500.
func TestRefusedCredentialIsUnauthorized(t *testing.T) {
	s := newScene(t)
	made, revoked := s.token(token.Wish{})
	if err := s.issuer.Revoke(t.Context(), guard.Principal{Owner: "ann"}, made.ID); err != nil {
		t.Fatal(err)
	}
	_, expired := s.token(token.Wish{ExpiresIn: time.Minute})
	s.now = s.now.Add(time.Minute)
	_, live := s.token(token.Wish{})
	for name, token := range map[string]string{
		"unknown": vector, "garbage": "garbage", "none": "", "revoked": revoked, "expired": expired,
		"wrong checksum": live[:len(live)-1] + "_", "two": live + ",Bearer " + live, "another scheme": "x\",\"y",
	} {
		for _, form := range forms {
			if answer, err := s.ask(form, strings.ReplaceAll(token, `"`, `\"`)); err == nil || err.Error() != "Unauthorized" {
				t.Errorf("%s, %s: got %s, %v, want the error Unauthorized", name, form, answer, err)
			}
		}
	}
}

func TestRepeatedCredentialIsUnauthorized(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{})
	payload := `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/GET/x","path":"/x","httpMethod":"GET",
		"multiValueHeaders":{"Authorization":["Bearer T","Bearer T"]},"headers":{"Authorization":"Bearer T"}}`
	if answer, err := s.Invoke(t.Context(), []byte(strings.ReplaceAll(payload, "Bearer T", "Bearer "+text))); !errors.Is(err, gateway.ErrUnauthorized) {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestTokenInQueryIsUnauthorized(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{})
	for _, form := range []string{"authorizer-request", "authorizer-http-1.0", "authorizer-http-2.0"} {
		payload := payloads.Read(t, form)
		withToken := strings.NewReplacer(vector, text, `"limit=10"`, `"limit=`+text+`"`, `"limit": "10"`, `"limit": "`+text+`"`, `"10"`, `"`+text+`"`).Replace(string(payload))
		if answer, err := s.Invoke(t.Context(), []byte(withToken)); !errors.Is(err, gateway.ErrUnauthorized) {
			t.Errorf("%s: got %s, %v", form, answer, err)
		}
	}
}

// TestOnlyUnauthorizedIsCountedAsUnauthorized: Lambda counts each error of the
// function. An alarm subtracts those that are answers, so a fault may not be counted
// as one.
func TestOnlyUnauthorizedIsCountedAsUnauthorized(t *testing.T) {
	s := newScene(t)
	_, good := s.token(token.Wish{})
	_, outOfScope := s.token(token.Wish{Scopes: []string{"GET /v1/other"}})
	for _, c := range []struct{ name, text, want string }{
		{"a good token", good, ""},
		{"out of scope", outOfScope, ""},
		{"no such token", vector, `"Unauthorized":1`},
		{"a damaged token", good, `"Faults":1`},
	} {
		s.log.Reset()
		if strings.Contains(c.name, "damaged") {
			s.authorizer = s.newAuthorizer(guard.New(guard.Config{Views: unsealed{s.store}, Uses: s.store, Notices: s.store, Keys: storetest.Keys}))
		}
		_, err := s.ask("authorizer-http-2.0", c.text)
		for _, metric := range []string{`"Unauthorized":1`, `"Faults":1`} {
			if got := strings.Contains(s.log.String(), metric); got != (metric == c.want) {
				t.Errorf("%s: %s in the line: got %t in %s", c.name, metric, got, s.log.String())
			}
		}
		if unauthorized := errors.Is(err, gateway.ErrUnauthorized); unauthorized != strings.Contains(s.log.String(), `"Unauthorized":1`) {
			t.Errorf("%s: got %v with the line %s", c.name, err, s.log.String())
		}
		if (err != nil) != (c.want != "") {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestOutOfScopeIsForbidden shows that a policy admits only the calls of the
// scopes, and that an answer without a policy is no.
func TestOutOfScopeIsForbidden(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{Scopes: []string{"GET /v1/other"}})
	if r := s.reply("authorizer-http-2.0", text); r.allowed() || r.Context["denial"] != "_by_scope" {
		t.Errorf("format 2.0: got %+v, want no, by scope", r)
	}
	for _, form := range forms[:3] {
		r := s.reply(form, text)
		allow := r.PolicyDocument.Statement[0]
		var got []string
		for _, arn := range allow.Resource {
			got = append(got, arn[strings.Index(arn, "/prod"):])
		}
		want := []string{"/prod/GET/v1/other", "/prod/GET/v1/other/", "/prod/HEAD/v1/other", "/prod/HEAD/v1/other/"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %+v, want only the calls of the scope", form, allow)
		}
		if r.Context["denial"] != "_by_scope" {
			t.Errorf("%s: got the context %v, want the denial by scope", form, r.Context)
		}
	}
}

// TestPolicyDoesNotDependOnTheCall asks about different calls: a cached policy
// has to answer all of them.
func TestPolicyDoesNotDependOnTheCall(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{Scopes: []string{"GET /v1/auth/*", "POST /v1/x"}})
	var first []byte
	for _, call := range []string{"GET/v1/auth/access-tokens", "POST/v1/x", "DELETE/v1/elsewhere", "GET/v1/../x", ""} {
		answer, err := s.Invoke(t.Context(), []byte(`{"type":"TOKEN","authorizationToken":"Bearer `+text+`","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/`+call+`"}`))
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		if first == nil {
			first = answer
		}
		if !bytes.Equal(first, answer) {
			t.Errorf("%s: got\n%s\nwant\n%s", call, answer, first)
		}
	}
}

func TestSourceOutsideTheRangesIsForbidden(t *testing.T) {
	s := newScene(t)
	_, inside := s.token(token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	_, outside := s.token(token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}})
	for _, form := range forms {
		hasAddress := form != "authorizer-token"
		if r := s.reply(form, inside); r.allowed() != hasAddress {
			t.Errorf("%s, inside: got %+v, want allowed %t", form, r, hasAddress)
		}
		if r := s.reply(form, outside); r.allowed() || r.Context["denial"] != "_by_source" {
			t.Errorf("%s, outside: got %+v, want a denial by source", form, r)
		}
	}
}

// broken is a store that does not answer.
type broken struct{ events.Views }

var errOutage = errors.New("no answer")

func (broken) Token(context.Context, string) (events.View, events.Use, error) {
	return events.View{}, events.Use{}, errOutage
}

func TestOutageIsAFaultAndNoDenial(t *testing.T) {
	s := newScene(t)
	s.authorizer = s.newAuthorizer(guard.New(guard.Config{Views: broken{}, Uses: s.store, Notices: s.store, Keys: storetest.Keys}))
	for _, form := range forms {
		answer, err := s.ask(form, vector)
		if !errors.Is(err, errOutage) || strings.Contains(err.Error(), "Unauthorized") {
			t.Errorf("%s: got %s, %v, want the fault", form, answer, err)
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

// TestDamagedViewIsAFaultAndNoDenial: the log line names the token and counts the
// damage.
func TestDamagedViewIsAFaultAndNoDenial(t *testing.T) {
	s := newScene(t)
	made, text := s.token(token.Wish{})
	s.authorizer = s.newAuthorizer(guard.New(guard.Config{Views: unsealed{s.store}, Uses: s.store, Notices: s.store, Keys: storetest.Keys}))
	for _, form := range forms {
		s.log.Reset()
		answer, err := s.ask(form, text)
		if !errors.Is(err, events.ErrDamaged) || errors.Is(err, gateway.ErrUnauthorized) {
			t.Errorf("%s: got %s, %v, want the fault", form, answer, err)
		}
		for _, want := range []string{`"level":"ERROR"`, `"token_id":"` + made.ID + `"`, `"Damaged":1`} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("%s: got the line %s, want %s in it", form, s.log.String(), want)
			}
		}
	}
}

func TestUnknownPayloadsAreFaults(t *testing.T) {
	s := newScene(t)
	for _, payload := range []string{``, `{}`, `{"type":"OTHER"}`, `{"type":"TOKEN","methodArn":"x"}`, `{"type":"REQUEST","version":"2.0"}`, `{"type":"REQUEST"}`} {
		if answer, err := s.Invoke(t.Context(), []byte(payload)); err == nil || errors.Is(err, gateway.ErrUnauthorized) {
			t.Errorf("%s: got %s, %v, want a fault", payload, answer, err)
		}
	}
}

// requestIDs are the request ids in the samples. A TOKEN payload has none.
var requestIDs = map[string]string{
	"authorizer-request":  "deef4878-7910-11e6-8f14-25afc3e9ae33",
	"authorizer-http-1.0": "deef4878-7910-11e6-8f14-25afc3e9ae33",
	"authorizer-http-2.0": "JKJaXmPLvHcESHA=",
}

// TestLogNamesARefusedTokenIfItsSecretIsRight: on AWS all 401 look alike to the
// caller. The log shows which token was refused, and why.
func TestLogNamesARefusedTokenIfItsSecretIsRight(t *testing.T) {
	s := newScene(t)
	revoked, revokedText := s.token(token.Wish{})
	if err := s.issuer.Revoke(t.Context(), guard.Principal{Owner: "ann"}, revoked.ID); err != nil {
		t.Fatal(err)
	}
	expired, expiredText := s.token(token.Wish{ExpiresIn: time.Minute})
	away, awayText := s.token(token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}})
	scoped, scopedText := s.token(token.Wish{Scopes: []string{"GET /elsewhere"}})
	s.now = s.now.Add(time.Minute)
	for _, c := range []struct{ text, code, id string }{
		{revokedText, "token_revoked", revoked.ID}, {expiredText, "token_expired", expired.ID},
		{awayText, "permission_denied_by_source", away.ID}, {scopedText, "permission_denied_by_scope", scoped.ID},
	} {
		for _, form := range forms {
			s.log.Reset()
			_, _ = s.ask(form, c.text)
			if line := s.line(); line["code"] != c.code || line["token_id"] != c.id || line["owner"] != "ann" {
				t.Errorf("%s: got %v, want %s with the token %s of ann", form, line, c.code, c.id)
			}
		}
	}
	s.log.Reset()
	_, _ = s.ask("authorizer-request", vector) // an unknown token
	if line := s.line(); line["code"] != "token_invalid" || line["token_id"] != "" || line["owner"] != "" {
		t.Errorf("got %v, want no token", line)
	}
}

// line decodes the only line of the log.
func (s *scene) line() (line map[string]any) {
	s.Helper()
	if err := json.Unmarshal(s.log.Bytes(), &line); err != nil {
		s.Fatalf("log %q: %v", s.log.String(), err)
	}
	return line
}

// TestTheLogLineIsAsShortAsTheBillSays: log lines are the largest part of what an
// authorization costs. cmd/cost counts 800 bytes. Lambda adds its request id, and the
// names of functions and the user agent may be longer than here.
func TestTheLogLineIsAsShortAsTheBillSays(t *testing.T) {
	const most = 800 - len(`"requestId":"deef4878-7910-11e6-8f14-25afc3e9ae33",`) - 100
	s := newScene(t)
	_, valid := s.token(token.Wish{})
	for _, form := range forms {
		for _, shown := range []string{valid, vector} {
			s.log.Reset()
			s.ask(form, shown)
			if n := s.log.Len(); n > most || n == 0 {
				t.Errorf("%s: the line has %d bytes, want at most %d:\n%s", form, n, most, &s.log)
			}
		}
	}
}

func TestLogHasTheCallOfTheQuestion(t *testing.T) {
	s := newScene(t)
	_, text := s.token(token.Wish{})
	const route = "/v1/auth/access-tokens/{id}"
	for _, c := range []struct {
		form, old, new string
		want           map[string]any
	}{
		{"authorizer-request", "", "", map[string]any{"address": "203.0.113.9", "user_agent": "curl/8.5.0", "method": "GET", "route": route, "path": nil}},
		{"authorizer-http-2.0", "", "", map[string]any{"address": "203.0.113.9", "user_agent": "curl/8.5.0", "method": "GET", "route": route, "path": nil}},
		{"authorizer-token", "", "", map[string]any{"address": "", "user_agent": "", "method": "GET", "route": "", "path": "/v1/auth/access-tokens"}},
		{"authorizer-http-2.0", `GET ` + route, "$default", map[string]any{"route": "", "path": "/v1/auth/access-tokens/JhxND7ci"}},
		{"authorizer-request", route, "/{proxy+}", map[string]any{"route": "", "path": "/v1/auth/access-tokens/JhxND7ci"}},
		{"authorizer-http-2.0", `GET ` + route, "ANY /{proxy+}", map[string]any{"route": ""}},
		{"authorizer-request", "curl/8.5.0", strings.Repeat("x ", 99), map[string]any{"user_agent": strings.Repeat("x ", 64)}},
		{"authorizer-request", "curl/8.5.0", "x " + text, map[string]any{"user_agent": "[redacted]"}},
		{"authorizer-token", "access-tokens", "access-tokens/" + text, map[string]any{"path": "[redacted]"}},
		{"authorizer-token", "access-tokens", "access-tokens/" + text[:30], map[string]any{"path": "/v1/auth/access-tokens/*"}},
	} {
		s.log.Reset()
		payload := strings.ReplaceAll(string(payloads.Read(t, c.form)), vector, text)
		if c.old != "" && !strings.Contains(payload, c.old) {
			t.Fatalf("%s has no %q", c.form, c.old)
		}
		_, _ = s.Invoke(t.Context(), []byte(strings.ReplaceAll(payload, c.old, c.new)))
		for name, want := range c.want {
			if line := s.line(); line[name] != want {
				t.Errorf("%s with %.40q: %s: got %v, want %v", c.form, c.new, name, line[name], want)
			}
		}
		if strings.Contains(s.log.String(), text[9:20]) {
			t.Errorf("%s: the log has the secret: %s", c.form, s.log.String())
		}
	}
}

// TestEachQuestionIsLoggedOnceWithoutTheSecret expects one log line for each
// question, with outcome and token id, and no part of the secret in the log or
// in the answers.
func TestEachQuestionIsLoggedOnceWithoutTheSecret(t *testing.T) {
	s := newScene(t)
	made, text := s.token(token.Wish{Scopes: []string{"GET /v1/auth/*"}})
	var answers bytes.Buffer
	ask := func(token string) {
		for _, form := range forms {
			answer, err := s.ask(form, token)
			answers.Write(answer)
			if err != nil {
				io.WriteString(&answers, err.Error())
			}
		}
	}
	ask(text)
	ask(text + "x")
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(lines) != 2*len(forms) {
		t.Fatalf("got %d lines, want one for each question:\n%s", len(lines), s.log.String())
	}
	for i, line := range lines {
		want := `"code":"ok","token_id":"` + made.ID + `","owner":"ann"`
		if i >= len(forms) {
			want = `"code":"token_malformed","token_id":""`
		}
		if !strings.Contains(line, want) || !strings.Contains(line, `"operation":"authorize"`) || !strings.Contains(line, `"duration_ms":`) {
			t.Errorf("line %d: got %s, want %s", i, line, want)
		}
		if id := `"request_id":"` + requestIDs[forms[i%len(forms)]] + `"`; !strings.Contains(line, id) {
			t.Errorf("line %d: got %s, want %s, the id that the caller sees", i, line, id)
		}
	}
	_, hidden, _ := strings.Cut(text, ".")
	if all := s.log.String() + answers.String(); strings.Contains(all, hidden) || strings.Contains(all, hidden[:26]) {
		t.Errorf("the secret is in\n%s", all)
	}
}
