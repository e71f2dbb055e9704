package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
)

// TestEveryRouteDoesWhatItsRowSays: the settings and rights of the functions are
// computed from the rows, so a wrong row would give a function too many rights
// or too few.
func TestEveryRouteDoesWhatItsRowSays(t *testing.T) {
	for _, route := range httpapi.Routes() {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			w := newScene(t)
			made, text := w.make(httpapi.CreateRequest{User: named("ann")})
			path := strings.NewReplacer("{id}", made.ID, "{user}", "ann").Replace(route.Path)
			if route.Method == http.MethodDelete && route.Function == "suspend" {
				w.do("PUT", path, w.admin, "").expect(t, http.StatusOK, "")
			}
			used := &apitest.Usage{Store: w.store}
			r, err := http.NewRequestWithContext(t.Context(), route.Method, path, strings.NewReader(sampleBody(route, text)))
			if err != nil {
				t.Fatal(err)
			}
			if route.Direct {
				r.Header.Set("Authorization", "Bearer "+text)
			} else {
				r = asPrincipal(r, guard.Principal{Owner: callerOf(route), TokenID: made.ID})
			}
			r.Header.Set("Idempotency-Key", someKey)
			s := handle(w.afterAuthorizer(used), r)
			if refuses := s.status >= http.StatusBadRequest; refuses != route.Refuses {
				t.Fatalf("got %d %s, but Refuses is %t", s.status, s.body, route.Refuses)
			}
			if writes := used.Commits > 0; writes != route.Command {
				t.Errorf("it writes the log: %t, but Command is %t", writes, route.Command)
			}
			if checks := used.Touches > 0; checks != route.Checks {
				t.Errorf("it notes the use of a token: %t, but Checks is %t", checks, route.Checks)
			}
			if mints := strings.Contains(string(s.body), `"bearer_token":"`); mints != route.Mints {
				t.Errorf("its answer contains a secret: %t, but Mints is %t", mints, route.Mints)
			}
			r.Body = io.NopCloser(strings.NewReader(sampleBody(route, text)))
			again := handle(w.afterAuthorizer(w.store), r)
			if replays := again.header.Get("Idempotent-Replayed") == "true"; replays != route.Replays {
				t.Errorf("it repeats its answer: %t, but Replays is %t", replays, route.Replays)
			}
		})
	}
}

// callerOf is a caller who may do the route's operation: ann, or an administrator for
// what users may not do to themselves.
func callerOf(route machine.Route) string {
	switch route.Function {
	case "settings", "suspend":
		return "admin"
	}
	return "ann"
}

// sampleBody is a body with which the route's operation succeeds, and changes
// something.
func sampleBody(route machine.Route, token string) string {
	return map[string]string{
		"POST /v1/auth/authorize":          `{"token":"` + token + `"}`,
		"PATCH " + collection + "{id}":     `{"name":"changed"}`,
		"PATCH /v1/settings":               `{"token_limit":7}`,
		"PUT /v1/users/{user}/permissions": `{"permissions":["view"]}`,
		"PUT /v1/users/{user}/limit":       `{"token_limit":7}`,
	}[route.Method+" "+route.Path]
}

// afterAuthorizer is a handler on another store that leaves the check of the
// caller's credential to a gateway. Its guard is for the routes with Direct.
func (w *scene) afterAuthorizer(store events.Store) http.Handler {
	i := issuer.New(issuer.Config{Store: store, Keys: w.keys, Now: w.clock})
	return w.handler(func(c *machine.Config) { c.Issuer, c.Guard, c.TrustPrincipal = i, i.Guard(), true })
}
