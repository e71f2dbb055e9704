// Package template reads template.yaml as CloudFormation sees it. Its tests
// check that the template has what the code needs, and that it avoids known
// dangers on AWS. They need only the file. The tests of localstack/stack show
// that the deployed stack works.
//
// Only tests and the command cost use this package.
package template

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is a mapping of the template, in the form of a JSON template. Short
// forms (!Ref, !GetAtt, !Sub) are written out. Aliases and merge keys (<<) are
// replaced by a copy of the value that they name.
type Object = map[string]any

// Read reads the template in the file at path. Errors name the file and, where
// there is one, the line.
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

// At returns the value at a path of member names, or nil if there is none.
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

// mappingOf reads a mapping. Its own members have precedence over merged ones. A
// repeated member is an error, because only one of its values would count.
func mappingOf(n *yaml.Node) (Object, error) {
	own, merged := Object{}, Object(nil)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		isMerge := key.Tag == "!!merge"
		if _, twice := own[key.Value]; twice || isMerge && merged != nil {
			return nil, fmt.Errorf("line %d: member %s is repeated", key.Line, key.Value)
		}
		var err error
		if isMerge {
			merged, err = mergedOf(value)
		} else {
			own[key.Value], err = valueOf(value)
		}
		if err != nil {
			return nil, err
		}
	}
	addMissing(own, merged)
	return own, nil
}

// mergedOf returns the members that a merge key adds: those of a mapping, or of
// a list of mappings. An earlier mapping of the list has precedence over a later
// one (yaml.org/type/merge.html).
func mergedOf(n *yaml.Node) (Object, error) {
	sources := []*yaml.Node{n}
	if list := target(n); list.Kind == yaml.SequenceNode {
		sources = list.Content
	}
	merged := Object{}
	for _, source := range sources {
		if m := target(source); m.Kind != yaml.MappingNode || m.Tag != "!!map" {
			return nil, fmt.Errorf("line %d: << takes a mapping or a list of mappings, got %s", source.Line, m.Tag)
		}
		v, err := valueOf(source)
		if err != nil {
			return nil, err
		}
		addMissing(merged, v.(Object))
	}
	return merged, nil
}

// target returns the node that an alias names, or n itself.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// addMissing adds the members of more that into does not have.
func addMissing(into, more Object) {
	for name, v := range more {
		if _, has := into[name]; !has {
			into[name] = v
		}
	}
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

// functionOf returns the long form of a short form. In JSON templates the
// argument of GetAtt is a list of resource and attribute.
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
