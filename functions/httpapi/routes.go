package httpapi

import (
	"fmt"
	"net/http"
	"slices"
)

const (
	healthPath     = "/healthz"
	collectionPath = "/v1/auth/access-tokens"
	itemPattern    = collectionPath + "/{id}"
	selfPath       = collectionPath + "/self" // "self" is no token id: ids have 8 characters
	settingsPath   = "/v1/settings"
	loginPath      = "/v1/session/login"
	userPattern    = "/v1/users/{user}"
)

// Route is one operation: which function answers it, where, and what it does.
// The settings and the IAM rights of a function are computed from its routes
// (functions/wiring/api). Path is a pattern of net/http.ServeMux; every path
// also answers with a slash at its end, without a redirect.
type Route struct {
	Function string
	Method   string
	Path     string

	Open    bool // it needs no credential
	Self    bool // it is about the token that the caller shows: it needs no scope unless Scoped, and checks that token itself
	Scoped  bool // only with Self: it needs a scope all the same
	Command bool // it writes the log
	Mints   bool // its answer contains a new secret
	Checks  bool // it checks a token itself, and stores the last use of that token; every route with Self does
	Refuses bool // it answers every request with a refusal: clients of other products make this call
	Events  bool // its answer contains events, in the form in which they are published
}

// call is a route with the method that serves it. That method reads principal and
// query from the exchange; an open route has neither.
type call struct {
	Route
	serve      func(*exchange) (answer, error)
	parameters []string // parameters that the query may have
}

// calls returns all routes with their methods. A call with GET also serves HEAD.
func calls() []call {
	listing, paging := []string{"user", "state", "creator", "expires_before", "unused_since", "never_expires", "after", "limit"}, []string{"after", "limit"}
	children := []string{"with_children"}
	return []call{
		{Route{Function: "create", Method: http.MethodPost, Path: collectionPath, Command: true, Mints: true}, (*exchange).create, nil},
		{Route{Function: "list", Method: http.MethodGet, Path: collectionPath}, (*exchange).list, listing},
		{Route{Function: "get", Method: http.MethodGet, Path: itemPattern}, (*exchange).get, []string{"state", "at"}},
		{Route{Function: "update", Method: http.MethodPatch, Path: itemPattern, Command: true}, (*exchange).update, nil},
		{Route{Function: "revoke", Method: http.MethodDelete, Path: itemPattern, Command: true}, (*exchange).revoke, children},
		{Route{Function: "rotate", Method: http.MethodPost, Path: itemPattern + "/rotate", Command: true, Mints: true}, (*exchange).rotate, nil},
		{Route{Function: "history", Method: http.MethodGet, Path: itemPattern + "/events", Events: true}, (*exchange).tokenEvents, paging},
		{Route{Function: "history", Method: http.MethodGet, Path: "/v1/users/{user}/events", Events: true}, (*exchange).userEvents, paging},
		{Route{Function: "settings", Method: http.MethodGet, Path: settingsPath}, (*exchange).settings, nil},
		{Route{Function: "settings", Method: http.MethodPatch, Path: settingsPath, Command: true}, (*exchange).changeSettings, nil},
		{Route{Function: "settings", Method: http.MethodGet, Path: userPattern + "/permissions"}, (*exchange).permissions, nil},
		{Route{Function: "settings", Method: http.MethodPut, Path: userPattern + "/permissions", Command: true}, (*exchange).setPermissions, nil},
		{Route{Function: "settings", Method: http.MethodGet, Path: userPattern + "/limit"}, (*exchange).limit, nil},
		{Route{Function: "settings", Method: http.MethodPut, Path: userPattern + "/limit", Command: true}, (*exchange).setLimit, nil},
		{Route{Function: "suspend", Method: http.MethodGet, Path: userPattern + "/suspension"}, (*exchange).suspension, nil},
		{Route{Function: "suspend", Method: http.MethodPut, Path: userPattern + "/suspension", Command: true}, (*exchange).suspend, nil},
		{Route{Function: "suspend", Method: http.MethodDelete, Path: userPattern + "/suspension", Command: true}, (*exchange).reinstate, nil},
		{Route{Function: "suspend", Method: http.MethodPost, Path: userPattern + "/offboard", Command: true}, (*exchange).offboard, nil},
		{Route{Function: "introspect", Method: http.MethodPost, Path: "/v1/auth/authorize", Checks: true}, (*exchange).introspect, nil},
		{Route{Function: "introspect", Method: http.MethodGet, Path: "/v1/session/roles"}, (*exchange).roles, nil},
		{Route{Function: "self", Method: http.MethodGet, Path: selfPath, Self: true, Checks: true}, (*exchange).get, []string{"at"}},
		{Route{Function: "self", Method: http.MethodDelete, Path: selfPath, Self: true, Checks: true, Command: true}, (*exchange).revoke, children},
		{Route{Function: "self", Method: http.MethodPost, Path: selfPath + "/rotate", Self: true, Scoped: true, Checks: true, Command: true, Mints: true}, (*exchange).rotate, nil},
		{Route{Function: "self", Method: http.MethodGet, Path: selfPath + "/events", Self: true, Checks: true, Events: true}, (*exchange).tokenEvents, paging},
		{Route{Function: "self", Method: http.MethodGet, Path: "/v1/session/who-am-i", Self: true, Checks: true}, (*exchange).whoAmI, nil},
		{Route{Function: "about", Method: http.MethodPost, Path: loginPath, Open: true, Refuses: true}, (*exchange).login, nil},
		{Route{Function: "about", Method: http.MethodGet, Path: "/v1/version", Open: true}, (*exchange).version, nil},
		{Route{Function: "about", Method: http.MethodGet, Path: healthPath, Open: true}, (*exchange).health, nil},
		{Route{Function: "about", Method: http.MethodGet, Path: "/openapi.yaml", Open: true}, (*exchange).openAPI, nil},
	}
}

// Routes returns all routes of the service.
func Routes() []Route {
	var routes []Route
	for _, c := range calls() {
		routes = append(routes, c.Route)
	}
	return routes
}

// callsOf returns the calls of the functions named in only, or all calls if only
// is empty. It panics if a name belongs to no call, because this is an error in
// the program.
func callsOf(only []string) []call {
	all := calls()
	for _, name := range only {
		if !slices.ContainsFunc(all, func(c call) bool { return c.Function == name }) {
			panic(fmt.Sprintf("httpapi: no call belongs to the function %q", name))
		}
	}
	return slices.DeleteFunc(all, func(c call) bool { return len(only) > 0 && !slices.Contains(only, c.Function) })
}
