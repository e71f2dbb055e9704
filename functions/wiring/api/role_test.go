package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/events/token/tokentest"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestFunctionsMakeOnlyTheCallsOfTheirRole calls every route with the rights that
// its function has in template.yaml: for the caller's own tokens, for another
// user's with the permission and without, and with commits that get no answer.
func TestFunctionsMakeOnlyTheCallsOfTheirRole(t *testing.T) {
	root := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	for _, function := range httpFunctions() {
		t.Run(function, func(t *testing.T) {
			s := newRoleScene(t, root, function)
			for _, r := range faces.Routes() {
				if r.Function == function && !strings.HasPrefix(r.Path, "/ui/") { // a browser's sign-in uses the store as an exchange does
					s.callRoute(r)
				}
			}
			s.Check(t, nil)
		})
	}
}

func httpFunctions() (all []string) {
	for _, r := range faces.Routes() {
		all = append(all, r.Function)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// exchangeForm is a token exchange, without the token of the service at its end.
const exchangeForm = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=urn:ietf:params:oauth:token-type:access_token&subject_token="

// roleScene is one function on a table with an administrator and two users.
type roleScene struct {
	*testing.T
	*roletest.Scene
	function string
	issuer   *issuer.Issuer // with all rights
	users    int
	tokens   map[string]secret.Secret // of admin and bob
	replaced bool                     // the token of a call was rotated
}

func newRoleScene(t *testing.T, root *dynamodb.Client, function string) *roleScene {
	t.Helper()
	s := &roleScene{T: t, Scene: roletest.NewScene(t, root, function, "TokenTable"), function: function, tokens: map[string]secret.Secret{}}
	s.issuer = issuer.New(issuer.Config{Store: dynamo.New(root, s.Table), Keys: storetest.Keys})
	if _, _, err := s.issuer.Bootstrap(t.Context(), "admin", false); err != nil {
		t.Fatal(err)
	}
	return s
}

// handler returns the function, as its main makes it.
func (s *roleScene) handler(client *dynamodb.Client) lambda.Handler {
	return serve(wiring.Function{
		Settings: wiring.Settings{Keys: storetest.Keys, Deployment: "test", PublicURL: "https://tokens.example.com"}, Store: dynamo.New(client, s.Table),
		Log: telemetry.NewLogger(telemetry.Config{Out: s.Output(), Function: s.function}),
	}, s.function)
}

// callRoute makes the calls of one route: about a token of the caller, about one
// of another user with and without the permission, and without an answer to a
// commit.
func (s *roleScene) callRoute(r machine.Route) {
	s.Helper()
	h := s.handler(s.Client)
	asked, special := queries[r.Method+" "+r.Path]
	if !special {
		asked = queries[r.Function]
	}
	if r.Method == http.MethodDelete && !administers[r.Function] { // it ends a token
		asked = append(asked, "with_children=true")
	}
	for _, query := range asked {
		for _, who := range []string{own, other, admin} {
			a := s.send(h, r, who, query)
			if who == own && isForAdministrators(r) {
				continue // users do not do this to themselves
			}
			if a.StatusCode >= 500 || who != other && !succeeds(r, a) {
				s.Errorf("%s %s?%s of %s: got %+v", r.Method, r.Path, query, who, a)
			}
		}
	}
	if r.Checks {
		s.sendReplaced(h, r)
	}
	if r.Command {
		silent := s.Role.Client(dynamodb.New(s.Root.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: &unanswered{}} }))
		if a := s.send(s.handler(silent), r, admin, ""); !succeeds(r, a) {
			s.Errorf("%s %s without an answer to its commit: got %+v, want a success", r.Method, r.Path, a)
		}
	}
}

// succeeds reports whether an answer is the one that the route is for.
func succeeds(r machine.Route, a answer) bool {
	if r.Refuses {
		return a.StatusCode == http.StatusUnauthorized
	}
	return a.StatusCode == http.StatusOK || a.StatusCode == http.StatusCreated
}

// sendReplaced makes a call with a secret that a rotation has replaced, after its
// grace, or asks about this secret.
func (s *roleScene) sendReplaced(h lambda.Handler, r machine.Route) {
	s.Helper()
	s.replaced = true
	want := http.StatusUnauthorized
	switch {
	case r.Function == "login":
		want = http.StatusBadRequest
	case !r.Direct:
		want = http.StatusOK
	}
	if a := s.send(h, r, admin, ""); a.StatusCode != want {
		s.Errorf("%s %s with a replaced secret: got %+v, want %d", r.Method, r.Path, a, want)
	}
	s.replaced = false
}

// The callers of a call about a user's token.
const own, other, admin = "the user", "bob", "admin"

// queries has the queries of the calls of a route, or of all other routes of a
// function. USER is the token's user, and
// NOW is an instant after the token's creation.
var queries = map[string][]string{
	"list": {"", "user=USER", "state=revoked", "user=USER&state=revoked", "user=USER&never_expires=true&unused_since=NOW",
		"kind=session", "kind=session&user=USER", "kind=session&user=USER&state=revoked"},
	"GET /v1/users/{user}/events": {"", "kind=session"},
	"create":                      {""}, "get": {"", "at=NOW"}, "rotate": {""}, "update": {""}, "revoke": {""}, "history": {""}, "introspect": {""}, "self": {""}, "about": {""},
	"settings": {""}, "suspend": {""}, "oauth": {""}, "login": {""},
	"vast": {""}, "GET /api/apitokens": {"", "owner=USER", "archived=True", "archived=True&owner=USER", "page=1&page_size=1"},
}

// administers are the functions for administrators.
var administers = map[string]bool{"settings": true, "suspend": true}

func isForAdministrators(r machine.Route) bool {
	return administers[r.Function] || r.Path == "/v1/events" || strings.HasPrefix(r.Path, "/api/vms/")
}

// send makes a call about a new token of a new user. If the answer has a secret,
// send makes the call twice with one Idempotency-Key and returns the second answer.
func (s *roleScene) send(h lambda.Handler, r machine.Route, caller, query string) (a answer) {
	s.Helper()
	s.users++
	user := fmt.Sprintf("user%d", s.users)
	if strings.HasSuffix(r.Path, "/limit") {
		s.addExpired(user)
	}
	made, text, err := s.issuer.Create(s.Context(), guard.Principal{Owner: admin}, user, token.Wish{})
	if err != nil {
		s.Fatal(err)
	}
	if _, _, err := s.issuer.Create(s.Context(), guard.Principal{Owner: user, TokenID: made.ID}, "", token.Wish{}); err != nil { // a child
		s.Fatal(err)
	}
	with := guard.Principal{Owner: user, TokenID: made.ID, Kind: guard.KindToken, Credential: guard.CredentialCurrent, ExpiresAt: made.ExpiresAt}
	if _, _, err := s.issuer.OpenSessionWith(s.Context(), with, false); err != nil { // it ends with the token
		s.Fatal(err)
	}
	if r.Method == http.MethodDelete && strings.HasSuffix(r.Path, "/suspension") {
		if _, err := s.issuer.Suspend(s.Context(), guard.Principal{Owner: admin}, user, ""); err != nil {
			s.Fatal(err)
		}
	}
	if caller == own {
		caller = user
	}
	acting, contentType := text, "application/json"
	actingID := made.ID
	if caller != user { // commands look at the acting token again
		actingID = s.tokenOf(caller).Reveal()[:len(made.ID)]
	}
	if (r.Function == "vast" || r.Function == "oauth") && caller != user && !s.replaced { // who calls it is who the token belongs to
		acting = s.tokenOf(caller)
	}
	if r.Function == "oauth" || r.Function == "login" {
		contentType = "application/x-www-form-urlencoded"
	}
	if s.replaced {
		tokentest.Rotate(s.T, dynamo.New(s.Root, s.Table), storetest.Keys, time.Now(), made.ID, 0)
	}
	bodies := map[string]string{
		"POST /v1/auth/access-tokens": `{"user": {"name": "` + user + `"}}`,
		"POST /v1/auth/authorize":     `{"token": "` + text.Reveal() + `"}`,

		"POST /v1/oauth/introspect": "token=" + text.Reveal(),
		"POST /v1/oauth/revoke":     "token=" + text.Reveal(),
		"POST /v1/session/exchange": exchangeForm + text.Reveal(),

		"PATCH /v1/auth/access-tokens/{id}": `{"description": "changed", "scopes": ["GET /v1/x"]}`,

		"PATCH /v1/settings":               fmt.Sprintf(`{"change_rate": %d}`, 1000+s.users),
		"PUT /v1/users/{user}/permissions": `{"permissions": ["view", "edit"]}`,
		"PUT /v1/groups":                   `{"alias": "corp", "group": "/team", "permissions": ["view", "edit"]}`,
		"PUT /v1/users/{user}/limit":       `{"token_limit": 7}`,

		"POST /api/apitokens":                              `{"owner": "` + user + `"}`,
		"PATCH /api/apitokens/{id}":                        `{"name": "changed"}`,
		"PATCH /api/vms/{vms}/set_max_api_tokens_per_user": fmt.Sprintf(`{"max_api_tokens_per_user": %d}`, 40+s.users%10),
		"PATCH /api/vms/{vms}/pwd_settings":                fmt.Sprintf(`{"pwd_expiration_timeout": "%dD"}`, 100+s.users),
	}
	now := made.CreatedAt.Format(time.RFC3339Nano)
	asked, err := url.ParseQuery(strings.NewReplacer("USER", user, "NOW", now).Replace(query))
	if err != nil {
		s.Fatal(err)
	}
	path := strings.NewReplacer("{id}", made.ID, "{user}", user, "{vms}", "1").Replace(r.Path)
	payload, err := json.Marshal(lambdaevents.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: path, Body: bodies[r.Method+" "+r.Path],
		Headers:                         map[string]string{"Content-Type": contentType, "Authorization": "Bearer " + acting.Reveal(), "Idempotency-Key": "the-call-about-" + user},
		MultiValueQueryStringParameters: asked,
		RequestContext: lambdaevents.APIGatewayProxyRequestContext{Path: path, Authorizer: gateway.Context(guard.Principal{
			Owner: caller, TokenID: actingID, Kind: guard.KindToken, Credential: guard.CredentialCurrent,
		})},
	})
	if err != nil {
		s.Fatal(err)
	}
	a = s.invoke(h, payload)
	if r.Replays && a.StatusCode == http.StatusOK {
		a = s.invoke(h, payload)
		if a.StatusCode == http.StatusOK && a.Headers["Idempotent-Replayed"]+strings.Join(a.MultiValueHeaders["Idempotent-Replayed"], "") != "true" {
			s.Errorf("%s %s repeated: got %+v, want the first answer", r.Method, r.Path, a)
		}
	}
	return a
}

// tokenOf returns a token of admin or bob, the same at each call.
func (s *roleScene) tokenOf(caller string) secret.Secret {
	s.Helper()
	if _, made := s.tokens[caller]; !made {
		_, text, err := s.issuer.Create(s.Context(), guard.Principal{Owner: admin}, caller, token.Wish{})
		if err != nil {
			s.Fatal(err)
		}
		s.tokens[caller] = text
	}
	return s.tokens[caller]
}

// addExpired gives the user a token that has expired, so that the next commit ends
// it too.
func (s *roleScene) addExpired(user string) {
	s.Helper()
	early := issuer.New(issuer.Config{Store: dynamo.New(s.Root, s.Table), Keys: storetest.Keys, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	if _, _, err := early.Create(s.Context(), guard.Principal{Owner: admin}, user, token.Wish{ExpiresIn: time.Second}); err != nil {
		s.Fatal(err)
	}
}

func (s *roleScene) invoke(h lambda.Handler, payload []byte) (a answer) {
	s.Helper()
	out, err := h.Invoke(s.Context(), payload)
	if err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal(out, &a); err != nil {
		s.Fatal(err)
	}
	return a
}

// unanswered applies the first commit and loses its answers, and those of the
// read that looks for its outcome. The issuer sends the commit again, gets a
// conflict, and looks at the history.
type unanswered struct{ commits int }

// lostAnswers is the number of attempts of the store for one commit.
const lostAnswers = 3

var errSilent = errors.New("no answer")

func (u *unanswered) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	isCommit := bytes.Contains(body, []byte(`"Put":`)) // and not the use of a token
	if isCommit {
		u.commits++
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if lost := isCommit || operation == "Query" && u.commits > 0; lost && u.commits <= lostAnswers && err == nil {
		a.Body.Close()
		return nil, errSilent
	}
	return a, err
}
