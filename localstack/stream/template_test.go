package stream_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

func readTemplate(t *testing.T) object {
	t.Helper()
	all, err := template.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// within returns the value at a path of member names. It fails the test if there
// is none.
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

// subset returns the template with only some resources: the named ones, those of
// the given types, and all resources that these refer to.
func subset(t *testing.T, template object, names []string, types ...string) object {
	t.Helper()
	all := within(t, template, "Resources").(object)
	keep := object{}
	var add func(names ...string)
	add = func(names ...string) {
		for _, name := range names {
			if all[name] != nil && keep[name] == nil {
				keep[name] = all[name]
				add(references(all[name])...)
			}
		}
	}
	add(references(template["Globals"])...)
	for _, name := range names {
		within(t, all, name)
		add(name)
	}
	for name, r := range all {
		if kind, _ := within(t, r, "Type").(string); slices.Contains(types, kind) {
			add(name)
		}
	}
	part := object{"Resources": keep}
	for _, section := range []string{"AWSTemplateFormatVersion", "Transform", "Parameters", "Conditions", "Globals"} {
		if template[section] != nil {
			part[section] = template[section]
		}
	}
	return part
}

// references returns the names that a part of a template refers to. Some may be
// names of parameters.
func references(v any) (names []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			names = append(names, references(e)...)
		}
	case object:
		for member, e := range v {
			names = append(names, namesIn(member, e)...)
			names = append(names, references(e)...)
		}
	}
	return names
}

// nameInText finds the names in a text of Fn::Sub.
var nameInText = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// namesIn returns the names that the value of one member refers to itself.
func namesIn(member string, v any) (names []string) {
	switch member {
	case "Ref", "DependsOn", "Fn::GetAtt":
		return textsOf(v)
	case "Fn::Sub":
		for _, text := range textsOf(v) {
			for _, found := range nameInText.FindAllStringSubmatch(text, -1) {
				names = append(names, found[1])
			}
		}
	}
	return names
}

// textsOf returns the text v, or all texts in the list v.
func textsOf(v any) (texts []string) {
	l, isList := v.([]any)
	if !isList {
		l = []any{v}
	}
	for _, e := range l {
		if text, ok := e.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
