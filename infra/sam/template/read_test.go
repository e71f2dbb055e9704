package template_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// object is a mapping of the template, in the form of a JSON template.
type object = template.Object

// at is the value at a path of member names, nil if there is none.
var at = template.At

// objects are the objects of a list.
var objects = template.Objects

const top = "../../../"

// read reads the template.
func read(t *testing.T) object {
	t.Helper()
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ref(name string) object { return object{"Ref": name} }

// getAtt is the attribute of a resource, given as RESOURCE.ATTRIBUTE.
func getAtt(what string) object {
	resource, attribute, _ := strings.Cut(what, ".")
	return object{"Fn::GetAtt": list(resource, attribute)}
}

// attOf is the reverse of getAtt: RESOURCE.ATTRIBUTE, or nothing.
func attOf(v any) string { return strings.Join(texts(at(v, "Fn::GetAtt")), ".") }

func sub(text string) object     { return object{"Fn::Sub": text} }
func list(elements ...any) []any { return append([]any{}, elements...) }

// want compares the value at a path of members.
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

// functions returns the functions that are built from functions/, by the name of
// their folder. Their properties include those of Globals.
func functions(t *testing.T, template object) map[string]object {
	t.Helper()
	found := map[string]object{}
	for logical, r := range resources(t, template, "Serverless::Function") {
		if at(r, "Properties", "InlineCode") != nil {
			continue // of the example
		}
		name, ok := strings.CutSuffix(logical, "Function")
		if !ok || name == "" {
			t.Errorf("%s: the resource of a function must be called NAMEFunction, for `make build-NAMEFunction`", logical)
			continue
		}
		properties := maps.Clone(at(template, "Globals", "Function").(object))
		maps.Copy(properties, at(r, "Properties").(object))
		found[strings.ToLower(name)] = object{"logical": logical, "Metadata": r["Metadata"], "Properties": properties}
	}
	return found
}

// texts returns a text, or a list of texts, as a list.
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
