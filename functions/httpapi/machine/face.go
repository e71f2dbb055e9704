package machine

import (
	"fmt"
	"slices"
)

// Face is one HTTP interface of the service.
type Face struct {
	Calls []Call

	// Under is the path that all paths of this face begin with, like "/api/". Unknown
	// paths below it are answered in the form of this face. One face of a handler has
	// an empty Under: it answers all other unknown paths.
	Under string

	// Canonical returns the path that is compared with the routes, for a path as it
	// was sent: a face may have several names for one path. Only the comparison reads
	// it; scopes are compared with the path as it was sent. The default returns the
	// path unchanged.
	Canonical func(path string) string

	// Form says how a problem is written.
	Form func(*Problem) Form

	// UnknownPath and TokenInPath are sentences for the detail of a problem: where the
	// paths of this face are listed, and how a token that was pasted into a path is
	// revoked.
	UnknownPath, TokenInPath string
}

// Form is a problem as a face writes it. Status may differ from the status of the
// problem. Body is encoded as JSON.
type Form struct {
	Status int
	Type   string // the media type
	Body   any
}

// Route is one operation: which function answers it, where, and what it does.
// The settings and the IAM rights of a function are computed from its routes
// (functions/wiring/api). Path is a pattern of net/http.ServeMux; every path
// also answers with a slash at its end, without a redirect. No two faces have the
// same path.
type Route struct {
	Function  string
	Operation string // the word for it in logs and metrics; "": the name of the function
	Method    string
	Path      string

	Open     bool // it needs no credential
	Direct   bool // no authorizer of a gateway runs before it: it checks the credential itself
	Unscoped bool // only with Direct: it needs no scope
	Command  bool // it writes the log
	Mints    bool // its answer contains a new secret
	Replays  bool // it stores its answer under the Idempotency-Key, and gives a repeated request the same answer
	Checks   bool // it checks a token itself, and stores the last use of that token; every route with Direct does
	Refuses  bool // it answers every request with a refusal: clients of other products make this call
	Events   bool // its answer contains events, in the form in which they are published
	Quiet    bool // a success is logged as DEBUG: monitors make this call every few seconds
}

// Call is a route with the function that serves it. That function reads Principal and
// Query from the exchange; an open route has neither.
type Call struct {
	Route
	Serve      func(*Exchange) (Answer, error)
	Parameters []string // parameters that the query may have
	Lists      []string // those of them that are lists: they may be repeated, and are joined by commas
}

// Routes returns the routes of faces.
func Routes(faces ...Face) []Route {
	var routes []Route
	for _, f := range faces {
		for _, c := range f.Calls {
			routes = append(routes, c.Route)
		}
	}
	return routes
}

// served reports whether one of the functions named in only answers the call. No
// names mean all functions.
func served(c Call, only []string) bool { return len(only) == 0 || slices.Contains(only, c.Function) }

// mustHaveFunctions panics if a name belongs to no call, because this is an error in
// the program.
func mustHaveFunctions(faces []Face, only []string) {
	routes := Routes(faces...)
	for _, name := range only {
		if !slices.ContainsFunc(routes, func(r Route) bool { return r.Function == name }) {
			panic(fmt.Sprintf("machine: no call belongs to the function %q", name))
		}
	}
}

func (r Route) operation() string {
	if r.Operation != "" {
		return r.Operation
	}
	return r.Function
}
