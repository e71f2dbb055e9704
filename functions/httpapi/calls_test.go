package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
)

// withoutRoute are the calls of the issuer that no route has yet. A call that gets
// a route leaves the list.
var withoutRoute []string

// TestEveryCallOfTheIssuerHasARoute: a method of the issuer that takes the caller
// is for the API.
func TestEveryCallOfTheIssuerHasARoute(t *testing.T) {
	source := sourceWithoutTests(t)
	methods := reflect.TypeFor[*issuer.Issuer]()
	for m := range methods.Methods() {
		if m.Name == "Create" || m.Name == "Rotate" { // they have routes as CreateOnce and RotateOnce
			continue
		}
		takesCaller := m.Type.NumIn() > 2 && m.Type.In(2) == reflect.TypeFor[guard.Principal]()
		routed, listed := strings.Contains(source, ".Issuer."+m.Name+"("), slices.Contains(withoutRoute, m.Name)
		switch {
		case takesCaller && !routed && !listed:
			t.Errorf("no route calls issuer.%s", m.Name)
		case routed && listed:
			t.Errorf("a route calls issuer.%s: remove it from withoutRoute", m.Name)
		}
	}
}

func sourceWithoutTests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// TestEveryCommandOnAnothersTokenIsRefused gives every command about one token to
// callers without its permission. Only a caller who may view the token learns that
// it exists, or that it was revoked.
func TestEveryCommandOnAnothersTokenIsRefused(t *testing.T) {
	for _, route := range httpapi.Routes() {
		if !route.Command || !strings.Contains(route.Path, "{id}") {
			continue
		}
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			w := newScene(t)
			w.change(settings.Grant{User: "viewer", Actions: []string{settings.ActionView}})
			live, _ := w.make(httpapi.CreateRequest{User: named("ann")})
			revoked, _ := w.make(httpapi.CreateRequest{User: named("ann")})
			w.do("DELETE", collection+revoked.ID, w.admin, "").expect(t, http.StatusOK, "")
			expired, _ := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h"})
			w.sleep(time.Hour)
			used := &apitest.Usage{Store: w.store}
			h := w.afterAuthorizer(used)
			for _, c := range []struct {
				caller, id string
				status     int
				code       string
			}{
				{"viewer", live.ID, http.StatusForbidden, "permission_denied"},
				{"viewer", expired.ID, http.StatusForbidden, "permission_denied"},
				{"stranger", expired.ID, http.StatusNotFound, "not_found"},
				{"viewer", revoked.ID, http.StatusNotFound, "not_found_revoked"},
				{"stranger", live.ID, http.StatusNotFound, "not_found"},
				{"stranger", revoked.ID, http.StatusNotFound, "not_found"},
			} {
				r := request(t, route.Method, strings.ReplaceAll(route.Path, "{id}", c.id), "")
				got := handle(h, asPrincipal(r, guard.Principal{Owner: c.caller}))
				if got.status != c.status || got.problem(t).Code != c.code {
					t.Errorf("as %s: got %d %s, want %d %s", c.caller, got.status, bytes.TrimSpace(got.body), c.status, c.code)
				}
			}
			if used.Commits > 0 {
				t.Errorf("it wrote the log %d times", used.Commits)
			}
		})
	}
}

// withBody are the methods of calls with a body.
var withBody = []string{http.MethodPost, http.MethodPut, http.MethodPatch}

// TestEveryBodyWithAnUnknownMemberIsRefused: a member that a call does not read may be a
// mistake of the caller.
func TestEveryBodyWithAnUnknownMemberIsRefused(t *testing.T) {
	for _, route := range httpapi.Routes() {
		if !slices.Contains(withBody, route.Method) || route.Refuses || route.Function == "oauth" || route.Path == exchangePath { // OAuth asks to ignore it
			continue
		}
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			w := newScene(t)
			made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
			path := strings.NewReplacer("{id}", made.ID, "{user}", "ann").Replace(route.Path)
			w.do(route.Method, path, w.admin, `{"surplus":1}`).expect(t, http.StatusBadRequest, "unknown_member")
		})
	}
}

// TestOpenAPIDocumentHasTheAnswersOfEachKindOfCall compares the document with the
// routes.
func TestOpenAPIDocumentHasTheAnswersOfEachKindOfCall(t *testing.T) {
	for _, route := range httpapi.Routes() {
		for _, status := range answersOf(route) {
			answer, _ := documented(t).at("paths", route.Path, strings.ToLower(route.Method), "responses", fmt.Sprint(status))
			if answer == nil {
				t.Errorf("openapi.yaml: %s %s has no answer %d", route.Method, route.Path, status)
			}
		}
	}
}

// answersOf are the statuses that every call of this kind can answer: a call with
// a credential, a call about one token, a call with a body.
func answersOf(r machine.Route) []int {
	if r.Refuses {
		return []int{http.StatusUnauthorized, http.StatusInternalServerError}
	}
	all := []int{http.StatusOK, http.StatusInternalServerError}
	if isForBrowsers(r.Path) {
		all[0] = http.StatusSeeOther
	}
	if !r.Open {
		all = append(all, http.StatusBadRequest, http.StatusServiceUnavailable)
	}
	if !r.Open && !r.Shown {
		all = append(all, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(r.Path, "{id}") {
		all = append(all, http.StatusNotFound)
	}
	if slices.Contains(withBody, r.Method) {
		all = append(all, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}
