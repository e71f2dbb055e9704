package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/signin"
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
			var begun *http.Cookie
			if isForBrowsers(route.Path) {
				path, begun = w.signingIn(route.Path)
			}
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
				by := guard.Principal{Owner: callerOf(route), TokenID: made.ID}
				if by.Owner != "ann" {
					own, _ := w.make(httpapi.CreateRequest{User: named(by.Owner)})
					by.TokenID = own.ID
				}
				r = asPrincipal(r, by)
			}
			if begun != nil {
				r.AddCookie(begun)
			}
			r.Header.Set("Idempotency-Key", someKey)
			s := handle(w.afterAuthorizer(used), r)
			if refuses := s.status >= http.StatusBadRequest; refuses != route.Refuses {
				t.Fatalf("got %d %s, but Refuses is %t", s.status, s.body, route.Refuses)
			}
			if writes := used.Commits > 0; writes != route.Command {
				t.Errorf("it writes the log: %t, but Command is %t", writes, route.Command)
			}
			if walks := used.Walks > 0; walks != route.Walks {
				t.Errorf("it reads all streams: %t, but Walks is %t", walks, route.Walks)
			}
			if checks := used.Touches > 0; checks != route.Checks {
				t.Errorf("it notes the use of a token: %t, but Checks is %t", checks, route.Checks)
			}
			if mints := handsOut(s); mints != route.Mints {
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

// handsOut reports whether an answer has a new secret.
func handsOut(s answer) bool {
	return strings.Contains(string(s.body), `"bearer_token":"`) || strings.Contains(string(s.body), `"access_token":"`) ||
		strings.Contains(strings.Join(s.header["Set-Cookie"], "\n"), signin.SessionCookie+"=")
}

// signingIn returns the address of a call for browsers with which a sign-in goes on, and
// the cookie for it.
func (w *scene) signingIn(path string) (string, *http.Cookie) {
	w.t.Helper()
	p := w.withProvider()
	if path == signin.LoginPath {
		return path + "?issuer=work", nil
	}
	begun := handle(w.handler(), httptest.NewRequest("GET", signin.LoginPath+"?issuer=work", nil))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	back, err := client.Get(begun.header.Get("Location"))
	if err != nil {
		w.t.Fatalf("asking %s: %v", p.URL(), err)
	}
	back.Body.Close()
	_, query, _ := strings.Cut(back.Header.Get("Location"), "?")
	return path + "?" + query, (&http.Response{Header: begun.header}).Cookies()[0]
}

// callerOf is a caller who may do the route's operation: ann, or an administrator for
// what users may not do to themselves, and for the events of all users.
func callerOf(route machine.Route) string {
	switch route.Function {
	case "settings", "suspend":
		return "admin"
	}
	if route.Path == "/v1/events" {
		return "admin"
	}
	return "ann"
}

// sampleBody is a body with which the route's operation succeeds, and changes
// something.
func sampleBody(route machine.Route, token string) string {
	return map[string]string{
		"POST /v1/auth/authorize":          `{"token":"` + token + `"}`,
		"POST " + oauthIntrospect:          "token=" + token,
		"POST " + oauthRevoke:              "token=" + token,
		"POST " + exchangePath:             "grant_type=" + grantType + "&subject_token_type=" + tokenType + "access_token&subject_token=" + token,
		"PATCH " + collection + "{id}":     `{"name":"changed"}`,
		"PATCH /v1/settings":               `{"token_limit":7}`,
		"PUT /v1/users/{user}/permissions": `{"permissions":["view"]}`,
		"PUT /v1/groups":                   `{"alias":"corp","group":"/team","permissions":["view"]}`,
		"PUT /v1/users/{user}/limit":       `{"token_limit":7}`,
	}[route.Method+" "+route.Path]
}

// afterAuthorizer is a handler on another store that leaves the check of the
// caller's credential to a gateway. Its guard is for the routes with Direct.
func (w *scene) afterAuthorizer(store events.Store) http.Handler {
	i := issuer.New(issuer.Config{Store: store, Keys: w.keys, Now: w.clock})
	return w.handler(func(c *machine.Config) { c.Issuer, c.Guard, c.TrustPrincipal = i, i.Guard(), true })
}
