package template_test

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/page"
)

// served is a call that the template gives to a function.
type served struct {
	function, method, path string
	unauthorized           bool // no authorizer runs before it
}

// anyMethod means all methods that no other event of the same path has.
const anyMethod = "ANY"

// unknownCalls are the events of the function about for all calls that no other
// event has. A greedy path has at least one segment, so the root is another event. The
// PATCH would be a call of the path with an id: see TestOnlyUnknownCallsReachTheGreedyPath.
var unknownCalls = []served{
	{"about", anyMethod, "/", true}, {"about", anyMethod, "/{proxy+}", true}, {"about", http.MethodPatch, "/v1/auth/access-tokens/self", true},
}

// pageCalls are the events of the page. The sign-in at an issuer has more specific ones.
var pageCalls = []served{{"page", anyMethod, strings.TrimSuffix(page.Under, "/"), true}, {"page", anyMethod, page.Under + "{proxy+}", true}}

// eventsOf returns the calls that the template gives to its functions.
func eventsOf(t *testing.T, all object) (found []served) {
	t.Helper()
	for name, f := range functions(t, all) {
		events, _ := at(f, "Properties", "Events").(object)
		for _, e := range events {
			if at(e, "Type") != "Api" {
				continue
			}
			want(t, e, ref("Api"), "Properties", "RestApiId")
			unauthorized := at(e, "Properties", "Auth") != nil
			if unauthorized {
				want(t, e, object{"Authorizer": "NONE"}, "Properties", "Auth")
			}
			found = append(found, served{name, strings.ToUpper(at(e, "Properties", "Method").(string)), at(e, "Properties", "Path").(string), unauthorized})
		}
	}
	return found
}

// callsOf returns the calls of routes. Each GET is a HEAD too.
func callsOf(routes []machine.Route) (calls []served) {
	for _, r := range routes {
		c := served{r.Function, r.Method, r.Path, r.Open || r.Direct}
		calls = append(calls, c)
		if c.method == http.MethodGet {
			c.method = http.MethodHead
			calls = append(calls, c)
		}
	}
	return calls
}

func TestEveryRouteHasItsFunction(t *testing.T) {
	expected := slices.Clone(unknownCalls)
	for _, f := range faces.All() {
		calls := callsOf(machine.Routes(f))
		if f.Under == "" {
			expected = append(expected, calls...)
			continue
		}
		function := calls[0].function // it answers every path and method below Under
		for _, c := range calls {
			if c.function != function || !c.unauthorized || !strings.HasPrefix(c.path, f.Under) {
				t.Errorf("%+v is not one of the calls that %s checks itself, below %s", c, function, f.Under)
			}
		}
		expected = append(expected, served{function, http.MethodPost, f.Under + "{proxy+}", true}, served{function, anyMethod, f.Under + "{proxy+}", true})
	}
	expected = append(expected, pageCalls...)
	got := eventsOf(t, read(t))
	for _, c := range expected {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(g served) bool { return g != c })); n != 1 {
			t.Errorf("template.yaml has %+v %d times, want once", c, n)
		}
	}
	for _, g := range got {
		if !slices.Contains(expected, g) {
			t.Errorf("template.yaml has %+v, which is not a call of the service", g)
		}
	}
}

// TestEveryGETHasItsHEAD in the same function, before the same authorizer. Without
// it, API Gateway would send a HEAD to the greedy path.
func TestEveryGETHasItsHEAD(t *testing.T) {
	all := eventsOf(t, read(t))
	found := 0
	for _, e := range all {
		if e.method != http.MethodGet {
			continue
		}
		found++
		e.method = http.MethodHead
		if !slices.Contains(all, e) {
			t.Errorf("template.yaml lacks %+v, beside its GET", e)
		}
	}
	if found < 15 {
		t.Errorf("only %d events with GET were found", found)
	}
}

// gatewayMethods are the methods that API Gateway knows.
var gatewayMethods = []string{
	http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPatch, http.MethodPost, http.MethodPut,
}

// TestOnlyUnknownCallsReachTheGreedyPath: a REST API selects the event by path and
// method together, and only then runs the authorizer of that event. So a guarded call
// must never be without its event, and an unknown one must never be a call of another
// path. MiniStack takes the greedy path where AWS may first take the path of a
// parameter, so this test has AWS's rule.
func TestOnlyUnknownCallsReachTheGreedyPath(t *testing.T) {
	all, known := eventsOf(t, read(t)), callsOf(faces.Routes())
	paths := []string{"/", "/v1", "/v1/nothing", "/v2/auth/access-tokens", "/v1/auth/access-tokens/{id}/nothing", "/v1/users/{user}", "/api", "/ui", "/ui/create"}
	for _, c := range known {
		paths = append(paths, c.path)
	}
	slices.Sort(paths)
	for _, pattern := range slices.Compact(paths) {
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann", "{vms}", "1").Replace(pattern)
		for _, method := range gatewayMethods {
			got, ok := selected(all, method, path)
			if !ok {
				t.Errorf("no event has %s %s, so API Gateway answers it", method, path)
				continue
			}
			expected := served{function: "about", unauthorized: true}
			if i := slices.IndexFunc(known, func(c served) bool { return c.method == method && c.path == pattern }); i >= 0 {
				expected = known[i]
			} else if page.Answers(path) || strings.HasPrefix(path, page.Under) {
				expected.function = "page"
			} else if strings.HasPrefix(path, "/api/") {
				expected.function = "vast"
			}
			if got.function != expected.function || got.unauthorized != expected.unauthorized {
				t.Errorf("%s %s: API Gateway selects %+v, want the function %s; without an authorizer: %t", method, path, got, expected.function, expected.unauthorized)
			}
		}
	}
}

// selected returns the event that a REST API selects for a call: of all events whose
// path and method match, the one with the most specific path. A part of a path is
// more specific than a parameter, and a parameter more than a greedy one. Observed on
// AWS: ministackorg/ministack#1423 and floci-io/floci#3399.
func selected(all []served, method, path string) (best served, ok bool) {
	var matching []served
	for _, e := range all {
		if (e.method == method || e.method == anyMethod) && matches(e.path, path) {
			matching = append(matching, e)
		}
	}
	if len(matching) == 0 {
		return served{}, false
	}
	return slices.MinFunc(matching, func(a, b served) int {
		return cmp.Or(strings.Compare(ranks(a.path), ranks(b.path)), cmp.Compare(methodRank(a), methodRank(b)))
	}), true
}

func matches(pattern, path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	segments := strings.Split(strings.Trim(pattern, "/"), "/")
	for i, s := range segments {
		switch {
		case i >= len(parts), parts[i] == "" && s != "":
			return false
		case strings.HasSuffix(s, "+}"):
			return true
		case !strings.HasPrefix(s, "{") && s != parts[i]:
			return false
		}
	}
	return len(segments) == len(parts)
}

// ranks has one character for each segment of a pattern, in the order in which API
// Gateway prefers them.
func ranks(pattern string) string {
	var b strings.Builder
	for s := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		switch {
		case strings.HasSuffix(s, "+}"):
			b.WriteByte('c')
		case strings.HasPrefix(s, "{"):
			b.WriteByte('b')
		default:
			b.WriteByte('a')
		}
	}
	return b.String()
}

func methodRank(e served) int {
	if e.method == anyMethod {
		return 1
	}
	return 0
}

// TestTheStackStaysWithinTheQuotas of CloudFormation, API Gateway and Lambda. SAM makes
// a permission for each event of an API, and a rule with its permission for each
// schedule.
func TestTheStackStaysWithinTheQuotas(t *testing.T) {
	all := read(t)
	made, nodes := len(at(all, "Resources").(object)), map[string]bool{}
	for name, f := range functions(t, all) {
		events, _ := at(f, "Properties", "Events").(object)
		made += 2 * len(events)
		if size := 400 * len(events); size > 20_480 { // 400 bytes for each statement, with the longest names
			t.Errorf("the resource policy of %s has %d statements, about %d bytes; at most 20480 are allowed", name, len(events), size)
		}
	}
	for _, e := range eventsOf(t, all) {
		path := strings.TrimSuffix(e.path, "/")
		nodes[path] = true
		for end, c := range path {
			if c == '/' {
				nodes[path[:end]] = true
			}
		}
	}
	t.Logf("%d resources of the stack, %d of the API", made, len(nodes))
	if made > 500 {
		t.Errorf("the stack has %d resources, CloudFormation allows 500", made)
	}
	if len(nodes) > 300 {
		t.Errorf("the API has %d resources, API Gateway allows 300", len(nodes))
	}
}
