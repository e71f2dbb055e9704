package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// operation is one operation of the document.
type operation struct {
	method, pattern string
	open            bool
	parameters      []map[string]any
	body            string // the pointer of the body's schema; "" without a body
}

// operations returns the operations of the document in a fixed order.
func (g generator) operations() (all []operation) {
	paths := g.root["paths"].(map[string]any)
	for _, pattern := range slices.Sorted(maps.Keys(paths)) {
		item := paths[pattern].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			if method == "parameters" {
				continue
			}
			o := operation{method: strings.ToUpper(method), pattern: pattern}
			of := item[method].(map[string]any)
			if form, _ := g.at("paths", pattern, method, "requestBody", "content", formType); form != nil {
				continue // oauth_test.go has the calls with a form
			}
			if isForBrowsers(pattern) {
				continue // signin_test.go has the calls with pages
			}
			_, o.open = of["security"]
			for _, holder := range []map[string]any{item, of} {
				parameters, _ := holder["parameters"].([]any)
				for _, p := range parameters {
					o.parameters = append(o.parameters, g.resolved(p.(map[string]any)))
				}
			}
			if schema, pointer := g.at("paths", pattern, method, "requestBody", "content", "application/json", "schema"); schema != nil {
				o.body = pointer
			}
			all = append(all, o)
		}
	}
	return all
}

// sample is a request that is drawn for an operation.
type sample struct {
	operation
	values map[string]string // of the path parameters
	query  url.Values
	header http.Header
	text   []byte // of the body
	broken string // how the request differs from the document; "" if it fits
}

func (s sample) target() string {
	path := s.pattern
	for name, value := range s.values {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if len(s.query) > 0 {
		path += "?" + s.query.Encode()
	}
	return path
}

func (s sample) String() string {
	return fmt.Sprintf("%s %s %v %.2000s (broken: %q)", s.method, s.target(), s.header, s.text, s.broken)
}

// fitting draws a request that fits the document. The ids are tokens that exist.
func (g generator) fitting(t *rapid.T, o operation, ids []string) sample {
	s := sample{operation: o, values: map[string]string{}, query: url.Values{}, header: http.Header{}}
	for _, p := range o.parameters {
		name, schema := p["name"].(string), p["schema"].(map[string]any)
		switch required, _ := p["required"].(bool); {
		case name == "id" && rapid.IntRange(0, 9).Draw(t, "known id") > 0:
			s.values[name] = rapid.SampledFrom(ids).Draw(t, "id")
		case p["in"] == "path":
			s.values[name] = parameterText(g.value(t, name, schema))
		case p["in"] == "header" && rapid.Bool().Draw(t, "has "+name):
			s.header.Set(name, parameterText(g.value(t, name, schema)))
		case p["in"] == "header":
		case required || rapid.Bool().Draw(t, "has "+name):
			s.query[name] = queryTexts(t, g.value(t, name, schema))
		}
	}
	if o.body != "" {
		s.text = g.body(t, o)
	}
	return s
}

// queryTexts are the values of a parameter in the query. A list is given as one value
// for each member, or as one value.
func queryTexts(t *rapid.T, value any) (texts []string) {
	list, ok := value.([]any)
	if !ok || rapid.Bool().Draw(t, "joined") {
		return []string{parameterText(value)}
	}
	for _, word := range list {
		texts = append(texts, fmt.Sprint(word))
	}
	return texts
}

// parameterText is a value in the style "form" without "explode".
func parameterText(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	words := make([]string, len(list))
	for i, word := range list {
		words[i] = fmt.Sprint(word)
	}
	return strings.Join(words, ",")
}

// attempts is how often an object is drawn until it fits its whole schema.
const attempts = 200

func (g generator) body(t *rapid.T, o operation) []byte {
	schema := g.bodySchema(o)
	for range attempts {
		text, err := json.Marshal(g.value(t, "body", schema))
		if err != nil {
			t.Fatal(err)
		}
		if g.fits(t, o, text) {
			return text
		}
	}
	t.Fatalf("%s %s: none of %d drawn bodies fits the schema", o.method, o.pattern, attempts)
	return nil
}

func (g generator) bodySchema(o operation) map[string]any {
	schema, _ := g.at("paths", o.pattern, strings.ToLower(o.method), "requestBody", "content", "application/json", "schema")
	return schema.(map[string]any)
}

// fits reports whether the text is valid JSON in the schema of the body.
func (g generator) fits(t *rapid.T, o operation, text []byte) bool {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return false
	}
	schema, err := g.schema(o.body)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value) == nil
}

// ruled returns the fields that a problem may name for a member or parameter with a
// rule. Problems about an identity name the field user.
func (g generator) ruled(o operation) (fields []string) {
	for _, p := range o.parameters {
		if g.resolved(p["schema"].(map[string]any))[ruleMember] != nil {
			fields = append(fields, p["name"].(string))
		}
	}
	if o.body == "" {
		return fields
	}
	for name, member := range g.bodySchema(o)["properties"].(map[string]any) {
		found := map[string]bool{}
		rulesOf(member, found)
		if len(found) > 0 || name == "user" {
			fields = append(fields, name)
		}
	}
	return fields
}
