package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
)

// members decodes an entry as plain JSON values.
func members(t *testing.T, a answer) map[string]any {
	t.Helper()
	return decodeAs[map[string]any](t, a)
}

// fromCreation is an expiry 60 days after the creation of the token.
const fromCreation = "60 days after the creation"

// TestUpdateChangesTheMembersThatItHas: the table has each member with a value,
// empty, null and absent. All other members stay as they are.
func TestUpdateChangesTheMembersThatItHas(t *testing.T) {
	w := newScene(t)
	in := httpapi.CreateRequest{User: named("ann"), Name: "ci", Description: "d", ExpiresIn: "30D", Scopes: []string{"GET /v1/*"}, SourceIPs: []string{"192.0.2.0/24"}}
	for _, c := range []struct {
		body   string
		member string // the only one that changes; "": none
		want   any
	}{
		{`{"name":"new <&>"}`, "name", "new <&>"},
		{`{"name":""}`, "name", "ann_api_token"},
		{`{"name":null}`, "", nil},
		{`{"description":"new"}`, "description", "new"},
		{`{"description":""}`, "description", ""},
		{`{"description":null}`, "", nil},
		{`{"expiration_time":"2027-01-01T01:00:00.5+01:00"}`, "expiration_time", "2027-01-01T00:00:00.500000Z"},
		{`{"expiration_time":""}`, "expiration_time", ""},
		{`{"expiration_time":null}`, "expiration_time", ""},
		{`{"expiration_time":null,"expires_in":null}`, "expiration_time", ""},
		{`{"expiration_time":"","expires_in":""}`, "expiration_time", ""},
		{`{"expires_in":"60D"}`, "expiration_time", fromCreation},
		{`{"expires_in":""}`, "", nil},
		{`{"expires_in":null}`, "", nil},
		{`{"scopes":["POST /x","GET /y"]}`, "scopes", []any{"POST /x", "GET /y"}},
		{`{"scopes":[]}`, "scopes", []any{}},
		{`{"scopes":null}`, "", nil},
		{`{"source_ips":["10.0.0.1","::1/64"]}`, "source_ips", []any{"10.0.0.1/32", "::/64"}},
		{`{"source_ips":[]}`, "source_ips", []any{}},
		{`{"source_ips":null}`, "", nil},
		{`{"enabled":true}`, "", nil},
		{`{"enabled":null}`, "", nil},
		{`{"previous_secret_until":""}`, "", nil},
		{`{"previous_secret_until":null}`, "", nil},
		{`{"name":"ci","description":"d","scopes":["GET /v1/*"],"source_ips":["192.0.2.7/24"],"expires_in":"720h","enabled":true}`, "", nil},
		{`{}`, "", nil},
		{``, "", nil},
	} {
		made, _ := w.make(in)
		w.sleep(time.Hour)
		before := members(t, w.do("GET", collection+made.ID, w.admin, ""))
		changed := w.do("PATCH", collection+made.ID, w.admin, c.body).expect(t, http.StatusOK, "")
		shown := w.do("GET", collection+made.ID, w.admin, "")
		if string(changed.body) != string(shown.body) || changed.header.Get("ETag") != shown.header.Get("ETag") {
			t.Errorf("%s: the answer is %s %s, and GET is %s %s", c.body, changed.header.Get("ETag"), changed.body, shown.header.Get("ETag"), shown.body)
		}
		want := before
		if c.member != "" {
			want[c.member] = c.want
		}
		if c.want == fromCreation {
			want[c.member] = made.CreationTime.Add(60 * 24 * time.Hour).Format("2006-01-02T15:04:05.000000Z")
		}
		if got := members(t, shown); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", c.body, got, want)
		}
		w.do("DELETE", collection+made.ID, w.admin, "")
	}
}

// TestAnUpdateThatChangesNothingWritesNothing, and its answer has the ETag that the
// token had.
func TestAnUpdateThatChangesNothingWritesNothing(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann"), Name: "ci"})
	used := &apitest.Usage{Store: w.store}
	h := w.afterAuthorizer(used)
	for _, c := range []struct {
		body, etag string
		commits    int
	}{
		{`{}`, `"1"`, 0}, {`{"name":"ci"}`, `"1"`, 0}, {`{"enabled":true,"expiration_time":null}`, `"1"`, 0},
		{`{"name":"other","enabled":false}`, `"3"`, 1}, {`{"name":"other","enabled":false}`, `"3"`, 1},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", collection+made.ID, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		got := handle(h, asPrincipal(r, guard.Principal{Owner: "ann"})).expect(t, http.StatusOK, "")
		if etag := got.header.Get("ETag"); etag != c.etag || used.Commits != c.commits {
			t.Errorf("%s: got the ETag %s after %d commits, want %s after %d", c.body, etag, used.Commits, c.etag, c.commits)
		}
	}
}

// TestDisablingWorksOnTheNextCallAndIsReversible, also while the change rate is
// used up and if the token disables itself.
func TestDisablingWorksOnTheNextCallAndIsReversible(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	for _, by := range []string{w.admin, text} {
		w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
		e := decodeAs[httpapi.Entry](t, w.do("PATCH", collection+made.ID, by, `{"enabled":false}`).expect(t, http.StatusOK, ""))
		if e.Enabled || e.State != "disabled" {
			t.Errorf("got %+v, want a disabled token", e)
		}
		w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_disabled")
		w.do("PATCH", collection+made.ID, text, `{"enabled":true}`).expect(t, http.StatusUnauthorized, "token_disabled")
		e = decodeAs[httpapi.Entry](t, w.do("PATCH", collection+made.ID, w.admin, `{"enabled":true}`).expect(t, http.StatusOK, ""))
		if !e.Enabled || e.State != "active" {
			t.Errorf("got %+v, want an active token", e)
		}
	}
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
}

// rotated makes a token of ann, rotates it, and returns its id and its two secrets.
func (w *scene) rotated() (id, outgoing, current string) {
	w.t.Helper()
	w.sleep(time.Second) // so that the token is the last one in lists
	made, outgoing := w.make(httpapi.CreateRequest{User: named("ann")})
	_, renewed, err := w.issuer.Rotate(w.t.Context(), guard.Principal{Owner: "ann"}, made.ID, nil, new(time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID, outgoing, renewed.Reveal()
}

// TestEntriesHaveTheEndOfThePreviousSecret, in every answer with an entry, as long
// as that secret passes.
func TestEntriesHaveTheEndOfThePreviousSecret(t *testing.T) {
	w := newScene(t)
	id, outgoing, current := w.rotated()
	until := w.clock().Add(time.Hour)
	entries := func() []httpapi.Entry {
		list := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, ""))
		index := decodeAs[httpapi.List](t, w.do("GET", collection, w.admin, ""))
		return []httpapi.Entry{
			list.Entries[0], index.Entries[len(index.Entries)-1],
			decodeAs[httpapi.Entry](t, w.do("GET", collection+id, w.admin, "")),
			decodeAs[httpapi.Entry](t, w.do("GET", collection+"self", current, "")),
			decodeAs[httpapi.Entry](t, w.do("PATCH", collection+id, w.admin, `{}`)),
		}
	}
	check := func(what string, want time.Time) {
		t.Helper()
		for n, e := range entries() {
			if e.ID != id || e.Kind != "token" || !e.PreviousSecretUntil.Equal(want) {
				t.Errorf("%s, answer %d: got %+v, want previous_secret_until %s", what, n, e, want)
			}
		}
	}
	check("after a rotation", until)
	w.do("GET", "/v1/session/who-am-i", outgoing, "").expect(t, http.StatusOK, "")
	w.do("PATCH", collection+id, w.admin, `{"enabled":false}`)
	w.do("PATCH", collection+id, w.admin, `{"enabled":true}`)
	check("after it was disabled", until)
	w.sleep(time.Hour)
	check("after the grace", time.Time{})

	id, outgoing, current = w.rotated()
	w.do("DELETE", collection+decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, "")).Entries[0].ID, w.admin, "")
	w.do("PATCH", collection+id, w.admin, `{"previous_secret_until":""}`).expect(t, http.StatusOK, "")
	check("after its end", time.Time{})
	w.do("GET", "/v1/session/who-am-i", outgoing, "").expect(t, http.StatusUnauthorized, "token_replaced")
	w.do("GET", "/v1/session/who-am-i", current, "").expect(t, http.StatusOK, "")
}

// TestAnOutgoingSecretChangesNothing: a leaked secret must not manage tokens after
// the rotation.
func TestAnOutgoingSecretChangesNothing(t *testing.T) {
	w := newScene(t)
	id, outgoing, current := w.rotated()
	for _, call := range []struct{ method, path string }{
		{"PATCH", collection + id}, {"DELETE", collection + id}, {"DELETE", collection + id + "?with_children=true"},
		{"DELETE", collection + "self"}, {"DELETE", collection + "self?with_children=true"},
	} {
		w.do(call.method, call.path, outgoing, "").expect(t, http.StatusForbidden, "permission_denied_by_credential")
	}
	w.do("GET", "/v1/session/who-am-i", current, "").expect(t, http.StatusOK, "")
}

func TestRevokeWithChildrenEndsTheTokensOfTheSameUser(t *testing.T) {
	for name, path := range map[string]func(id string) string{
		"by id": func(id string) string { return collection + id },
		"self":  func(string) string { return collection + "self" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t)
			first, text := w.make(httpapi.CreateRequest{User: named("ann")})
			other, _ := w.make(httpapi.CreateRequest{User: named("ann")})
			child := decodeAs[httpapi.Created](t, w.do("POST", collection, text, `{}`))
			w.do("POST", collection, child.BearerToken.Reveal(), `{}`).expect(t, http.StatusOK, "")
			for _, value := range []string{"1", "True", "yes", ""} {
				w.do("DELETE", path(first.ID)+"?with_children="+value, text, "").expect(t, http.StatusBadRequest, "invalid_parameter")
			}
			w.changeWith("DELETE", path(first.ID)+"?with_children=true", text, "", `"7"`).expect(t, http.StatusPreconditionFailed, "version_conflict")
			w.changeWith("DELETE", path(first.ID)+"?with_children=true", text, "", `"1"`).expect(t, http.StatusOK, "")
			page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, ""))
			if len(page.Entries) != 1 || page.Entries[0].ID != other.ID {
				t.Errorf("got %+v, want only the token that was not made with the first", page.Entries)
			}
		})
	}
	w := newScene(t)
	first, text := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("POST", collection, text, `{}`).expect(t, http.StatusOK, "")
	w.do("DELETE", collection+first.ID+"?with_children=false", text, "").expect(t, http.StatusOK, "")
	if page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, "")); len(page.Entries) != 1 {
		t.Errorf("with_children=false: got %d live tokens, want the child", len(page.Entries))
	}
}

func TestIfMatchGuardsEveryChange(t *testing.T) {
	w := newScene(t)
	var id, text string
	renew := func() {
		made, shown := w.make(httpapi.CreateRequest{User: named("ann")})
		id, text = made.ID, shown
		w.do("PATCH", collection+id, w.admin, `{"description":"changed"}`).expect(t, http.StatusOK, "")
	}
	renew()
	etag := func() string { return w.do("GET", collection+id, w.admin, "").header.Get("ETag") }
	current := etag()
	for _, call := range []struct{ method, path, body string }{
		{"PATCH", "ID", `{"name":"changed"}`}, {"PATCH", "ID", `{}`}, {"DELETE", "ID", ""}, {"DELETE", "ID?with_children=true", ""}, {"DELETE", "self", ""},
	} {
		send := func(tags ...string) answer {
			return w.changeWith(call.method, collection+strings.Replace(call.path, "ID", id, 1), text, call.body, tags...)
		}
		for _, tags := range [][]string{{`"1"`}, {"W/" + current}, {""}, {`"x"`}, {`"1", "999"`}, {`"1"`, `W/"2"`}} {
			send(tags...).expect(t, http.StatusPreconditionFailed, "version_conflict")
		}
		for _, tags := range [][]string{{"1"}, {"*", current}, {`"1`}} {
			p := send(tags...).expect(t, http.StatusBadRequest, "invalid_header").problem(t)
			if len(p.Errors) != 1 || p.Errors[0].Field != "If-Match" {
				t.Errorf("If-Match %q: got the errors %+v", tags, p.Errors)
			}
		}
		if got := etag(); got != current {
			t.Fatalf("%s %s: refused changes moved the ETag from %s to %s", call.method, call.path, current, got)
		}
		for n, tags := range [][]string{{"TAG"}, {"*"}, {`"1", TAG`}, {`"1"`, "TAG"}} {
			for i := range tags {
				tags[i] = strings.Replace(tags[i], "TAG", current, 1)
			}
			send(tags...).expect(t, http.StatusOK, "")
			if call.method == http.MethodDelete {
				renew()
			} else {
				w.do("PATCH", collection+id, w.admin, fmt.Sprintf(`{"description":"number %d"}`, n)) // it gives the token another tag
			}
			current = etag()
		}
	}
	w.changeWith("PATCH", collection+"zzzzzzzz", w.admin, `{}`, "*").expect(t, http.StatusNotFound, "not_found")
}

// TestClientChangesTokens: a zero member of a request changes nothing, and a list
// that is set and nil is not read as absent.
func TestClientChangesTokens(t *testing.T) {
	w := newScene(t)
	ctx, c := t.Context(), w.client(w.admin)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), Name: "ci", ExpiresIn: "1D", Scopes: []string{"GET /a"}, SourceIPs: []string{"10.0.0.0/8"}})
	before, err := c.Get(ctx, made.ID)
	if err != nil || before.ETag != `"1"` {
		t.Fatalf("got %+v, %v", before, err)
	}
	if same, err := c.Update(ctx, made.ID, httpapi.UpdateRequest{IfMatch: before.ETag}); err != nil || !reflect.DeepEqual(same, before) {
		t.Errorf("got %+v, %v, want %+v", same, err, before)
	}
	after, err := c.Update(ctx, made.ID, httpapi.UpdateRequest{
		Name: new("n"), Description: new("d"), Enabled: new(false), ExpirationTime: &httpapi.Time{}, Scopes: new([]string(nil)), SourceIPs: new([]string(nil)), EndPreviousSecret: true,
	})
	if err != nil || after.Name != "n" || after.Description != "d" || after.Enabled || !after.ExpirationTime.IsZero() || len(after.Scopes)+len(after.SourceIPs) > 0 || after.ETag != `"3"` {
		t.Errorf("got %+v, %v", after, err)
	}
	b, err := json.Marshal(httpapi.UpdateRequest{IfMatch: "*", EndPreviousSecret: true, ExpiresIn: "2D"})
	if want := `{"expires_in":"2D","previous_secret_until":""}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
	for _, err := range []error{
		c.RevokeWith(ctx, made.ID, httpapi.RevokeOptions{IfMatch: before.ETag}),
		w.client(w.admin).RevokeSelfWith(ctx, httpapi.RevokeOptions{IfMatch: `"9"`, WithChildren: true}),
	} {
		if p, ok := err.(*httpapi.Problem); !ok || p.Code != "version_conflict" {
			t.Errorf("got %v, want version_conflict", err)
		}
	}
	if err := c.RevokeWith(ctx, made.ID, httpapi.RevokeOptions{IfMatch: after.ETag, WithChildren: true}); err != nil {
		t.Error(err)
	}
	if _, err := httpapi.NewClient(w.server.URL, secret.New(text), nil).Update(ctx, made.ID, httpapi.UpdateRequest{}); err == nil {
		t.Error("a revoked token changes itself")
	}
}
