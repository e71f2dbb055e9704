package httpapi_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// generator draws values from the schemas of the document.
type generator struct {
	*document
	free bool // draw members with a rule from their schema too, and not only good values
}

// ruleMember is the keyword for a rule that a schema cannot say.
const ruleMember = "x-apitoken-rule"

// resolved returns the schema that a reference means, with the keywords beside the
// reference.
func (g generator) resolved(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	target, _ := g.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	all := maps.Clone(target.(map[string]any))
	for key, value := range schema {
		if key != "$ref" {
			all[key] = value
		}
	}
	return all
}

// value draws a value that fits the schema. It may miss keywords that combine
// members, such as not, so the caller checks an object as a whole.
func (g generator) value(t *rapid.T, name string, schema map[string]any) any {
	schema = g.resolved(schema)
	if choices, ok := schema["oneOf"].([]any); ok {
		return g.value(t, name, rapid.SampledFrom(choices).Draw(t, name+" choice").(map[string]any))
	}
	kind := rapid.SampledFrom(typesOf(schema)).Draw(t, name+" type")
	if kind == "null" {
		return nil
	}
	if rule, ok := schema[ruleMember].(string); ok && !g.free {
		return goodValues[rule](g, t, schema)
	}
	if enum, ok := schema["enum"].([]any); ok {
		return rapid.SampledFrom(enum).Draw(t, name)
	}
	switch kind {
	case "string":
		return text(t, name, schema)
	case "integer":
		return whole(t, name, schema)
	case "boolean":
		return rapid.Bool().Draw(t, name)
	case "array":
		return g.list(t, name, schema)
	case "object":
		return g.object(t, name, schema)
	}
	t.Fatalf("%s: the generator does not know the type %s", name, kind)
	return nil
}

func typesOf(schema map[string]any) (kinds []string) {
	switch kind := schema["type"].(type) {
	case string:
		return []string{kind}
	case []any:
		for _, k := range kind {
			kinds = append(kinds, k.(string))
		}
	}
	return kinds
}

// text draws a string: short ones, and strings of the smallest and the largest
// length.
func text(t *rapid.T, name string, schema map[string]any) string {
	least, most := length(schema, "minLength", 0), length(schema, "maxLength", 100)
	pattern, ok := schema["pattern"].(string)
	if !ok {
		n := rapid.SampledFrom([]int{least, most, min(least+8, most)}).Draw(t, name+" length")
		return rapid.OneOf(rapid.StringN(n, n, -1), rapid.StringOfN(rapid.RuneFrom([]rune("aZ09-. é日")), n, n, -1)).Draw(t, name)
	}
	for {
		if s := rapid.StringMatching(pattern).Draw(t, name); utf8.RuneCountInString(s) <= most {
			return s
		}
	}
}

func length(schema map[string]any, keyword string, fallback int) int {
	if n, ok := schema[keyword].(float64); ok {
		return int(n)
	}
	return fallback
}

// whole draws a whole number within the bounds, often a bound. Without a maximum it
// also draws a number of more than 64 bits.
func whole(t *rapid.T, name string, schema map[string]any) any {
	least, most := uint64(0), ^uint64(0)
	if n, ok := schema["minimum"].(float64); ok {
		least = uint64(n)
	}
	bound, bounded := schema["maximum"].(float64)
	switch {
	case !bounded && rapid.IntRange(0, 3).Draw(t, name+" size") == 0:
		return json.Number("1" + strings.Repeat("0", rapid.IntRange(20, 40).Draw(t, name+" zeros")))
	case bounded && bound < 1<<64: // a float64 rounds the largest number of 64 bits up
		most = uint64(bound)
	}
	return rapid.OneOf(rapid.SampledFrom([]uint64{least, most}), rapid.Uint64Range(least, most)).Draw(t, name)
}

func (g generator) list(t *rapid.T, name string, schema map[string]any) any {
	least, most := length(schema, "minItems", 0), length(schema, "maxItems", 5)
	all := []any{}
	for range rapid.SampledFrom([]int{least, least + 1, most}).Draw(t, name+" length") {
		all = append(all, g.value(t, name, schema["items"].(map[string]any)))
	}
	return all
}

// object draws each member that is not required with a probability of one half.
func (g generator) object(t *rapid.T, name string, schema map[string]any) any {
	required, _ := schema["required"].([]any)
	members := schema["properties"].(map[string]any)
	all := map[string]any{}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(required, any(member)) || rapid.Bool().Draw(t, name+" has "+member) {
			all[member] = g.value(t, member, members[member].(map[string]any))
		}
	}
	return all
}
