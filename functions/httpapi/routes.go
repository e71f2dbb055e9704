package httpapi

import (
	"net/http"
	"strings"

	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/signin"
)

const (
	healthPath     = "/healthz"
	documentPath   = "/openapi.yaml"
	collectionPath = "/v1/auth/access-tokens"
	itemPattern    = collectionPath + "/{id}"
	selfPath       = collectionPath + "/self" // "self" is no token id: ids have 8 characters
	settingsPath   = "/v1/settings"
	eventsPath     = "/v1/events"
	groupsPath     = "/v1/groups"
	loginPath      = "/v1/session/login"
	userPattern    = "/v1/users/{user}"
)

// Face is the service's own HTTP interface. It answers all paths that belong to no
// other face.
func Face() machine.Face {
	return machine.Face{
		Calls: calls(), Form: form,
		UnknownPath: " GET /openapi.yaml lists all paths.",
		TokenInPath: ": DELETE " + collectionPath + "/ID with its id, the 8 characters before the dot.",
	}
}

// Routes returns the routes of this face.
func Routes() []machine.Route { return machine.Routes(Face()) }

// exchange is one request. Each route has one method.
type exchange struct{ *machine.Exchange }

// tokenID returns the id of the token that the call is about: the id in the path,
// or the id of the acting token for a call about self.
func (x exchange) tokenID() string {
	if strings.HasPrefix(x.Route.Path, selfPath) {
		return x.Principal.TokenID
	}
	return x.Request.PathValue("id")
}

// call is a route with the method that serves it, and the parameters that its query
// may have.
func call(r machine.Route, method func(exchange) (machine.Answer, error), parameters ...string) machine.Call {
	return machine.Call{
		Route: r, Parameters: parameters, Lists: lists,
		Serve: func(x *machine.Exchange) (machine.Answer, error) { return method(exchange{x}) },
	}
}

// lists are the parameters whose values are lists.
var lists = []string{"state"}

// calls returns all routes with their methods. A call with GET also serves HEAD.
func calls() []machine.Call { return append(ownCalls(), signin.Calls()...) }

func ownCalls() []machine.Call {
	listing, paging := []string{"kind", "user", "state", "creator", "expires_before", "unused_since", "never_expires", "after", "limit"}, []string{"after", "limit"}
	children, userHistory := []string{"with_children"}, append([]string{"kind"}, paging...)
	return []machine.Call{
		call(machine.Route{Function: "create", Method: http.MethodPost, Path: collectionPath, Command: true, Mints: true, Replays: true}, exchange.create),
		call(machine.Route{Function: "list", Method: http.MethodGet, Path: collectionPath}, exchange.list, listing...),
		call(machine.Route{Function: "get", Method: http.MethodGet, Path: itemPattern}, exchange.get, "state", "at"),
		call(machine.Route{Function: "update", Method: http.MethodPatch, Path: itemPattern, Command: true}, exchange.update),
		call(machine.Route{Function: "revoke", Method: http.MethodDelete, Path: itemPattern, Command: true}, exchange.revoke, children...),
		call(machine.Route{Function: "rotate", Method: http.MethodPost, Path: itemPattern + "/rotate", Command: true, Mints: true, Replays: true}, exchange.rotate),
		call(machine.Route{Function: "history", Method: http.MethodGet, Path: itemPattern + "/events", Events: true}, exchange.tokenEvents, paging...),
		call(machine.Route{Function: "history", Method: http.MethodGet, Path: userPattern + "/events", Events: true}, exchange.userEvents, userHistory...),
		call(machine.Route{Function: "history", Method: http.MethodGet, Path: eventsPath, Events: true, Walks: true}, exchange.allEvents, paging...),
		call(machine.Route{Function: "settings", Method: http.MethodGet, Path: settingsPath}, exchange.settings),
		call(machine.Route{Function: "settings", Method: http.MethodPatch, Path: settingsPath, Command: true}, exchange.changeSettings),
		call(machine.Route{Function: "settings", Method: http.MethodGet, Path: groupsPath}, exchange.groups),
		call(machine.Route{Function: "settings", Method: http.MethodPut, Path: groupsPath, Command: true}, exchange.setGroup),
		call(machine.Route{Function: "settings", Method: http.MethodGet, Path: userPattern + "/permissions"}, exchange.permissions),
		call(machine.Route{Function: "settings", Method: http.MethodPut, Path: userPattern + "/permissions", Command: true}, exchange.setPermissions),
		call(machine.Route{Function: "settings", Method: http.MethodGet, Path: userPattern + "/limit"}, exchange.limit),
		call(machine.Route{Function: "settings", Method: http.MethodPut, Path: userPattern + "/limit", Command: true}, exchange.setLimit),
		call(machine.Route{Function: "suspend", Method: http.MethodGet, Path: userPattern + "/suspension"}, exchange.suspension),
		call(machine.Route{Function: "suspend", Method: http.MethodPut, Path: userPattern + "/suspension", Command: true}, exchange.suspend),
		call(machine.Route{Function: "suspend", Method: http.MethodDelete, Path: userPattern + "/suspension", Command: true}, exchange.reinstate),
		call(machine.Route{Function: "suspend", Method: http.MethodPost, Path: userPattern + "/offboard", Command: true}, exchange.offboard),
		call(machine.Route{Function: "introspect", Method: http.MethodPost, Path: "/v1/auth/authorize", Checks: true}, exchange.introspect),
		call(machine.Route{Function: "introspect", Method: http.MethodGet, Path: "/v1/session/roles"}, exchange.roles),
		call(machine.Route{Function: "self", Method: http.MethodGet, Path: selfPath, Direct: true, Unscoped: true, Checks: true}, exchange.get, "at"),
		call(machine.Route{Function: "self", Method: http.MethodDelete, Path: selfPath, Direct: true, Unscoped: true, Checks: true, Command: true}, exchange.revoke, children...),
		call(machine.Route{Function: "self", Method: http.MethodPost, Path: selfPath + "/rotate", Direct: true, Checks: true, Command: true, Mints: true, Replays: true}, exchange.rotate),
		call(machine.Route{Function: "self", Method: http.MethodGet, Path: selfPath + "/events", Direct: true, Unscoped: true, Checks: true, Events: true}, exchange.tokenEvents, paging...),
		call(machine.Route{Function: "self", Method: http.MethodGet, Path: "/v1/session/who-am-i", Direct: true, Unscoped: true, Checks: true}, exchange.whoAmI),
		oauthCall(machine.Route{Operation: "introspect", Path: oauthIntrospectPath, Checks: true, Named: true, Posted: true}, exchange.describe),
		oauthCall(machine.Route{Operation: "revoke", Path: oauthRevokePath, Shown: true, Command: true}, exchange.revokeShown),
		exchangeCall(),
		call(machine.Route{Function: "login", Operation: "issuers", Method: http.MethodGet, Path: issuersPath, Open: true}, exchange.issuers),
		call(machine.Route{Function: "about", Method: http.MethodGet, Path: machine.MetadataPath, Open: true}, exchange.resourceMetadata),
		call(machine.Route{Function: "about", Method: http.MethodPost, Path: loginPath, Open: true, Refuses: true}, exchange.login),
		call(machine.Route{Function: "about", Method: http.MethodGet, Path: "/v1/version", Open: true}, exchange.version),
		call(machine.Route{Function: "about", Method: http.MethodGet, Path: healthPath, Open: true, Quiet: true}, exchange.health),
		call(machine.Route{Function: "about", Method: http.MethodGet, Path: documentPath, Open: true}, exchange.openAPI),
	}
}
