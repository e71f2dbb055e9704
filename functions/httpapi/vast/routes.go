package vast

import (
	_ "embed"
	"net/http"
	"regexp"

	"apitoken/functions/httpapi/machine"
)

const (
	under          = "/api/"
	collectionPath = under + "apitokens"
	itemPattern    = collectionPath + "/{id}"
	vmsPattern     = under + "vms/{vms}"
	documentPath   = under + "openapi.yaml"
)

// OpenAPI is the document that describes this face: OpenAPI 3.1 in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Face is VAST's HTTP interface.
func Face() machine.Face {
	return machine.Face{
		Under: under, Calls: calls(), Canonical: withoutVersion, Form: form,
		UnknownPath: " GET " + documentPath + " lists all paths of VAST's form, and GET /openapi.yaml all others.",
		TokenInPath: ": PATCH " + collectionPath + "/ID/revoke/ with its id, the 8 characters before the dot.",
	}
}

// version is the part of a path that clients put after /api: "latest", or "v" and a
// number.
var version = regexp.MustCompile(`^/api/(?:latest|v[0-9]+)/`)

// withoutVersion returns the path without its version. All versions have the same
// routes.
func withoutVersion(path string) string {
	if v := version.FindString(path); v != "" {
		return under + path[len(v):]
	}
	return path
}

// exchange is one request. Each route has one method.
type exchange struct{ *machine.Exchange }

// call is a route of the function vast. No authorizer of a gateway runs before the
// function, because the answers of an authorizer have the gateway's form.
func call(r machine.Route, method func(exchange) (machine.Answer, error), parameters ...string) machine.Call {
	r.Function = "vast"
	if !r.Open {
		r.Direct, r.Checks = true, true
	}
	return machine.Call{
		Route: r, Parameters: parameters,
		Serve: func(x *machine.Exchange) (machine.Answer, error) { return method(exchange{x}) },
	}
}

func calls() []machine.Call {
	return []machine.Call{
		call(machine.Route{Operation: "create", Method: http.MethodPost, Path: collectionPath, Command: true, Mints: true}, exchange.create),
		call(machine.Route{Operation: "list", Method: http.MethodGet, Path: collectionPath}, exchange.list, "archived", "owner", "name", "page", "page_size"),
		call(machine.Route{Operation: "get", Method: http.MethodGet, Path: itemPattern}, exchange.show),
		call(machine.Route{Operation: "update", Method: http.MethodPatch, Path: itemPattern, Command: true}, exchange.modify),
		call(machine.Route{Operation: "revoke", Method: http.MethodPatch, Path: itemPattern + "/revoke", Command: true}, exchange.revoke),
		call(machine.Route{Operation: "settings", Method: http.MethodPatch, Path: vmsPattern + "/set_max_api_tokens_per_user", Command: true}, exchange.setMaximum),
		call(machine.Route{Operation: "settings", Method: http.MethodGet, Path: vmsPattern + "/pwd_settings"}, exchange.timeout),
		call(machine.Route{Operation: "settings", Method: http.MethodPatch, Path: vmsPattern + "/pwd_settings", Command: true}, exchange.setTimeout),
		call(machine.Route{Operation: "login", Method: http.MethodPost, Path: under + "token", Open: true, Refuses: true}, exchange.login),
		call(machine.Route{Operation: "login", Method: http.MethodPost, Path: under + "token/refresh", Open: true, Refuses: true}, exchange.refresh),
		call(machine.Route{Operation: "document", Method: http.MethodGet, Path: documentPath, Unscoped: true}, exchange.document),
	}
}

// document answers the document. A shared cache must not store the answer, because it
// has the expiry of the caller's credential.
func (x exchange) document() (machine.Answer, error) {
	return machine.Answer{Document: OpenAPI, DocumentType: "application/yaml", Cache: "private, max-age=300"}, nil
}
