// Package template reads template.yaml as CloudFormation sees it. Its tests
// hold the template to what the code needs and to what must not go wrong on
// AWS. They read the file and need nothing else; that the deployed stack works
// is shown in localstack/stack.
//
// Only tests use this package.
package template

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is a mapping of the template in the form of a JSON template: the short
// forms !Ref, !GetAtt and !Sub are written out, and anchors, aliases and merge
// keys (<<) are replaced by what they name.
type Object = map[string]any

// Read reads the template in the file at path. Its errors name the line.
func Read(path string) (Object, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if root.Kind != yaml.DocumentNode {
		return nil, fmt.Errorf("reading %s: the file is empty", path)
	}
	v, err := valueOf(root.Content[0])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	template, ok := v.(Object)
	if !ok {
		return nil, fmt.Errorf("reading %s: got %T, want a mapping", path, v)
	}
	return template, nil
}

// At returns the value at a path of member names, nil if there is none.
func At(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(Object)
		v = m[name]
	}
	return v
}

func valueOf(n *yaml.Node) (any, error) {
	if name, short := strings.CutPrefix(n.Tag, "!"); short && !strings.HasPrefix(name, "!") {
		bare := *n
		bare.Tag = ""
		argument, err := valueOf(&bare)
		return functionOf(name, argument), err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return valueOf(n.Alias)
	case yaml.MappingNode:
		return mappingOf(n)
	case yaml.SequenceNode:
		return sequenceOf(n)
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, fmt.Errorf("line %d: %w", n.Line, err)
	}
	return v, nil
}

// mappingOf reads a mapping. Its own members win over merged ones, and each
// name may be there only once.
func mappingOf(n *yaml.Node) (Object, error) {
	own, merged := Object{}, Object{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		v, err := valueOf(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if key.Tag == "!!merge" {
			if err := merge(merged, v, key.Line); err != nil {
				return nil, err
			}
			continue
		}
		if _, twice := own[key.Value]; twice {
			return nil, fmt.Errorf("line %d: the member %s is there twice", key.Line, key.Value)
		}
		own[key.Value] = v
	}
	for name, v := range merged {
		if _, has := own[name]; !has {
			own[name] = v
		}
	}
	return own, nil
}

// merge adds the members of v, a mapping or a list of mappings, of which the
// earlier ones win (YAML merge keys, yaml.org/type/merge.html).
func merge(into Object, v any, line int) error {
	sources, isList := v.([]any)
	if !isList {
		sources = []any{v}
	}
	for _, source := range sources {
		m, ok := source.(Object)
		if !ok {
			return fmt.Errorf("line %d: a merge key takes mappings, not %T", line, source)
		}
		for name, v := range m {
			if _, has := into[name]; !has {
				into[name] = v
			}
		}
	}
	return nil
}

func sequenceOf(n *yaml.Node) ([]any, error) {
	l := make([]any, len(n.Content))
	for i, c := range n.Content {
		var err error
		if l[i], err = valueOf(c); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// functionOf writes a short form out. JSON templates take the argument of
// GetAtt as a list of resource and attribute.
func functionOf(name string, argument any) Object {
	switch name {
	case "Ref", "Condition":
		return Object{name: argument}
	case "GetAtt":
		if text, ok := argument.(string); ok {
			resource, attribute, _ := strings.Cut(text, ".")
			argument = []any{resource, attribute}
		}
	}
	return Object{"Fn::" + name: argument}
}
