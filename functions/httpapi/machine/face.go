package machine

import (
	"fmt"
	"slices"
	"strings"
)

// Face is one HTTP interface of the service.
type Face struct {
	Calls []Call

	// Under is the path that all paths of this face begin with, like "/api/", and that
	// no path of another face begins with. Unknown paths below it are answered in the
	// form of this face. One face of a handler has an empty Under: it answers all other
	// unknown paths.
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
	Status   int
	Type     string // the media type
	Body     any
	Document []byte // in place of Body, sent unchanged
	Policy   string // the Content-Security-Policy of the document; "": it loads nothing and is in no frame
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
	Shown    bool // only with Direct: its body has the token that the call is about, and who has that token needs no other credential
	Direct   bool // no authorizer of a gateway runs before it: it checks the credential itself
	Unscoped bool // only with Direct: it needs no scope
	Posted   bool // only with Direct: without the header Authorization, the client secret in its form is the credential
	Command  bool // it writes the log
	Mints    bool // its answer contains a new secret
	Replays  bool // it stores its answer under the Idempotency-Key, and gives a repeated request the same answer
	Checks   bool // it checks a token itself, and stores the last use of that token; every route with Direct and without Shown does
	Refuses  bool // it answers every request with a refusal, unless the service has passwords, which no function has: clients of other products make this call
	Events   bool // its answer contains events, in the form in which they are published
	Named    bool // its answer names the deployment
	Walks    bool // it reads all streams, a part with each call
	Quiet    bool // a success is logged as DEBUG: monitors make this call every few seconds
}

// Call is a route with the function that serves it. That function reads Principal and
// Query from the exchange. An open route has no Principal, and a Query only if it has
// Parameters.
type Call struct {
	Route
	Serve      func(*Exchange) (Answer, error)
	Parameters []string // parameters that the query may have
	Lists      []string // those of them that are lists: they may be repeated, and are joined by commas

	// Form writes the problems of this call. nil: as the face does. The problem of a
	// path or method that is unknown is always in the form of the face.
	Form func(*Problem) Form
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

// mustFit panics if the faces or their routes contradict each other, because this is an
// error in the program. With such a route, a function could have the wrong rights, or
// a credential could be checked in the wrong way. With such a face, the path of a
// request could be compared and refused as a path of another face.
func mustFit(faces []Face) {
	for i, f := range faces {
		if why := f.misfit(faces[:i]); why != "" {
			panic(fmt.Sprintf("machine: the face under %q %s", f.Under, why))
		}
		for _, c := range f.Calls {
			if why := c.contradiction(); why != "" {
				panic(fmt.Sprintf("machine: the route %s %s %s", c.Method, c.Path, why))
			}
			if under := underOf(faces, c.Path); under != f.Under {
				panic(fmt.Sprintf("machine: the route %s %s is of the face under %q, but its path is of the face under %q", c.Method, c.Path, f.Under, under))
			}
		}
	}
}

// misfit says why a handler cannot have the face beside the others, or "".
func (f Face) misfit(others []Face) string {
	switch {
	case f.Form == nil:
		return "has no Form"
	case f.Under != "" && (len(f.Under) < len("/x/") || f.Under[0] != '/' || !strings.HasSuffix(f.Under, "/")):
		return "must have an Under that begins and ends with a slash, like /api/, or none"
	}
	for _, other := range others {
		inOneAnother := strings.HasPrefix(f.Under, other.Under) || strings.HasPrefix(other.Under, f.Under)
		if f.Under == other.Under || f.Under != "" && other.Under != "" && inOneAnother {
			return fmt.Sprintf("shares paths with the face under %q", other.Under)
		}
	}
	return ""
}

// underOf returns the Under of the face that a path belongs to.
func underOf(faces []Face, path string) string {
	for _, f := range faces {
		if f.isUnder(path) {
			return f.Under
		}
	}
	return ""
}

// isUnder reports whether the path begins with the Under of the face. A path without
// the slash at its end does too.
func (f Face) isUnder(path string) bool {
	return f.Under != "" && (strings.HasPrefix(path, f.Under) || path == strings.TrimSuffix(f.Under, "/"))
}

// contradiction says which members of a route contradict each other, or "".
func (r Route) contradiction() string {
	switch {
	case r.Shown && (!r.Direct || r.Open || r.Unscoped || r.Checks || r.Mints || r.Replays || r.Events):
		return "has Shown, so it needs no header with a credential, and lacks Direct, or has Open, Unscoped, Checks, Mints, Replays or Events"
	case r.Posted && (!r.Direct || r.Shown):
		return "has Posted, so its form may have the credential, and lacks Direct or has Shown"
	case r.Open && (r.Direct || r.Unscoped):
		return "has Open, so it needs no credential, and Direct or Unscoped, which say how its credential is checked"
	case r.Unscoped && !r.Direct:
		return "has Unscoped without Direct: an authorizer compares the scopes of every call"
	case r.Direct && !r.Checks && !r.Shown:
		return "has Direct without Checks: it checks the token itself, so it stores the use of the token"
	case r.Refuses && (r.Command || r.Mints || r.Replays || r.Events || r.Walks):
		return "has Refuses, so it does nothing, and Command, Mints, Replays, Events or Walks"
	}
	return ""
}

func (r Route) operation() string {
	if r.Operation != "" {
		return r.Operation
	}
	return r.Function
}
