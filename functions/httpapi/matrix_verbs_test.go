package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// subject is what a verb is about.
type subject string

const (
	aToken  subject = "a token by its id"
	aUser   subject = "a user"
	itself  subject = "the acting token"
	nothing subject = "nothing in particular"
)

// verb is one row of the matrix: a call, and the rule that decides it. A route with
// several powers, such as PATCH, has a row for each. In path, query and body {id},
// {user}, {token} and {now} stand for the target's id, its user, its whole text and
// the time.
type verb struct {
	name        string
	route       string // METHOD PATH
	query, body string
	ifMatch     string
	about       subject
	rule        func(cell) verdict
	open        bool // no credential is needed
	noScope     bool // no scope is needed
	manages     bool // a success changes something
	lists       bool // the answer is a list of tokens
	wants       []string
}

const (
	collectionPath = "/v1/auth/access-tokens"
	itemPath       = collectionPath + "/{id}"
	selfPath       = collectionPath + "/self"
	userPath       = "/v1/users/{user}"
	narrower       = `"scopes":["GET /v1/things/7"],"source_ips":["10.1.2.0/24"]`
)

// verbs are all rows. wants are the permissions that a grant leaves to the user.
func verbs() []verb {
	return slices.Concat(tokenVerbs(), userVerbs(), otherVerbs())
}

func tokenVerbs() []verb {
	patch := "PATCH " + itemPath
	return []verb{
		{name: "show", route: "GET " + itemPath, about: aToken, rule: shows},
		{name: "show the revoked", route: "GET " + itemPath, query: "state=revoked", about: aToken, rule: showsRevoked},
		{name: "show the past", route: "GET " + itemPath, query: "at={now}", about: aToken, rule: showsPast},
		{name: "history", route: "GET " + itemPath + "/events", about: aToken, rule: showsPast},
		{name: "rename", route: patch, body: `{"name":"new"}`, about: aToken, rule: changes, manages: true},
		{name: "describe", route: patch, body: `{"description":"new"}`, about: aToken, rule: changes, manages: true},
		{name: "narrow", route: patch, body: `{` + narrower + `}`, about: aToken, rule: changes, manages: true},
		{name: "shorten", route: patch, body: `{"expires_in":"30m"}`, about: aToken, rule: changes, manages: true},
		{name: "widen", route: patch, body: `{"scopes":[],"source_ips":[],"expiration_time":null}`, about: aToken, rule: widens, manages: true},
		{name: "prolong", route: patch, body: `{"expires_in":"2Y"}`, about: aToken, rule: prolongs, manages: true},
		{name: "disable", route: patch, body: `{"enabled":false}`, about: aToken, rule: changes, manages: true},
		{name: "enable", route: patch, body: `{"enabled":true}`, about: aToken, rule: changes, manages: true},
		{name: "end the outgoing secret", route: patch, body: `{"previous_secret_until":""}`, about: aToken, rule: changes, manages: true},
		{name: "revoke", route: "DELETE " + itemPath, about: aToken, rule: revokes, manages: true},
		{name: "revoke with children", route: "DELETE " + itemPath, query: "with_children=true", about: aToken, rule: revokes, manages: true},
		{name: "rotate", route: "POST " + itemPath + "/rotate", about: aToken, rule: rotates, manages: true},
		{name: "rename an old version", route: patch, body: `{"name":"new"}`, ifMatch: `"999999"`, about: aToken, rule: changesOld},
		{name: "rotate an old version", route: "POST " + itemPath + "/rotate", ifMatch: `"999999"`, about: aToken, rule: rotatesOld},
		{name: "rename to blanks", route: patch, body: `{"name":" "}`, about: aToken, rule: changesWrongly},
		{name: "rotate with a wrong grace", route: "POST " + itemPath + "/rotate", body: `{"grace":"long"}`, about: aToken, rule: malformed},
		{name: "introspect", route: "POST /v1/auth/authorize", body: `{"token":"{token}"}`, about: aToken, rule: introspects},
		{name: "introspect as OAuth does", route: "POST " + oauthIntrospect, body: "token={token}", about: aToken, rule: introspects},
	}
}

func userVerbs() []verb {
	create, grant, suspension := "POST "+collectionPath, "PUT "+userPath+"/permissions", userPath+"/suspension"
	return []verb{
		{name: "create within", route: create, body: `{"user":{"name":"{user}"},` + narrower + `}`, about: aUser, rule: creates, manages: true},
		{name: "create wide", route: create, body: `{"user":{"name":"{user}"},"expires_in":"1Y"}`, about: aUser, rule: createsWide, manages: true},
		{name: "list", route: "GET " + collectionPath, query: "user={user}", about: aUser, rule: allowed, lists: true},
		{name: "list with filters", route: "GET " + collectionPath, query: "user={user}&state=active,disabled,revoked&creator=admin&expires_before=2099-01-01T00:00:00Z&unused_since=2099-01-01T00:00:00Z&never_expires=false", about: aUser, rule: allowed, lists: true},
		{name: "history of the user", route: "GET " + userPath + "/events", about: aUser, rule: readsHistory},
		{name: "read the permissions", route: "GET " + userPath + "/permissions", about: aUser, rule: readsAccount},
		{name: "read the limit", route: "GET " + userPath + "/limit", about: aUser, rule: readsAccount},
		{name: "read the suspension", route: "GET " + suspension, about: aUser, rule: readsAccount},
		{name: "take all", route: grant, body: `{"permissions":[]}`, about: aUser, rule: grants, manages: true},
		{name: "grant view", route: grant, body: `{"permissions":["view"]}`, about: aUser, rule: grants, manages: true, wants: []string{"view"}},
		{name: "grant create", route: grant, body: `{"permissions":["create"]}`, about: aUser, rule: grants, manages: true, wants: []string{"create"}},
		{name: "grant edit", route: grant, body: `{"permissions":["edit"]}`, about: aUser, rule: grants, manages: true, wants: []string{"edit"}},
		{name: "grant delete", route: grant, body: `{"permissions":["delete"]}`, about: aUser, rule: grants, manages: true, wants: []string{"delete"}},
		{name: "set the limit", route: "PUT " + userPath + "/limit", body: `{"token_limit":50}`, about: aUser, rule: governs, manages: true},
		{name: "suspend", route: "PUT " + suspension, body: `{"reason":"test"}`, about: aUser, rule: suspends, manages: true},
		{name: "reinstate", route: "DELETE " + suspension, about: aUser, rule: suspends, manages: true},
		{name: "offboard", route: "POST " + userPath + "/offboard", about: aUser, rule: offboards, manages: true},
	}
}

func otherVerbs() []verb {
	return []verb{
		{name: "list all", route: "GET " + collectionPath, about: nothing, rule: allowed, lists: true},
		{name: "all events", route: "GET /v1/events", about: nothing, rule: readsEvents},
		{name: "read the settings", route: "GET /v1/settings", about: nothing, rule: readsSettings},
		{name: "change the settings", route: "PATCH /v1/settings", body: `{"warning_days":[9]}`, about: nothing, rule: governs, manages: true},
		{name: "read the groups", route: "GET /v1/groups", about: nothing, rule: readsSettings},
		{name: "let a group give edit", route: "PUT /v1/groups", body: `{"alias":"corp","group":"g","permissions":["edit"]}`, about: nothing, rule: governs, manages: true},
		{name: "show self", route: "GET " + selfPath, about: itself, rule: allowed, noScope: true},
		{name: "show the past of self", route: "GET " + selfPath, query: "at={now}", about: itself, rule: allowed, noScope: true},
		{name: "history of self", route: "GET " + selfPath + "/events", about: itself, rule: allowed, noScope: true},
		{name: "who am I", route: "GET /v1/session/who-am-i", about: itself, rule: allowed, noScope: true},
		{name: "list the roles", route: "GET /v1/session/roles", about: nothing, rule: allowed},
		{name: "revoke self", route: "DELETE " + selfPath, about: itself, rule: managesSelf, noScope: true, manages: true},
		{name: "revoke self with children", route: "DELETE " + selfPath, query: "with_children=true", about: itself, rule: managesSelf, noScope: true, manages: true},
		{name: "rotate self", route: "POST " + selfPath + "/rotate", about: itself, rule: managesSelf, manages: true},
		{name: "log in", route: "POST /v1/session/login", about: nothing, rule: noPasswords, open: true},
		{name: "revoke a text as OAuth does", route: "POST " + oauthRevoke, body: "token=nonsense", about: nothing, open: true},
		{name: "metadata", route: "GET " + machine.MetadataPath, about: nothing, open: true},
		{name: "issuers", route: "GET " + issuersPath, about: nothing, open: true},
		{name: "version", route: "GET /v1/version", about: nothing, open: true},
		{name: "health", route: "GET /healthz", about: nothing, open: true},
		{name: "document", route: "GET /openapi.yaml", about: nothing, open: true},
	}
}

// TestEveryRouteIsInThePrivilegeMatrix compares the rows with the routes.
func TestEveryRouteIsInThePrivilegeMatrix(t *testing.T) {
	var routes, rows []string
	for _, r := range httpapi.Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	for _, v := range verbs() {
		rows = append(rows, v.route)
		if !slices.Contains(routes, v.route) {
			t.Errorf("the row %q is about %s, which is no route", v.name, v.route)
		}
	}
	for _, route := range routes {
		signsIn := route == "POST "+exchangePath || isForBrowsers(strings.TrimPrefix(route, "GET ")) // no permission decides there: see signin_test.go
		if !slices.Contains(rows, route) && !signsIn {
			t.Errorf("the privilege matrix has no row for %s: say who may call it", route)
		}
	}
}

// path is the path of the verb's route for a target.
func (v verb) path(t target) string {
	_, pattern, _ := strings.Cut(v.route, " ")
	return strings.NewReplacer("{id}", t.id, "{user}", t.user).Replace(pattern)
}

func (v verb) method() string {
	method, _, _ := strings.Cut(v.route, " ")
	return method
}
