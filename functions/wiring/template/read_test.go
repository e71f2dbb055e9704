// Package template_test holds template.yaml to what the code needs of it and to
// what must not go wrong on AWS. It reads the file and needs nothing else; that
// the deployed stack works is shown in localstack/stack.
package template_test

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a mapping of the template, with its short forms (!Ref, !GetAtt,
// !Sub) written out as JSON templates have them.
type object = map[string]any

const top = "../../../"

// read gives the template.
func read(t *testing.T) object {
	t.Helper()
	b, err := os.ReadFile(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	return value(t, root.Content[0]).(object)
}

func value(t *testing.T, n *yaml.Node) any {
	t.Helper()
	if name, short := strings.CutPrefix(n.ShortTag(), "!"); short && !strings.HasPrefix(name, "!") {
		bare := *n
		bare.Tag = ""
		return call(name, value(t, &bare))
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := object{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, value(t, c))
		}
		return l
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatalf("template.yaml, line %d: %v", n.Line, err)
	}
	return v
}

func call(name string, of any) object {
	if name == "Ref" || name == "Condition" {
		return object{name: of}
	}
	return object{"Fn::" + name: of}
}

func ref(name string) object     { return object{"Ref": name} }
func getAtt(what string) object  { return object{"Fn::GetAtt": what} }
func sub(text string) object     { return object{"Fn::Sub": text} }
func list(elements ...any) []any { return append([]any{}, elements...) }

// at gives what stands at a path of members, nil if there is nothing.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(object)
		v = m[name]
	}
	return v
}

// want compares what stands at a path of members.
func want(t *testing.T, v any, expected any, path ...string) {
	t.Helper()
	if got := at(v, path...); !reflect.DeepEqual(got, expected) {
		t.Errorf("%s: got %v, want %v", strings.Join(path, "."), got, expected)
	}
}

// resources are the template's resources of a type, without the prefix AWS::.
func resources(t *testing.T, template object, kind string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for name, r := range at(template, "Resources").(object) {
		if at(r, "Type") == "AWS::"+kind {
			found[name] = at(r).(object)
		}
	}
	if len(found) == 0 {
		t.Fatalf("template.yaml has no AWS::%s", kind)
	}
	return found
}

// functions are the functions that are built from functions/, by the name of
// their folder, with what Globals give them.
func functions(t *testing.T, template object) map[string]object {
	t.Helper()
	found := map[string]object{}
	for logical, r := range resources(t, template, "Serverless::Function") {
		if at(r, "Properties", "InlineCode") != nil {
			continue // the example's
		}
		name, ok := strings.CutSuffix(logical, "Function")
		if !ok || name == "" {
			t.Errorf("%s: a function's resource is called NAMEFunction, for `make build-NAMEFunction`", logical)
			continue
		}
		properties := maps.Clone(at(template, "Globals", "Function").(object))
		maps.Copy(properties, at(r, "Properties").(object))
		found[strings.ToLower(name)] = object{"logical": logical, "Metadata": r["Metadata"], "Properties": properties}
	}
	return found
}

// sorted are the names of a map.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// texts makes a list of one text or of several.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			text, _ := e.(string)
			all = append(all, text)
		}
		return all
	}
	return nil
}

// objects are the objects of a list.
func objects(v any) []object {
	l, _ := v.([]any)
	var all []object
	for _, e := range l {
		all = append(all, at(e).(object))
	}
	return all
}
