// Package apitest has what the tests of every face need: the comparison of an OpenAPI
// document with the routes and the answers, a log, and a store that counts. Only tests
// use it.
package apitest

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

	"apitoken/functions/httpapi/machine"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Answer is one answer with the method and the path of its request. The path may have
// a query.
type Answer struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         []byte
}

// Document is an OpenAPI document as plain JSON values, so that a test can remove
// parts. Many goroutines may use it. A test may change it before the first answer is
// compared.
type Document struct {
	Root map[string]any

	// Under is the part of the routes that the servers of the document have: the paths
	// of the document begin after it.
	Under string

	// Path returns the path of a request as the routes have it. nil: unchanged.
	Path func(path string) string

	// Elsewhere are the pointers of the schemas for answers that no operation has, by
	// status: the path or its method is unknown.
	Elsewhere map[int]string

	compiler *jsonschema.Compiler // created at the first use
	mu       sync.Mutex
}

// Parse reads a document in YAML. Each call returns a document of its own.
func Parse(t testing.TB, text []byte) *Document {
	t.Helper()
	b, err := asJSON(text)
	d := &Document{}
	if err == nil {
		err = json.Unmarshal(b, &d.Root)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// converted has the JSON of documents by their YAML: some tests need a document some
// hundred times, and reading YAML is slow.
var converted sync.Map

func asJSON(text []byte) ([]byte, error) {
	if b, ok := converted.Load(string(text)); ok {
		return b.([]byte), nil
	}
	var root map[string]any
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	b, err := json.Marshal(root)
	if err == nil {
		converted.Store(string(text), b)
	}
	return b, err
}

// At returns the value at the segments of a JSON pointer, and the pointer. It
// follows references.
func (d *Document) At(path ...string) (value any, pointer string) {
	value, pointer = any(d.Root), "#"
	for _, segment := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, pointer
		}
		value, pointer = object[segment], pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(segment)
		if inner, ok := value.(map[string]any); ok {
			if ref, ok := inner["$ref"].(string); ok && len(inner) == 1 {
				value, pointer = d.At(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			}
		}
	}
	return value, pointer
}

// Schema compiles the schema at a pointer.
func (d *Document) Schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.compiler == nil {
		b, err := json.Marshal(d.Root)
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

// PathOf returns the documented path that matches the path of a request, or "". A
// path without parameters wins.
func (d *Document) PathOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if d.Path != nil {
		path = d.Path(path)
	}
	path, within := strings.CutPrefix(path, d.Under)
	if !within {
		return ""
	}
	given := strings.Split(strings.TrimSuffix(path, "/"), "/")
	paths, _ := d.At("paths")
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

// Complaints returns the differences between one answer and the document.
func (d *Document) Complaints(s Answer) []string {
	method := strings.ToLower(s.Method)
	if method == "head" {
		method = "get"
	}
	path := d.PathOf(s.Path)
	operation, _ := d.At("paths", path, method)
	if operation == nil {
		if pointer := d.Elsewhere[s.Status]; pointer != "" {
			return d.BodyComplaints(s, pointer)
		}
		return []string{"there is no such operation"}
	}
	response, _ := d.At("paths", path, method, "responses", fmt.Sprint(s.Status))
	if response == nil {
		return []string{fmt.Sprintf("the operation has no answer %d", s.Status)}
	}
	kind, _, _ := mime.ParseMediaType(s.Header.Get("Content-Type"))
	content, pointer := d.At("paths", path, method, "responses", fmt.Sprint(s.Status), "content", kind, "schema")
	if content == nil {
		return []string{"the answer is not of type " + kind}
	}
	return append(d.headerComplaints(s, path, method), d.BodyComplaints(s, pointer)...)
}

// optionalHeaders are the headers that an answer may have only if the document lists
// them.
var optionalHeaders = []string{"Apitoken-Expires", "Retry-After"}

func (d *Document) headerComplaints(s Answer, path, method string) (complaints []string) {
	headers, _ := d.At("paths", path, method, "responses", fmt.Sprint(s.Status), "headers")
	listed, _ := headers.(map[string]any)
	for _, name := range optionalHeaders {
		if _, ok := listed[name]; !ok && s.Header.Get(name) != "" {
			complaints = append(complaints, "the header "+name+" is not documented")
		}
	}
	for name := range listed {
		header, _ := d.At("paths", path, method, "responses", fmt.Sprint(s.Status), "headers", name)
		if len(s.Header.Values(name)) == 0 {
			if header.(map[string]any)["required"] != false {
				complaints = append(complaints, "the header "+name+" is missing")
			}
			continue
		}
		_, pointer := d.At("paths", path, method, "responses", fmt.Sprint(s.Status), "headers", name, "schema")
		schema, err := d.Schema(pointer)
		if err == nil {
			err = schema.Validate(s.Header.Get(name))
		}
		if err != nil {
			complaints = append(complaints, "header "+name+": "+err.Error())
		}
	}
	return complaints
}

// BodyComplaints returns the differences between the body of an answer and the schema
// at a pointer.
func (d *Document) BodyComplaints(s Answer, pointer string) []string {
	if s.Method == http.MethodHead {
		return nil
	}
	var value any = string(s.Body)
	if strings.Contains(s.Header.Get("Content-Type"), "json") {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(s.Body)); err != nil {
			return []string{"the body is not JSON: " + err.Error()}
		}
	}
	schema, err := d.Schema(pointer)
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// RouteComplaints returns the differences between the routes and the document.
func (d *Document) RouteComplaints(routes []machine.Route) (complaints []string) {
	want := map[string]bool{}
	for _, r := range routes {
		method, path := strings.ToLower(r.Method), strings.TrimPrefix(r.Path, d.Under)
		want[method+" "+path] = true
		operation, _ := d.At("paths", path, method)
		object, ok := operation.(map[string]any)
		if !ok {
			complaints = append(complaints, r.Method+" "+r.Path+" is not documented")
			continue
		}
		if _, open := object["security"]; open != (r.Open || r.Shown) {
			complaints = append(complaints, r.Method+" "+r.Path+" is documented with the wrong security")
		}
	}
	for path, item := range d.Root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" && !want[method+" "+path] {
				complaints = append(complaints, method+" "+path+" is documented but is no route")
			}
		}
	}
	return complaints
}

// Undescribed returns the parts and the members of schemas that have no description,
// and the operations whose description lacks one of the texts. A part that is only a
// reference has the description of its target.
func (d *Document) Undescribed(texts ...string) (missing []string) {
	for _, kind := range []string{"schemas", "responses", "parameters", "headers", "securitySchemes"} {
		parts, _ := d.At("components", kind)
		missing = append(missing, undescribed(kind, parts)...)
	}
	schemas, _ := d.At("components", "schemas")
	for name := range schemas.(map[string]any) {
		members, _ := d.At("components", "schemas", name, "properties")
		missing = append(missing, undescribed("schema "+name, members)...)
	}
	for path, item := range d.Root["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			description, _ := operation.(map[string]any)["description"].(string)
			for _, text := range texts {
				if !strings.Contains(description, text) {
					missing = append(missing, fmt.Sprintf("%s %s: %q", method, path, text))
				}
			}
		}
	}
	return missing
}

func undescribed(of string, parts any) (missing []string) {
	objects, _ := parts.(map[string]any)
	for name, part := range objects {
		object := part.(map[string]any)
		if object["description"] == nil && object["$ref"] == nil {
			missing = append(missing, of+": "+name)
		}
	}
	return missing
}
