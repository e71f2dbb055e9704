package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
)

// reserved are words that a generated client cannot use as a name: names of types
// of Python's typing module, keywords, and types that common languages always have.
var reserved = strings.Fields(`Any Array Boolean Class Code Created Date Dict Entry Error Event Exception Hash Health History Instant Limit List Map Number
	Object Optional Permissions Self Set State String Symbol Time Tuple Type Union Version`)

var twoWords = regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)+$|^whoAmI$`)

// TestDocumentNamesSuitGenerators: some generators put all parts of the document into
// one name space, and some use the names as they are.
func TestDocumentNamesSuitGenerators(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range []string{"schemas", "parameters", "responses"} {
		parts, _ := documented(t).at("components", kind)
		for name := range parts.(map[string]any) {
			if other, twice := seen[strings.ToLower(name)]; twice {
				t.Errorf("%s/%s has the name of a part in %s", kind, name, other)
			}
			seen[strings.ToLower(name)] = kind
			if kind == "schemas" && slices.Contains(reserved, name) {
				t.Errorf("the schema %s has the name of a type that languages have", name)
			}
		}
	}
	ids := map[string]bool{}
	for path, item := range documented(t).root["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			id, _ := operation.(map[string]any)["operationId"].(string)
			if !twoWords.MatchString(id) || ids[id] {
				t.Errorf("%s %s: got the operationId %q, want another one of at least two words", method, path, id)
			}
			ids[id] = true
		}
	}
}

// TestDocumentHasNoPartsThatGeneratorsLose: generators lose members of an allOf, make
// odd types of an anyOf, send one header for each scheme, and refuse the type null or
// their own times.
func TestDocumentHasNoPartsThatGeneratorsLose(t *testing.T) {
	schemas, _ := documented(t).at("components", "schemas")
	walk("schemas", schemas, func(where string, object map[string]any) {
		if strings.Contains(where, "/if") || strings.Contains(where, "/then") { // generators skip conditions
			return
		}
		for _, keyword := range []string{"allOf", "anyOf", "unevaluatedProperties"} {
			if object[keyword] != nil {
				t.Errorf("%s has %s", where, keyword)
			}
		}
		if object["format"] != nil && object["pattern"] != nil {
			t.Errorf("%s has a pattern beside a format, and openapi-generator compares it with its own form of the value", where)
		}
		if object["type"] == "null" && !strings.Contains(where, "oneOf") {
			t.Errorf("%s has only the type null", where)
		}
	})
	walk("paths", documented(t).root["paths"], func(where string, object map[string]any) {
		if object["explode"] != nil {
			t.Errorf("%s has explode, which some generators ignore", where)
		}
	})
	schemes, _ := documented(t).at("components", "securitySchemes")
	if got := slices.Collect(maps.Keys(schemes.(map[string]any))); !slices.Equal(got, []string{"bearer"}) || fmt.Sprint(documented(t).root["security"]) != "[map[bearer:[]]]" {
		t.Errorf("got the security %v with the schemes %v, want only bearer", documented(t).root["security"], got)
	}
}

func walk(where string, value any, visit func(where string, object map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(where, v)
		for name, inner := range v {
			walk(where+"/"+name, inner, visit)
		}
	case []any:
		for i, inner := range v {
			walk(fmt.Sprint(where, "/", i), inner, visit)
		}
	}
}

// TestSchemasWithTheSameMembersAgree: the document has the members of a live token
// twice, and those of a suspension.
func TestSchemasWithTheSameMembersAgree(t *testing.T) {
	for _, c := range []struct{ small, large, less, more string }{{"Token", "CreatedToken", "ended_time via", "bearer_token"}, {"Suspension", "Offboarding", "", "ended_tokens"}} {
		small, _ := documented(t).at("components", "schemas", c.small)
		large, _ := documented(t).at("components", "schemas", c.large)
		got := maps.Clone(large.(map[string]any)["properties"].(map[string]any))
		want := maps.Clone(small.(map[string]any)["properties"].(map[string]any))
		delete(got, c.more)
		for less := range strings.FieldsSeq(c.less) {
			delete(want, less)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s without %s has the members\n%v\n%s has\n%v", c.large, c.more, got, c.small, want)
		}
		required := append(slices.Clone(small.(map[string]any)["required"].([]any)), c.more)
		if got := large.(map[string]any)["required"]; fmt.Sprint(got) != fmt.Sprint(required) {
			t.Errorf("%s requires %v, want %v", c.large, got, required)
		}
	}
}

// TestEveryOperationMayBeThrottled: a gateway throttles all calls, also those without
// a credential.
func TestEveryOperationMayBeThrottled(t *testing.T) {
	for _, r := range httpapi.Routes() {
		header, _ := documented(t).at("paths", r.Path, strings.ToLower(r.Method), "responses", "429", "headers", "Retry-After")
		if header == nil {
			t.Errorf("openapi.yaml: %s %s has no answer 429 with Retry-After", r.Method, r.Path)
		}
	}
}

// TestStatesMayBeRepeatedOrJoined: both forms select the same tokens and share their
// cursors.
func TestStatesMayBeRepeatedOrJoined(t *testing.T) {
	w := newScene(t)
	var ids []string
	for range 3 {
		made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
		ids = append(ids, made.ID)
	}
	w.do("DELETE", collection+ids[1], w.admin, "").expect(t, http.StatusOK, "")
	slices.Sort(ids)
	list := func(query string) (page httpapi.List) {
		t.Helper()
		return decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann&limit=2&"+query, w.admin, "").expect(t, http.StatusOK, ""))
	}
	for _, query := range []string{"state=active,revoked", "state=active&state=revoked", "state=revoked&state=active", "state=active,active&state=revoked"} {
		page := list(query)
		link, err := url.Parse(page.Paging.Next)
		if err != nil || page.Paging.After == "" || link.Query().Get("after") != page.Paging.After {
			t.Fatalf("%s: got the paging %+v, want a link and its cursor", query, page.Paging)
		}
		for _, rest := range []string{"state=active,revoked&after=" + page.Paging.After, "state=active&state=revoked&after=" + page.Paging.After, link.RawQuery[strings.Index(link.RawQuery, "after="):]} {
			rest = strings.ReplaceAll(strings.ReplaceAll(rest, "&limit=2", ""), "&user=ann", "")
			last := list(rest)
			var got []string
			for _, e := range append(page.Entries, last.Entries...) {
				got = append(got, e.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, ids) || last.Paging != (httpapi.Paging{}) {
				t.Errorf("%s, then %s: got %v and the paging %+v, want %v and the last page", query, rest, got, last.Paging, ids)
			}
		}
	}
	for query, status := range map[string]int{"state=active&state=expired": 404, "state=expired&state=revoked": 200} {
		w.do("GET", collection+revokedOf(t, w)+"?"+query, w.admin, "").expect(t, status, "")
	}
}

// revokedOf returns the id of the revoked token of ann.
func revokedOf(t *testing.T, w *scene) string {
	t.Helper()
	return decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann&state=revoked", w.admin, "")).Entries[0].ID
}

// TestHistoriesAnswerTheCursorOfTheNextPage: a client need not take the link apart.
func TestHistoriesAnswerTheCursorOfTheNextPage(t *testing.T) {
	w := newScene(t)
	for range 3 {
		w.make(httpapi.CreateRequest{User: named("ann")})
	}
	page := decodeAs[httpapi.History](t, w.do("GET", "/v1/users/ann/events?limit=2", w.admin, ""))
	if page.Paging.After != "2" {
		t.Fatalf("got the paging %+v, want after 2", page.Paging)
	}
	page = decodeAs[httpapi.History](t, w.do("GET", "/v1/users/ann/events?limit=2&after="+page.Paging.After, w.admin, ""))
	if len(page.Entries) != 1 || page.Paging != (httpapi.Paging{}) {
		t.Errorf("got %d entries and the paging %+v, want one and the last page", len(page.Entries), page.Paging)
	}
}
