package machine_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/functions/httpapi/machine"
)

// things is a face with one call about things. Its problems are a JSON text with its
// name and the code. Its paths may have a version, which its routes do not have.
func things(under, name string) machine.Face {
	at := "/" + strings.TrimPrefix(under, "/")
	return machine.Face{
		Under: under,
		Calls: []machine.Call{{
			Route: machine.Route{Function: name, Method: http.MethodGet, Path: at + "things/{id}", Open: true},
			Serve: func(x *machine.Exchange) (machine.Answer, error) {
				if x.Request.PathValue("id") == "gone" {
					return machine.Answer{Status: http.StatusNoContent}, nil
				}
				if x.Request.PathValue("id") == "none" {
					return machine.Answer{}, machine.NewProblem("token_limit_reached", "No.")
				}
				return machine.Answer{Status: http.StatusCreated, Body: x.Request.PathValue("id") + " at " + x.Path()}, nil
			},
		}},
		Canonical: func(path string) string { return strings.Replace(path, at+"v9/", at, 1) },
		Form: func(p *machine.Problem) machine.Form {
			return machine.Form{Status: http.StatusTeapot, Type: "application/json", Body: name + " " + p.Code}
		},
	}
}

// TestEachFaceAnswersItsOwnPaths: also those that it does not have, and those that
// ServeMux would redirect.
func TestEachFaceAnswersItsOwnPaths(t *testing.T) {
	h := machine.New(machine.Config{Logger: slog.New(slog.DiscardHandler)}, things("/inner/", "inner"), things("", "outer"))
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/things/a%2Fb", http.StatusCreated, `"a/b at /things/a%2Fb"`},
		{"GET", "/inner/things/a", http.StatusCreated, `"a at /inner/things/a"`},
		{"GET", "/inner/things/a/", http.StatusCreated, `"a at /inner/things/a/"`},
		{"GET", "/inner/v9/things/a", http.StatusCreated, `"a at /inner/v9/things/a"`},
		{"GET", "/inner/v9/things/a%2Fb", http.StatusCreated, `"a/b at /inner/v9/things/a%2Fb"`},
		{"HEAD", "/inner/things/a", http.StatusCreated, ""},
		{"GET", "/inner/things/gone", http.StatusNoContent, ""},
		{"GET", "/inner/things/none", http.StatusTeapot, `"inner token_limit_reached"`},
		{"PUT", "/inner/v9/things/a", http.StatusTeapot, `"inner method_not_allowed"`},
		{"GET", "/inner/v9/v9/things/a", http.StatusTeapot, `"inner path_not_found"`},
		{"GET", "/inner", http.StatusTeapot, `"inner path_not_found"`},
		{"GET", "/inner/", http.StatusTeapot, `"inner path_not_found"`},
		{"GET", "/inner//things/a", http.StatusTeapot, `"inner path_not_found"`},
		{"GET", "/inner/../things/a", http.StatusTeapot, `"inner path_not_found"`},
		{"GET", "/innermost/things/a", http.StatusTeapot, `"outer path_not_found"`},
		{"GET", "/", http.StatusTeapot, `"outer path_not_found"`},
		{"GET", "//inner/things/a", http.StatusTeapot, `"outer path_not_found"`},
		{"POST", "/things/a", http.StatusTeapot, `"outer method_not_allowed"`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, "http://example.com"+c.path, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.body {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.path, w.Code, got, c.status, c.body)
		}
		if retry := w.Header().Get("Retry-After"); retry != "" {
			t.Errorf("%s %s: Retry-After is %s for a code that is not retryable", c.method, c.path, retry)
		}
	}
}

// TestAFunctionHasOnlyItsOwnFaces: the only face of a function answers every path
// that the function does not have.
func TestAFunctionHasOnlyItsOwnFaces(t *testing.T) {
	h := machine.New(machine.Config{Logger: slog.New(slog.DiscardHandler), Only: []string{"inner"}}, things("", "outer"), things("/inner/", "inner"))
	for path, want := range map[string]string{"/things/a": `"inner path_not_found"`, "/inner/things/a": `"a at /inner/things/a"`} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestAFunctionThatNoFaceHasPanics(t *testing.T) {
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, `"inmer"`) {
			t.Errorf("got panic %q, want one that names the function", p)
		}
	}()
	machine.New(machine.Config{Only: []string{"inmer"}}, things("", "outer"))
}

// TestAFunctionNamesTheMethodsOfAllFunctions: a gateway sends unknown methods to one
// function, which serves no call of another.
func TestAFunctionNamesTheMethodsOfAllFunctions(t *testing.T) {
	f := things("", "things")
	f.Calls = append(f.Calls, machine.Call{
		Route: machine.Route{Function: "about", Method: http.MethodGet, Path: "/about", Open: true},
		Serve: func(*machine.Exchange) (machine.Answer, error) { return machine.Answer{Body: "about"}, nil },
	})
	h := machine.New(machine.Config{Logger: slog.New(slog.DiscardHandler), Only: []string{"about"}}, f)
	for _, c := range []struct{ method, path, body, allow string }{
		{"GET", "/about", `"about"`, ""},
		{"PUT", "/about", `"things method_not_allowed"`, "GET, HEAD"},
		{"DELETE", "/things/7", `"things method_not_allowed"`, "GET, HEAD"},
		{"GET", "/things/7", `"things path_not_found"`, ""},
		{"HEAD", "/things/7", "", ""},
		{"GET", "/nothing", `"things path_not_found"`, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != c.body || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: got %s, Allow %q, want %s, Allow %q", c.method, c.path, got, w.Header().Get("Allow"), c.body, c.allow)
		}
	}
}

// TestFacesThatDoNotFitPanic: each error is found before the first request, with the
// name of the route or of the face.
func TestFacesThatDoNotFitPanic(t *testing.T) {
	with := func(under string, r machine.Route) machine.Face {
		f := things(under, "things")
		r.Function, r.Method = "things", http.MethodPut
		if r.Path == "" {
			r.Path = "/odd"
		}
		f.Calls = append(f.Calls, machine.Call{Route: r, Serve: f.Calls[0].Serve})
		return f
	}
	formless := things("", "things")
	formless.Form = nil
	for _, c := range []struct {
		name  string
		faces []machine.Face
		want  []string // in the panic; none: it does not panic
	}{
		{"fits", []machine.Face{things("", "outer"), things("/inner/", "inner"), things("/innermost/", "third")}, nil},
		{"direct", []machine.Face{with("", machine.Route{Direct: true, Unscoped: true, Checks: true})}, nil},
		{"open and refusing", []machine.Face{with("", machine.Route{Open: true, Refuses: true})}, nil},
		{"open and writing", []machine.Face{with("", machine.Route{Open: true, Command: true, Mints: true})}, nil},
		{"unscoped behind an authorizer", []machine.Face{with("", machine.Route{Unscoped: true, Checks: true})}, []string{"PUT /odd", "Unscoped without Direct"}},
		{"open and direct", []machine.Face{with("", machine.Route{Open: true, Direct: true, Checks: true})}, []string{"PUT /odd", "Open"}},
		{"open and unscoped", []machine.Face{with("", machine.Route{Open: true, Unscoped: true})}, []string{"PUT /odd", "Open"}},
		{"direct without the store of the use", []machine.Face{with("", machine.Route{Direct: true})}, []string{"PUT /odd", "Direct without Checks"}},
		{"refusing and writing", []machine.Face{with("", machine.Route{Open: true, Refuses: true, Command: true})}, []string{"PUT /odd", "Refuses"}},
		{"refusing and minting", []machine.Face{with("", machine.Route{Refuses: true, Mints: true})}, []string{"PUT /odd", "Refuses"}},
		{"refusing and replaying", []machine.Face{with("", machine.Route{Refuses: true, Replays: true})}, []string{"PUT /odd", "Refuses"}},
		{"refusing with events", []machine.Face{with("", machine.Route{Refuses: true, Events: true})}, []string{"PUT /odd", "Refuses"}},
		{"path of another face", []machine.Face{with("", machine.Route{Path: "/inner/odd"}), things("/inner/", "inner")}, []string{"PUT /inner/odd", `under ""`, `under "/inner/"`}},
		{"path outside of its face", []machine.Face{things("", "outer"), with("/inner/", machine.Route{})}, []string{"PUT /odd", `under "/inner/"`, `under ""`}},
		{"two faces without Under", []machine.Face{things("", "a"), things("", "b")}, []string{`under "" shares paths with the face under ""`}},
		{"one face in another", []machine.Face{things("", "a"), things("/inner/most/", "b"), things("/inner/", "c")}, []string{`under "/inner/" shares paths with the face under "/inner/most/"`}},
		{"the same in the other order", []machine.Face{things("/inner/", "a"), things("/inner/most/", "b")}, []string{`under "/inner/most/" shares paths with the face under "/inner/"`}},
		{"Under without its last slash", []machine.Face{{Under: "/inner", Form: things("", "").Form}}, []string{`"/inner"`, "slash"}},
		{"Under without its first slash", []machine.Face{{Under: "inner/", Form: things("", "").Form}}, []string{`"inner/"`, "slash"}},
		{"Under that has every path", []machine.Face{{Under: "/", Form: things("", "").Form}}, []string{`"/"`, "slash"}},
		{"no form", []machine.Face{formless}, []string{"no Form"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				text, panicked := recover().(string)
				if panicked != (c.want != nil) {
					t.Errorf("got panic %q, want a panic: %t", text, c.want != nil)
				}
				for _, part := range c.want {
					if !strings.Contains(text, part) {
						t.Errorf("got panic %q, want one that contains %s", text, part)
					}
				}
			}()
			machine.New(machine.Config{Logger: slog.New(slog.DiscardHandler), Guard: &guard.Guard{}}, c.faces...)
		})
	}
}

// TestARouteThatChecksCredentialsNeedsAGuard: a gateway checks those of the other
// routes.
func TestARouteThatChecksCredentialsNeedsAGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		route  machine.Route
		config machine.Config
		panics bool
	}{
		{"open", machine.Route{Open: true}, machine.Config{}, false},
		{"guarded", machine.Route{}, machine.Config{}, true},
		{"guarded, with a guard", machine.Route{}, machine.Config{Guard: &guard.Guard{}}, false},
		{"after an authorizer", machine.Route{}, machine.Config{TrustPrincipal: true}, false},
		{"direct", machine.Route{Direct: true, Checks: true}, machine.Config{TrustPrincipal: true}, true},
		{"of another function", machine.Route{}, machine.Config{Only: []string{"other"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := things("", "other")
			c.route.Function, c.route.Method, c.route.Path = "things", http.MethodPut, "/odd"
			f.Calls = append(f.Calls, machine.Call{Route: c.route, Serve: f.Calls[0].Serve})
			defer func() {
				text, panicked := recover().(string)
				if panicked != c.panics || panicked && !strings.Contains(text, "Guard is missing, but the route PUT /odd") {
					t.Errorf("got panic %q, want one that names Guard and route: %t", text, c.panics)
				}
			}()
			c.config.Logger = slog.New(slog.DiscardHandler)
			machine.New(c.config, f)
		})
	}
}

// TestAnAnswerThatCannotBeEncodedIsAFault: it is logged as an error, with its reason.
func TestAnAnswerThatCannotBeEncodedIsAFault(t *testing.T) {
	var log bytes.Buffer
	f := things("", "things")
	f.Calls[0].Serve = func(*machine.Exchange) (machine.Answer, error) { return machine.Answer{Body: func() {}}, nil }
	h := machine.New(machine.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, f)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/things/7", nil))
	if got := strings.TrimSpace(w.Body.String()); got != `"things internal"` {
		t.Errorf("got %s", got)
	}
	for _, part := range []string{"level=ERROR", "code=internal", "error=", "unsupported type"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log line has no %s: %s", part, &log)
		}
	}
}

// TestOnlyATokenIDIsShownInAProblem: a user in the path may be a secret, also one that
// looks like a token id.
func TestOnlyATokenIDIsShownInAProblem(t *testing.T) {
	f := things("", "things")
	f.Form = func(p *machine.Problem) machine.Form {
		return machine.Form{Status: p.Status, Type: "text/json", Body: p.Instance}
	}
	refuse := func(*machine.Exchange) (machine.Answer, error) {
		return machine.Answer{}, machine.NewProblem("not_found", "No.")
	}
	for _, path := range []string{"/users/{user}", "/users/{user}/things/{id}"} {
		f.Calls = append(f.Calls, machine.Call{Route: machine.Route{Function: "things", Method: http.MethodGet, Path: path, Open: true}, Serve: refuse})
	}
	f.Calls[0].Serve = refuse
	h := machine.New(machine.Config{Logger: slog.New(slog.DiscardHandler)}, f)
	for path, want := range map[string]string{
		"/things/JhxND7ci": "/things/JhxND7ci", "/things/JhxND7ci7": "", "/users/JhxND7ci": "", "/users/ann/things/JhxND7ci": "",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != `"`+want+`"` {
			t.Errorf("%s: got %s, want %q", path, got, want)
		}
	}
}

// TestIdentitiesNeedKeys: without them each sign-in with a browser would be a fault.
func TestIdentitiesNeedKeys(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Keys are missing") {
			t.Errorf("got the panic %q", text)
		}
	}()
	machine.New(machine.Config{Identities: struct{ machine.Identities }{}, Logger: slog.New(slog.DiscardHandler)})
	t.Error("no panic")
}
