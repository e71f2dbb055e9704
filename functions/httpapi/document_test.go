package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the OpenAPI document of this face.
type document struct {
	*apitest.Document
	root map[string]any
}

func parseDocument(t testing.TB) *document {
	t.Helper()
	d := apitest.Parse(t, httpapi.OpenAPI)
	const problem = "#/components/schemas/Problem"
	d.Elsewhere = map[int]string{http.StatusNotFound: problem, http.StatusMethodNotAllowed: problem}
	return &document{Document: d, root: d.Root}
}

var shared struct {
	once sync.Once
	doc  *document
}

// documented returns the unchanged document, which all tests share.
func documented(t testing.TB) *document {
	shared.once.Do(func() { shared.doc = parseDocument(t) })
	return shared.doc
}

func (d *document) at(path ...string) (value any, pointer string) { return d.At(path...) }

func (d *document) schema(pointer string) (*jsonschema.Schema, error) { return d.Schema(pointer) }

func (d *document) pathOf(path string) string { return d.PathOf(path) }

func (d *document) complaints(s answer) []string { return d.Complaints(s.plain()) }

func (d *document) body(s answer, pointer string) []string {
	return d.BodyComplaints(s.plain(), pointer)
}

func (d *document) routeComplaints(routes []machine.Route) []string { return d.RouteComplaints(routes) }

func (s answer) plain() apitest.Answer {
	return apitest.Answer{Method: s.method, Path: s.path, Status: s.status, Header: s.header, Body: s.body}
}

const expiresHeader = "Apitoken-Expires"

// codeComplaints returns the differences between the document and the codes with
// their statuses.
func (d *document) codeComplaints(codes map[string]int) (complaints []string) {
	enum, _ := d.at("components", "schemas", "ProblemCode", "enum")
	statuses, _ := d.at("components", "schemas", "ProblemCode", "x-status")
	listed := map[string]bool{}
	for _, code := range enum.([]any) {
		listed[code.(string)] = true
		if _, ok := codes[code.(string)]; !ok {
			complaints = append(complaints, fmt.Sprintf("code %s is documented but does not exist", code))
		}
	}
	for code, status := range codes {
		if !listed[code] {
			complaints = append(complaints, "code "+code+" is not documented")
		}
		if got := statuses.(map[string]any)[code]; got != float64(status) {
			complaints = append(complaints, fmt.Sprintf("code %s is documented with status %v, but it has %d", code, got, status))
		}
	}
	return complaints
}

// codes are the codes of the service with their statuses, and the code of a gateway
// that the calls of the document have.
func codes() map[string]int {
	all := map[string]int{}
	for _, code := range machine.Codes() {
		all[code] = machine.StatusOf(code)
	}
	all["throttled"] = http.StatusTooManyRequests
	return all
}

// firstComplaints returns the complaints about routes and codes, or else those
// about the first answer that has any.
func (d *document) firstComplaints(answers []answer) []string {
	complaints := append(d.routeComplaints(httpapi.Routes()), d.codeComplaints(codes())...)
	for _, s := range answers {
		if len(complaints) > 0 {
			break
		}
		complaints = d.complaints(s)
	}
	return complaints
}
