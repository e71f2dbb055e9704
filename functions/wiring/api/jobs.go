package api

import (
	"fmt"
	"slices"

	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring"
)

// Jobs returns the jobs of all Lambda functions: those that answer HTTP calls, and
// those of wiring.Jobs.
func Jobs() []wiring.Job {
	all, routes := wiring.Jobs(), faces.Routes()
	var names []string
	for _, r := range routes {
		names = append(names, r.Function)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		all = append(all, jobOf(name, routes))
	}
	return all
}

// jobOf computes the job of a function from its routes. It panics for errors in
// the program: a function without a route, a function with both open and guarded
// routes, and a function with routes both with Direct and without. An open route
// answers requests without a credential, so it must not share the peppers and the
// role of guarded routes. An open route that refuses every request uses neither, and
// may be in any function without an authorizer. A route with Direct has no authorizer,
// so it must not share the function of routes that trust one; nor must an open route
// that refuses.
func jobOf(function string, routes []machine.Route) wiring.Job {
	j := wiring.Job{Function: function}
	refuses, authorized := false, false
	for _, r := range routes {
		if r.Function == function {
			j.Open, j.Guarded = j.Open || r.Open && !r.Refuses, j.Guarded || !r.Open
			refuses = refuses || r.Open && r.Refuses
			j.Direct, authorized = j.Direct || r.Direct, authorized || !r.Open && !r.Direct
			j.Command, j.Mints, j.Checks = j.Command || r.Command, j.Mints || r.Mints, j.Checks || r.Checks
			j.Replays, j.Events, j.Walks, j.Named = j.Replays || r.Replays, j.Events || r.Events, j.Walks || r.Walks, j.Named || r.Named
		}
	}
	j.Open = j.Open || refuses && !j.Guarded
	if !j.HTTP() {
		panic(fmt.Sprintf("wiring/api: no route belongs to a function %q", function))
	}
	if j.Open && j.Guarded {
		panic(fmt.Sprintf("wiring/api: the function %q has both open and guarded routes", function))
	}
	if (j.Direct || refuses) && authorized {
		panic(fmt.Sprintf("wiring/api: the function %q has routes both with and without an authorizer", function))
	}
	return j
}
