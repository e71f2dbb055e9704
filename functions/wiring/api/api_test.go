package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt/bolttest"
)

// vector is the token in the sample payloads.
const vector = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

// deployment has all functions on one store.
type deployment struct {
	*testing.T
	wiring.Function
	log bytes.Buffer
}

func deploy(t *testing.T, authorizeInHandler bool) *deployment {
	t.Helper()
	d := &deployment{T: t}
	d.Function = wiring.Function{
		Settings: wiring.Settings{Keys: storetest.Keys, AuthorizeInHandler: authorizeInHandler},
		Store:    bolttest.Open(t), Log: telemetry.NewLogger(telemetry.Config{Out: &d.log, Function: "f"}),
	}
	return d
}

// token makes a token for ann and returns its text and id.
func (d *deployment) token(w token.Wish) (text, id string) {
	d.Helper()
	made, secret, err := issuer.New(issuer.Config{Store: d.Store, Keys: d.Keys}).Create(d.Context(), guard.Principal{Owner: "ann"}, "", w)
	if err != nil {
		d.Fatal(err)
	}
	return secret.Reveal(), made.ID
}

type answer struct {
	StatusCode        int
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
}

// call sends a sample payload, with changes, to a function.
func (d *deployment) call(h lambda.Handler, name string, changes ...string) answer {
	d.Helper()
	payload := strings.NewReplacer(changes...).Replace(string(payloads.Read(d.T, name)))
	out, err := h.Invoke(d.Context(), []byte(payload))
	if err != nil {
		d.Fatalf("%s: %v", name, err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		d.Fatalf("%s: reading %s: %v", name, out, err)
	}
	return a
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("reading %s: %v", a.Body, err)
	}
}

// TestFunctionsAnswerBothFormats creates, lists, gets, changes and revokes a token,
// with the payloads of both kinds of API. The changes have two tags in If-Match: a
// REST API sends two headers, and an HTTP API joins them.
func TestFunctionsAnswerBothFormats(t *testing.T) {
	for _, format := range []string{"rest", "http"} {
		d := deploy(t, true)
		text, _ := d.token(token.Wish{})
		create := d.call(serve(d.Function, "create"), "rest-create", vector, text)
		var made httpapi.Created
		create.into(t, &made)
		if create.StatusCode != 200 || made.Name != "ci" || !slices.Equal(create.MultiValueHeaders["Cache-Control"], []string{"no-store"}) {
			t.Errorf("create: got %+v", create)
		}
		var list httpapi.List
		d.call(serve(d.Function, "list"), format+"-list", vector, text).into(t, &list)
		if len(list.Entries) != 2 {
			t.Errorf("%s list: got %+v, want two tokens", format, list)
		}
		if got := d.call(serve(d.Function, "get"), format+"-get", vector, text, "JhxND7ci", made.ID); got.StatusCode != 200 || !strings.Contains(got.Body, made.ID) {
			t.Errorf("%s get: got %+v", format, got)
		}
		if got := d.call(serve(d.Function, "update"), format+"-patch", vector, text, "JhxND7ci", made.ID); got.StatusCode != 412 {
			t.Errorf("%s update with other tags: got %+v, want 412", format, got)
		}
		var changed httpapi.Entry
		update := d.call(serve(d.Function, "update"), format+"-patch", vector, text, "JhxND7ci", made.ID, `\"3\"`, `\"2\"`)
		update.into(t, &changed)
		if update.StatusCode != 200 || changed.ID != made.ID || changed.Name != "café" || update.Headers["ETag"]+update.Headers["Etag"]+strings.Join(update.MultiValueHeaders["Etag"], "") != `"3"` {
			t.Errorf("%s update: got %+v", format, update)
		}
		if got := d.call(serve(d.Function, "revoke"), format+"-get", vector, text, "JhxND7ci", made.ID, `"GET"`, `"DELETE"`); got.StatusCode != 200 {
			t.Errorf("%s revoke: got %+v", format, got)
		}
		if got := d.call(serve(d.Function, "get"), format+"-get", vector, text, "JhxND7ci", made.ID); got.StatusCode != 404 {
			t.Errorf("%s get of the revoked: got %+v", format, got)
		}
	}
}

// TestAnswersHaveTheExpiryOfTheAuthorizerContext in both formats, also if the call
// is refused. Without an expiry there is no header.
func TestAnswersHaveTheExpiryOfTheAuthorizerContext(t *testing.T) {
	const expires = "2126-01-01T00:00:00Z"
	for _, format := range []string{"rest", "http"} {
		for _, row := range []struct {
			changes []string
			status  int
			want    string
		}{
			{nil, 200, "2126-01-01T00:00:00.000000Z"},
			{[]string{`"current"`, `"outgoing"`}, 200, "2126-01-01T00:00:00.000000Z"},
			{[]string{`user=`, `surplus=`, `"user":`, `"surplus":`}, 400, "2126-01-01T00:00:00.000000Z"},
			{[]string{expires, ""}, 200, ""},
			{[]string{"GET /v1/auth", "GET /v1/other"}, 403, ""},
		} {
			d := deploy(t, false)
			got := d.call(serve(d.Function, "list"), format+"-list", row.changes...)
			header := got.Headers["Apitoken-Expires"] + strings.Join(got.MultiValueHeaders["Apitoken-Expires"], ",")
			if got.StatusCode != row.status || header != row.want {
				t.Errorf("%s %q: got %d with %q, want %d with %q", format, row.changes, got.StatusCode, header, row.status, row.want)
			}
		}
	}
}

// TestNextPageKeepsThePrefix: the link must have the stage or the base path that
// the client used.
func TestNextPageKeepsThePrefix(t *testing.T) {
	d := deploy(t, true)
	text, _ := d.token(token.Wish{})
	d.token(token.Wish{})
	list := serve(d.Function, "list")
	for sample, prefix := range map[string]string{
		"rest-list": "/prod/v1/", "rest-list-slash": "/prod/v1/", "rest-list-base-path": "/tokens/v1/",
		"http-list": "/v1/", "http-list-slash": "/dev/v1/", "http-list-base-path": "/tokens/v1/",
	} {
		var page httpapi.List
		got := d.call(list, sample, vector, text, `"user": [`, `"limit": ["1"],"user": [`, "rawQueryString\": \"", "rawQueryString\": \"limit=1&")
		got.into(t, &page)
		if len(page.Entries) != 1 || !strings.HasPrefix(page.Paging.Next, prefix+"auth/access-tokens") || !strings.Contains(page.Paging.Next, "user=ann") {
			t.Errorf("%s: got %+v, want one entry and a link that starts with %s", sample, got, prefix)
		}
	}
}

// TestRequestWithoutAuthorizerContextIsDenied, even with a valid credential. So is
// a request with a context that our authorizer does not make.
func TestRequestWithoutAuthorizerContextIsDenied(t *testing.T) {
	d := deploy(t, false)
	text, id := d.token(token.Wish{})
	get := serve(d.Function, "get")
	for _, format := range []string{"rest-get", "http-get"} {
		if got := d.call(get, format, vector, text, `"authorizer"`, `"other"`, "JhxND7ci", id); got.StatusCode != 401 {
			t.Errorf("%s without context: got %+v, want 401", format, got)
		}
		if got := d.call(get, format, vector, text, "JhxND7ci", id); got.StatusCode != 200 {
			t.Errorf("%s with context: got %+v, want 200", format, got)
		}
		for _, change := range [][]string{
			{`"owner": "ann"`, `"owner": "API_OPERATOR_DOMAIN:operator"`}, {`"owner": "ann"`, `"owner": "local:ann"`},
			{"2126-01-01", "2025-01-01"}, {`"kind": "token"`, `"kind": "session"`}, {`"credential"`, `"other"`}, {`"rotation"`, `"other"`}, {`"via"`, `"other"`},
		} {
			if got := d.call(get, format, append([]string{vector, text, "JhxND7ci", id}, change...)...); got.StatusCode != 401 {
				t.Errorf("%s with %s instead of %s: got %+v, want 401", format, change[1], change[0], got)
			}
		}
		if got := d.call(get, format, vector, text, "JhxND7ci", id, `GET /v1/auth/access-tokens/*`, `GET /v1/elsewhere`); got.StatusCode != 403 {
			t.Errorf("%s with a context of other scopes: got %+v, want 403", format, got)
		}
	}
}

// TestAuthorizerContextIsIgnoredIfHandlersAuthorize: an emulator that ignores
// authorizers may let clients write the context.
func TestAuthorizerContextIsIgnoredIfHandlersAuthorize(t *testing.T) {
	d := deploy(t, true)
	_, id := d.token(token.Wish{})
	if got := d.call(serve(d.Function, "get"), "rest-get", "JhxND7ci\"", id+"\"", "/JhxND7ci", "/"+id); got.StatusCode != 401 {
		t.Errorf("got %+v, want 401 for an unknown token although the context allows the call", got)
	}
}

// TestSelfChecksTheCredentialItself: no authorizer runs before the function self.
// A context that claims another caller changes nothing.
func TestSelfChecksTheCredentialItself(t *testing.T) {
	d := deploy(t, false)
	text, id := d.token(token.Wish{Scopes: []string{"GET /hello"}})
	d.Deployment = "test"
	self := serve(d.Function, "self")
	for _, format := range []string{"rest-get", "http-get"} {
		if got := d.call(self, format, vector, text, "access-tokens/JhxND7ci", "access-tokens/self"); got.StatusCode != 200 || !strings.Contains(got.Body, id) {
			t.Errorf("%s with a token: got %+v, want that token", format, got)
		}
		if got := d.call(self, format, "access-tokens/JhxND7ci", "access-tokens/self"); got.StatusCode != 401 {
			t.Errorf("%s with an unknown token and a context: got %+v, want 401", format, got)
		}
	}
}

func TestFunctionAnswersOnlyItsOwnCalls(t *testing.T) {
	d := deploy(t, false)
	if got := d.call(serve(d.Function, "get"), "rest-list"); got.StatusCode != 404 {
		t.Errorf("got %+v, want 404", got)
	}
}

// TestEachRequestLogsOneLineWithoutTheSecret checks the logs and metrics of a
// create, because its answer has the secret.
func TestEachRequestLogsOneLineWithoutTheSecret(t *testing.T) {
	d := deploy(t, true)
	text, id := d.token(token.Wish{})
	got := d.call(telemetry.Observe(serve(d.Function, "create")), "rest-create", vector, text)
	var made httpapi.Created
	got.into(t, &made)
	logged := d.log.String()
	for _, want := range []string{`"operation":"create"`, `"code":"ok"`, `"token_id":"` + id + `"`, `"cold_start":true`, `"duration_ms":`, `"Created":1`, `"_aws":`} {
		if !strings.Contains(logged, want) {
			t.Errorf("the line lacks %s: %s", want, logged)
		}
	}
	if strings.Count(logged, "\n") != 1 {
		t.Errorf("got %s, want one line", logged)
	}
	for _, token := range []string{text, made.BearerToken.Reveal()} {
		_, hidden, _ := strings.Cut(token, ".")
		if len(hidden) != 32 || strings.Contains(logged, hidden) {
			t.Errorf("the secret is in %s", logged)
		}
	}
}

func TestAboutNeedsNoPeppersAndReportsWhetherTheTableAnswers(t *testing.T) {
	d := deploy(t, false)
	d.Keys = events.Keys{}
	about := serve(d.Function, "about")
	for _, path := range []string{"v1/version", "healthz", "openapi.yaml"} {
		if got := d.call(about, "rest-open", "v1/version", path); got.StatusCode != 200 {
			t.Errorf("%s: got %+v", path, got)
		}
	}
	if got := d.call(about, "http-catch-all"); got.StatusCode != 200 || !strings.Contains(got.Body, "version") {
		t.Errorf("got %+v", got)
	}
	d.Store = down{d.Store}
	if got := d.call(serve(d.Function, "about"), "rest-open", "v1/version", "healthz"); got.StatusCode != 503 {
		t.Errorf("without a table: got %+v, want 503", got)
	}
}

// down is a store that does not answer.
type down struct{ events.Store }

func (down) Head(context.Context, events.Stream) (events.Head, error) {
	return events.Head{}, errors.New("no answer")
}

// TestEveryFunctionHasAJobAndItsMain compares the folders of functions/ with the
// jobs. Each main must name its own function. With the name of another function it
// would run the other function's calls with its own role.
func TestEveryFunctionHasAJobAndItsMain(t *testing.T) {
	jobs := map[string]wiring.Job{}
	for _, job := range Jobs() {
		if _, twice := jobs[job.Function]; twice {
			t.Errorf("%s answers routes and is in wiring.Jobs too", job.Function)
		}
		jobs[job.Function] = job
	}
	mains, err := filepath.Glob(filepath.Join("..", "..", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range mains {
		function := filepath.Base(filepath.Dir(path))
		job, known := jobs[function]
		if !known {
			t.Errorf("functions/%s: no route of httpapi.Routes has this function, and it is not in wiring.Jobs", function)
		}
		delete(jobs, function)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if named := regexp.MustCompile(`\.Run(WithIdentities)?\("` + function + `"`).Match(b); !named && !job.Copies && !job.Pages { // they have no settings of wiring, so they run without them
			t.Errorf("functions/%s/main.go does not run %q:\n%s", function, function, b)
		}
	}
	for function := range jobs {
		t.Errorf("%s has a job, but there is no functions/%s/main.go", function, function)
	}
}

func TestFunctionWithRoutesThatDoNotFitDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		function string
		routes   []machine.Route
		reason   string
	}{
		{"mixed", []machine.Route{{Function: "mixed", Open: true}, {Function: "mixed"}}, `"mixed" has both open and guarded routes`},
		{"half", []machine.Route{{Function: "half", Direct: true}, {Function: "half"}}, `"half" has routes both with and without an authorizer`},
		{"refusing", []machine.Route{{Function: "refusing", Open: true, Refuses: true}, {Function: "refusing"}}, `"refusing" has routes both with and without an authorizer`},
		{"leaking", []machine.Route{{Function: "leaking", Open: true, Refuses: true}, {Function: "leaking", Open: true}, {Function: "leaking", Direct: true}}, `"leaking" has both open and guarded routes`},
		{"gte", faces.Routes(), `no route belongs to a function "gte"`},
	} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(p.(string), c.reason) {
					t.Errorf("%s: got panic %v, want one that says: %s", c.function, p, c.reason)
				}
			}()
			jobOf(c.function, c.routes)
		}()
	}
}

// TestJobIsTheSumOfItsRoutes: a function with one command among its routes may
// write, and all functions that verify or write have peppers.
func TestJobIsTheSumOfItsRoutes(t *testing.T) {
	for _, c := range []struct {
		routes []machine.Route
		want   wiring.Job
		need   wiring.Need
	}{
		{[]machine.Route{{Open: true}, {Open: true}}, wiring.Job{Open: true}, 0},
		{[]machine.Route{{}, {}}, wiring.Job{Guarded: true}, wiring.Peppers},
		{[]machine.Route{{}, {Command: true}, {Mints: true}}, wiring.Job{Guarded: true, Command: true, Mints: true}, wiring.Peppers},
		{[]machine.Route{{Replays: true}, {Mints: true}}, wiring.Job{Guarded: true, Mints: true, Replays: true}, wiring.Peppers},
		{[]machine.Route{{}, {Events: true}}, wiring.Job{Guarded: true, Events: true}, wiring.Peppers | wiring.Deployment},
		{[]machine.Route{{}, {Walks: true}}, wiring.Job{Guarded: true, Walks: true}, wiring.Peppers},
		{[]machine.Route{{Checks: true}, {}}, wiring.Job{Guarded: true, Checks: true}, wiring.Peppers},
		{[]machine.Route{{Direct: true, Checks: true}, {Direct: true, Checks: true, Command: true}}, wiring.Job{Guarded: true, Direct: true, Checks: true, Command: true}, wiring.Peppers},
		{[]machine.Route{{Open: true, Command: true}}, wiring.Job{Open: true, Command: true}, wiring.Peppers},
		{[]machine.Route{{Open: true, Refuses: true}, {Direct: true, Checks: true}}, wiring.Job{Guarded: true, Direct: true, Checks: true}, wiring.Peppers},
		{[]machine.Route{{Open: true, Refuses: true}, {Open: true}}, wiring.Job{Open: true}, 0},
		{[]machine.Route{{Open: true, Refuses: true}}, wiring.Job{Open: true}, 0},
		{[]machine.Route{{}, {Function: "other", Command: true, Mints: true, Replays: true, Checks: true, Events: true, Walks: true, Open: true}}, wiring.Job{Guarded: true}, wiring.Peppers},
	} {
		if got := jobOf("", c.routes); got != c.want || got.Need() != c.need {
			t.Errorf("%+v: got %+v with need %b, want %+v with need %b", c.routes, got, got.Need(), c.want, c.need)
		}
	}
}
