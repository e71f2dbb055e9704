package vast_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"

	"github.com/getkin/kin-openapi/openapi3"
)

func parseDocument(t testing.TB) *apitest.Document {
	t.Helper()
	d := apitest.Parse(t, vast.OpenAPI)
	d.Under, d.Path = "/api", vast.Face().Canonical
	const denied, message = "#/components/schemas/Denied", "#/components/schemas/Message"
	d.Elsewhere = map[int]string{http.StatusNotFound: denied, http.StatusMethodNotAllowed: denied, http.StatusBadRequest: message}
	return d
}

var shared struct {
	once sync.Once
	doc  *apitest.Document
}

// documented returns the unchanged document, which all tests share.
func documented(t testing.TB) *apitest.Document {
	shared.once.Do(func() { shared.doc = parseDocument(t) })
	return shared.doc
}

func TestDocumentIsValidWithItsExamples(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(vast.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDocumentDescribesEachPartAndMember(t *testing.T) {
	for _, missing := range documented(t).Undescribed("**Who may call it:** ", "**Errors:**") {
		t.Errorf("openapi.yaml has no description of %s", missing)
	}
}

func TestDocumentHasTheRoutesOfTheFace(t *testing.T) {
	routes := machine.Routes(vast.Face())
	for _, complaint := range documented(t).RouteComplaints(routes) {
		t.Error(complaint)
	}
	for i, r := range routes {
		if len(documented(t).RouteComplaints(slices.Concat(routes[:i], routes[i+1:]))) == 0 {
			t.Errorf("without the route %s %s there is no complaint", r.Method, r.Path)
		}
	}
}

// TestDocumentHasTheAnswersOfEachKindOfCall: a status that every call of a kind can
// answer, and the header Apitoken-Expires where the machine sends it.
func TestDocumentHasTheAnswersOfEachKindOfCall(t *testing.T) {
	for _, r := range machine.Routes(vast.Face()) {
		path, method := strings.TrimPrefix(r.Path, "/api"), strings.ToLower(r.Method)
		for _, status := range answersOf(r) {
			if response, _ := documented(t).At("paths", path, method, "responses", fmt.Sprint(status)); response == nil {
				t.Errorf("%s %s has no answer %d", r.Method, r.Path, status)
			}
		}
		responses, _ := documented(t).At("paths", path, method, "responses")
		for status := range responses.(map[string]any) {
			headers, _ := documented(t).At("paths", path, method, "responses", status, "headers")
			_, listed := headers.(map[string]any)["Apitoken-Expires"]
			gateways := status == "429" && !limited(r)
			if want := status != "401" && !r.Open && !gateways; status != "500" && listed != want {
				t.Errorf("%s %s: the answer %s has the header Apitoken-Expires: got %t, want %t", r.Method, r.Path, status, listed, want)
			}
		}
	}
}

// limited reports whether the change rate limits a call.
func limited(r machine.Route) bool {
	return r.Command && (r.Operation == "create" || r.Operation == "update")
}

func answersOf(r machine.Route) []int {
	all := []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusUnauthorized}
	if r.Refuses {
		return all
	}
	all = append(all, http.StatusBadRequest, http.StatusForbidden, http.StatusServiceUnavailable)
	if strings.Contains(r.Path, "{") {
		all = append(all, http.StatusNotFound)
	}
	if r.Command {
		all = append(all, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}

// TestDocumentHasTheMembersAndParametersThatTheFaceReads compares the document with
// the names that a refusal lists as allowed.
func TestDocumentHasTheMembersAndParametersThatTheFaceReads(t *testing.T) {
	w := newScene(t)
	item := collection + w.make(w.admin, `{}`).ID + "/"
	for _, c := range []struct{ path, schema string }{
		{collection, "CreateAPIToken"}, {item, "ModifyAPIToken"}, {item + "revoke/", ""},
		{"/api/vms/1/set_max_api_tokens_per_user/", "MaxAPITokens"}, {"/api/vms/1/pwd_settings/", "ExpirationTimeoutChange"},
	} {
		method := map[bool]string{true: "POST", false: "PATCH"}[c.path == collection]
		members, _ := documented(t).At("components", "schemas", c.schema, "properties")
		names, _ := members.(map[string]any)
		sameNames(t, c.path, w.do(method, c.path, w.admin, `{"surplus":1}`).expect(http.StatusBadRequest).message(), names)
	}
	for _, path := range []string{collection, item, "/api/vms/1/pwd_settings/", "/api/openapi.yaml"} {
		parameters, _ := documented(t).At("paths", documented(t).PathOf(path), "get", "parameters")
		names := map[string]any{}
		list, _ := parameters.([]any)
		for _, p := range list {
			names[p.(map[string]any)["name"].(string)] = p
		}
		sameNames(t, path, w.do("GET", path+"?surplus=1", w.admin, "").expect(http.StatusBadRequest).message(), names)
	}
}

func sameNames(t *testing.T, what, detail string, names map[string]any) {
	t.Helper()
	_, allowed, _ := strings.Cut(strings.TrimSuffix(detail, "."), "surplus is unknown; allowed: ")
	if allowed == "none" && len(names) == 0 {
		return
	}
	read := strings.Split(allowed, ", ")
	if len(read) != len(names) {
		t.Errorf("%s: the face reads %v, the document has %d", what, read, len(names))
	}
	for _, name := range read {
		if _, ok := names[name]; !ok {
			t.Errorf("%s: the face reads %q, the document does not have it", what, name)
		}
	}
}

// TestComparisonNoticesAnIncompleteDocument removes one part of the document at a
// time: an operation, an answered status, a member of an answer.
func TestComparisonNoticesAnIncompleteDocument(t *testing.T) {
	var answers []apitest.Answer
	for _, a := range sampleAnswers(newScene(t)) {
		answers = append(answers, a.Answer)
	}
	without := func(key string, path ...string) {
		t.Helper()
		d := parseDocument(t)
		object, _ := d.At(path...)
		members, _ := object.(map[string]any)
		if _, there := members[key]; !there {
			t.Fatalf("there is no %s in %v", key, path)
		}
		delete(members, key)
		complaints := d.RouteComplaints(machine.Routes(vast.Face()))
		for _, a := range answers {
			if len(complaints) > 0 {
				return
			}
			complaints = d.Complaints(a)
		}
		if len(complaints) == 0 {
			t.Errorf("without %v %s there is no complaint", path, key)
		}
	}
	whole := parseDocument(t)
	for path, item := range whole.Root["paths"].(map[string]any) {
		without(path, "paths")
		for method := range item.(map[string]any) {
			if method != "parameters" {
				without(method, "paths", path)
			}
		}
	}
	for _, a := range answers {
		without(fmt.Sprint(a.Status), "paths", whole.PathOf(a.Path), strings.ToLower(a.Method), "responses")
	}
	for _, name := range []string{"Denied", "APIToken", "APITokenPage", "CreatedAPIToken", "MaxAPITokens", "ExpirationTimeout"} {
		members, _ := whole.At("components", "schemas", name, "properties")
		for member := range members.(map[string]any) {
			without(member, "components", "schemas", name, "properties")
		}
	}
}

// sampleAnswers returns answers of every call. Together they have every member that an
// answer may have.
func sampleAnswers(w *scene) (all []answer) {
	visit := func(method, path, token, body string) answer {
		w.t.Helper()
		a := w.do(method, path, token, body)
		all = append(all, a)
		return a
	}
	made := decodeAs[vast.Created](visit("POST", collection, w.admin, `{"owner":"ann","expiry_date":"30D"}`).expect(http.StatusCreated))
	visit("POST", collection, w.admin, `{"nmae":1}`).expect(http.StatusBadRequest)
	visit("GET", collection, w.admin, "").expect(http.StatusOK)
	visit("GET", collection+"?page=1", made.Token, "").expect(http.StatusOK)
	visit("GET", collection+made.ID, made.Token, "").expect(http.StatusOK)
	visit("PATCH", collection+made.ID, w.admin, `{"expiry_date":"60D"}`).expect(http.StatusOK)
	visit("PATCH", collection+made.ID+"/revoke", w.admin, "").expect(http.StatusOK)
	visit("PATCH", collection+made.ID+"/revoke", w.admin, "").expect(http.StatusNotFound)
	visit("PATCH", "/api/vms/1/pwd_settings", w.admin, `{"pwd_expiration_timeout":"1Y"}`).expect(http.StatusOK)
	visit("GET", "/api/vms/1/pwd_settings", w.admin, "").expect(http.StatusOK)
	visit("PATCH", "/api/vms/1/set_max_api_tokens_per_user", w.admin, `{"max_api_tokens_per_user":0}`).expect(http.StatusOK)
	visit("POST", collection, w.admin, `{"owner":"bob"}`).expect(http.StatusServiceUnavailable)
	visit("POST", "/api/token", "", `{"username":"admin","password":"hunter2"}`).expect(http.StatusUnauthorized)
	visit("POST", "/api/token/refresh", "", "").expect(http.StatusUnauthorized)
	visit("GET", "/api/openapi.yaml", w.admin, "").expect(http.StatusOK)
	return all
}
