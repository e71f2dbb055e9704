// Package routetest shows which routes of the HTTP interface a client uses. Tests
// use it to find a route that a client, the command line or the samples lack.
package routetest

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// Recorder is an http.Handler that answers every request with an empty object and
// notes its route.
type Recorder struct {
	routes *http.ServeMux
	asked  map[string]bool
}

// NewRecorder makes a Recorder of all routes. One goroutine at a time may use it.
func NewRecorder() *Recorder {
	r := &Recorder{routes: http.NewServeMux(), asked: map[string]bool{}}
	for _, route := range httpapi.Routes() {
		r.routes.Handle(name(route), http.NotFoundHandler())
		r.routes.Handle(name(route)+"/{$}", http.NotFoundHandler())
	}
	return r
}

func name(r machine.Route) string { return r.Method + " " + r.Path }

// Record notes the route of a request, if it has one.
func (r *Recorder) Record(req *http.Request) {
	_, pattern := r.routes.Handler(req)
	r.asked[strings.TrimSuffix(pattern, "/{$}")] = true
}

// ServeHTTP records the request and answers 200 with an empty JSON object.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.Record(req)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// Missing are the routes, as "METHOD PATH", that got no request and are not among
// the exceptions. exceptions has the reason for each route that needs no request.
// An exception that is not a route is a mistake and is returned too.
func (r *Recorder) Missing(exceptions map[string]string) (missing []string) {
	known := map[string]bool{}
	for _, route := range httpapi.Routes() {
		known[name(route)] = true
		if !r.asked[name(route)] && exceptions[name(route)] == "" {
			missing = append(missing, name(route))
		}
	}
	for exception := range exceptions {
		if !known[exception] {
			missing = append(missing, exception)
		}
	}
	slices.Sort(missing)
	return missing
}
