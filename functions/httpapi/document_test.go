package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// document is the OpenAPI document as plain JSON values, so that a test can
// remove parts.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler // created at the first use; a test may change root before that
	mu       sync.Mutex
}

func parseDocument(t testing.TB) *document {
	t.Helper()
	d := &document{}
	if err := json.Unmarshal(asJSON(), &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

// asJSON returns the document in JSON.
var asJSON = sync.OnceValue(func() []byte {
	var root map[string]any
	if err := yaml.Unmarshal(httpapi.OpenAPI, &root); err != nil {
		panic(err)
	}
	b, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return b
})

var shared struct {
	once sync.Once
	doc  *document
}

// documented returns the unchanged document, which all tests share.
func documented(t testing.TB) *document {
	shared.once.Do(func() { shared.doc = parseDocument(t) })
	return shared.doc
}

// at returns the value at the segments of a JSON pointer, and the pointer. It
// follows references.
func (d *document) at(path ...string) (value any, pointer string) {
	value, pointer = any(d.root), "#"
	for _, segment := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, pointer
		}
		value, pointer = object[segment], pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(segment)
		if inner, ok := value.(map[string]any); ok {
			if ref, ok := inner["$ref"].(string); ok && len(inner) == 1 {
				value, pointer = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			}
		}
	}
	return value, pointer
}

// schema compiles the schema at a pointer.
func (d *document) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.compiler == nil {
		b, err := json.Marshal(d.root)
		if err != nil {
			return nil, err
		}
		root, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		d.compiler = jsonschema.NewCompiler()
		d.compiler.DefaultDraft(jsonschema.Draft2020)
		d.compiler.AssertFormat()
		if err := d.compiler.AddResource("api.json", root); err != nil {
			return nil, err
		}
	}
	return d.compiler.Compile("api.json" + pointer)
}

// pathOf returns the documented path that matches the path of a request, or "". A
// path without parameters wins.
func (d *document) pathOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	given := strings.Split(strings.TrimSuffix(path, "/"), "/")
	paths, _ := d.at("paths")
	if _, literal := paths.(map[string]any)[strings.Join(given, "/")]; literal {
		return strings.Join(given, "/")
	}
	for _, pattern := range slices.Sorted(maps.Keys(paths.(map[string]any))) {
		want := strings.Split(pattern, "/")
		same := len(want) == len(given)
		for i := 0; same && i < len(want); i++ {
			same = want[i] == given[i] || strings.HasPrefix(want[i], "{")
		}
		if same {
			return pattern
		}
	}
	return ""
}

// complaints returns the differences between one answer and the document.
func (d *document) complaints(s answer) []string {
	method := strings.ToLower(s.method)
	if method == "head" {
		method = "get"
	}
	path := d.pathOf(s.path)
	operation, _ := d.at("paths", path, method)
	switch {
	case operation == nil && (s.status == http.StatusNotFound || s.status == http.StatusMethodNotAllowed):
		return d.body(s, "#/components/schemas/Problem")
	case operation == nil:
		return []string{"there is no such operation"}
	}
	response, _ := d.at("paths", path, method, "responses", fmt.Sprint(s.status))
	if response == nil {
		return []string{fmt.Sprintf("the operation has no answer %d", s.status)}
	}
	kind, _, _ := mime.ParseMediaType(s.header.Get("Content-Type"))
	content, pointer := d.at("paths", path, method, "responses", fmt.Sprint(s.status), "content", kind, "schema")
	if content == nil {
		return []string{"the answer is not of type " + kind}
	}
	return append(d.headers(s, path, method), d.body(s, pointer)...)
}

const expiresHeader = "Apitoken-Expires"

func (d *document) headers(s answer, path, method string) (complaints []string) {
	headers, _ := d.at("paths", path, method, "responses", fmt.Sprint(s.status), "headers")
	if _, listed := headers.(map[string]any)[expiresHeader]; !listed && s.header.Get(expiresHeader) != "" {
		complaints = append(complaints, "the header "+expiresHeader+" is not documented")
	}
	for name := range headers.(map[string]any) {
		header, _ := d.at("paths", path, method, "responses", fmt.Sprint(s.status), "headers", name)
		if len(s.header.Values(name)) == 0 {
			if header.(map[string]any)["required"] != false {
				complaints = append(complaints, "the header "+name+" is missing")
			}
			continue
		}
		_, pointer := d.at("paths", path, method, "responses", fmt.Sprint(s.status), "headers", name, "schema")
		schema, err := d.schema(pointer)
		if err == nil {
			err = schema.Validate(s.header.Get(name))
		}
		if err != nil {
			complaints = append(complaints, "header "+name+": "+err.Error())
		}
	}
	return complaints
}

func (d *document) body(s answer, pointer string) []string {
	if s.method == http.MethodHead {
		return nil
	}
	var value any = string(s.body)
	if strings.Contains(s.header.Get("Content-Type"), "json") {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(s.body)); err != nil {
			return []string{"the body is not JSON: " + err.Error()}
		}
	}
	schema, err := d.schema(pointer)
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// routeComplaints returns the differences between the routes and the document.
func (d *document) routeComplaints(routes []machine.Route) (complaints []string) {
	want := map[string]bool{}
	for _, r := range routes {
		method := strings.ToLower(r.Method)
		want[method+" "+r.Path] = true
		operation, _ := d.at("paths", r.Path, method)
		object, ok := operation.(map[string]any)
		if !ok {
			complaints = append(complaints, r.Method+" "+r.Path+" is not documented")
			continue
		}
		if _, open := object["security"]; open != r.Open {
			complaints = append(complaints, r.Method+" "+r.Path+" is documented with the wrong security")
		}
	}
	for path, item := range d.root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" && !want[method+" "+path] {
				complaints = append(complaints, method+" "+path+" is documented but is no route")
			}
		}
	}
	return complaints
}

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

// codes are the codes of the service and of a gateway before it, with their statuses.
func codes() map[string]int {
	all := map[string]int{}
	for _, code := range machine.Codes() {
		all[code] = machine.StatusOf(code)
	}
	for _, code := range onlyTheGateway {
		all[code] = http.StatusTooManyRequests
	}
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
