package httpapi

import (
	"fmt"
	"net/http"
	"slices"
)

const (
	collectionPath = "/v1/auth/access-tokens"
	itemPattern    = collectionPath + "/{id}"
)

// Route is one call: which function answers it, and where. Path is a pattern
// as net/http.ServeMux has it; every path also answers with a slash at its
// end, without a redirect. An Open route asks for no credential.
type Route struct {
	Function string
	Method   string
	Path     string
	Open     bool
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
	listing, paging := []string{"user", "state", "after", "limit"}, []string{"after", "limit"}
	return []call{
		{Route{"create", http.MethodPost, collectionPath, false}, (*exchange).create, nil},
		{Route{"list", http.MethodGet, collectionPath, false}, (*exchange).list, listing},
		{Route{"get", http.MethodGet, itemPattern, false}, (*exchange).get, nil},
		{Route{"revoke", http.MethodDelete, itemPattern, false}, (*exchange).revoke, nil},
		{Route{"history", http.MethodGet, itemPattern + "/events", false}, (*exchange).tokenEvents, paging},
		{Route{"history", http.MethodGet, "/v1/users/{user}/events", false}, (*exchange).userEvents, paging},
		{Route{"introspect", http.MethodPost, "/v1/auth/authorize", false}, (*exchange).introspect, nil},
		{Route{"introspect", http.MethodGet, "/v1/session/who-am-i", false}, (*exchange).whoAmI, nil},
		{Route{"about", http.MethodGet, "/v1/version", true}, (*exchange).version, nil},
		{Route{"about", http.MethodGet, "/healthz", true}, (*exchange).health, nil},
		{Route{"about", http.MethodGet, "/openapi.yaml", true}, (*exchange).openAPI, nil},
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
// is empty. It panics if a name belongs to no call, since that is an error in the
// program.
func callsOf(only []string) []call {
	all := calls()
	for _, name := range only {
		if !slices.ContainsFunc(all, func(c call) bool { return c.Function == name }) {
			panic(fmt.Sprintf("httpapi: no call belongs to a function %q", name))
		}
	}
	return slices.DeleteFunc(all, func(c call) bool { return len(only) > 0 && !slices.Contains(only, c.Function) })
}
