package stream_test

import (
	"regexp"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// object is a mapping of the template, in the form of a JSON template.
type object = template.Object

func readTemplate(t *testing.T) object {
	t.Helper()
	all, err := template.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// within gives what is found at a path of member names, and fails if nothing is.
func within(t *testing.T, v any, path ...string) any {
	t.Helper()
	for i, name := range path {
		m, _ := v.(object)
		if v = m[name]; v == nil {
			t.Fatalf("template.yaml has no %s", strings.Join(path[:i+1], "."))
		}
	}
	return v
}

// subset keeps the named resources, those of the given types, and whatever
// either of them refers to.
func subset(t *testing.T, template object, names []string, types ...string) object {
	t.Helper()
	all := within(t, template, "Resources").(object)
	keep := object{}
	var visit func(v any)
	add := func(name string) {
		if all[name] != nil && keep[name] == nil {
			keep[name] = all[name]
			visit(all[name])
		}
	}
	visit = func(v any) {
		for _, name := range references(v) {
			add(name)
		}
	}
	visit(template["Globals"])
	for _, name := range names {
		within(t, all, name)
		add(name)
	}
	for name, r := range all {
		for _, kind := range types {
			if within(t, r, "Type") == kind {
				add(name)
			}
		}
	}
	part := object{}
	for _, section := range []string{"AWSTemplateFormatVersion", "Transform", "Parameters", "Conditions", "Globals"} {
		if template[section] != nil {
			part[section] = template[section]
		}
	}
	part["Resources"] = keep
	return part
}

var inText = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// references are the names that a part of a template refers to. Some may be
// parameters.
func references(v any) (names []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			names = append(names, references(e)...)
		}
	case object:
		for member, e := range v {
			switch e := e.(type) {
			case string:
				switch member {
				case "Ref", "DependsOn":
					names = append(names, e)
				case "Fn::Sub":
					for _, found := range inText.FindAllStringSubmatch(e, -1) {
						names = append(names, found[1])
					}
				}
			case []any:
				if member == "Fn::GetAtt" || member == "DependsOn" {
					for _, name := range e {
						if text, ok := name.(string); ok {
							names = append(names, text)
						}
					}
				}
			}
			names = append(names, references(e)...)
		}
	}
	return names
}
