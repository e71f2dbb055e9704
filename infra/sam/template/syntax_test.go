package template_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// readText reads the text as a template.
func readText(t *testing.T, text string) (object, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return template.Read(path)
}

// SAM reads templates with PyYAML. The wanted objects are those that PyYAML
// returns for the same text, so that our tests see what SAM deploys.
func TestReadExpandsShortFormsAndAliases(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want object
	}{
		"an alias repeats the value of its anchor": {
			"A: &a {B: [1, two]}\nC: *a\n",
			object{"A": object{"B": list(1, "two")}, "C": object{"B": list(1, "two")}},
		},
		"an anchor may name a short form": {
			"A: &a !Sub \"1:${B}\"\nC: [*a, *a]\n",
			object{"A": sub("1:${B}"), "C": list(sub("1:${B}"), sub("1:${B}"))},
		},
		"a merge key adds members": {
			"A: &a {B: 1}\nC: {<<: *a, D: 2}\n",
			object{"A": object{"B": 1}, "C": object{"B": 1, "D": 2}},
		},
		"own members win, before and after the merge key": {
			"A: &a {B: 1, C: 1, D: 1}\nE:\n  B: 2\n  <<: *a\n  C: 2\n",
			object{"A": object{"B": 1, "C": 1, "D": 1}, "E": object{"B": 2, "C": 2, "D": 1}},
		},
		"an own mapping replaces the merged one as a whole": {
			"A: &a {B: {C: 1}}\nD: {<<: *a, B: {E: 2}}\n",
			object{"A": object{"B": object{"C": 1}}, "D": object{"B": object{"E": 2}}},
		},
		"the earlier mapping of a merged list wins": {
			"A: &a {B: 1, C: 1}\nD: &d {B: 2, C: 2, E: 2}\nF: {<<: [*a, *d], C: 3}\n",
			object{"A": object{"B": 1, "C": 1}, "D": object{"B": 2, "C": 2, "E": 2}, "F": object{"B": 1, "C": 3, "E": 2}},
		},
		"the merged mapping may have its anchor at the merge key": {
			"A: {<<: &a {B: 1}, C: 2}\nD: {<<: *a}\n",
			object{"A": object{"B": 1, "C": 2}, "D": object{"B": 1}},
		},
		"a list of merges may have an anchor": {
			"A: &a [{B: 1}, {B: 2, C: 2}]\nD: {<<: *a}\n",
			object{"A": list(object{"B": 1}, object{"B": 2, "C": 2}), "D": object{"B": 1, "C": 2}},
		},
		"a merged mapping may have a merge key": {
			"A: &a {B: 1}\nC: &c {<<: *a, D: 2}\nE: {<<: *c, D: 3}\n",
			object{"A": object{"B": 1}, "C": object{"B": 1, "D": 2}, "E": object{"B": 1, "D": 3}},
		},
		"a quoted << is an ordinary member": {
			"A: {\"<<\": 1}\n",
			object{"A": object{"<<": 1}},
		},
		"GetAtt takes text or a list": {
			"A: !GetAtt B.C\nD: !GetAtt [B, C]\nE: !GetAtt B.Outputs.C\n",
			object{"A": getAtt("B.C"), "D": getAtt("B.C"), "E": object{"Fn::GetAtt": list("B", "Outputs.C")}},
		},
		"Ref and Condition have no prefix Fn": {
			"A: !If [B, !Ref C, !Ref AWS::NoValue]\nD: !Not [!Condition B]\n",
			object{"A": object{"Fn::If": list("B", ref("C"), ref("AWS::NoValue"))}, "D": object{"Fn::Not": list(object{"Condition": "B"})}},
		},
		"a short form takes a mapping": {
			"A: !Transform {Name: B}\n",
			object{"A": object{"Fn::Transform": object{"Name": "B"}}},
		},
		"scalars keep their types": {
			"A: [\"1\", 1, 1.5, \"true\", true, \"2012-10-17\", null]\n",
			object{"A": list("1", 1, 1.5, "true", true, "2012-10-17", nil)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readText(t, row.text)
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v, %v, want %v", got, err, row.want)
			}
		})
	}
}

// localstack/stream changes the variables of one function. Functions that share
// an anchor must keep theirs.
func TestReadCopiesTheValueOfAnAlias(t *testing.T) {
	all, err := readText(t, "A: &a {B: {C: 1}}\nD: *a\nE: {<<: *a}\n")
	if err != nil {
		t.Fatal(err)
	}
	at(all, "D", "B").(object)["C"] = 2
	at(all, "E", "B").(object)["C"] = 3
	want(t, all, object{"A": object{"B": object{"C": 1}}, "D": object{"B": object{"C": 2}}, "E": object{"B": object{"C": 3}}})
}

func TestReadReportsMistakesWithTheirLine(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"a member twice":              {"A: 1\nB:\n  C: 1\n  D: 1\n  C: 2\n", "line 5: member C is repeated"},
		"a member twice in a list":    {"A:\n  - {B: 1, B: 2}\n", "line 2: member B is repeated"},
		"a member twice in a merge":   {"A: 1\nB: {<<: {C: 1, C: 2}}\n", "line 2: member C is repeated"},
		"two merge keys":              {"A: &a {B: 1}\nC: &c {D: 1}\nE:\n  <<: *a\n  <<: *c\n", "line 5: member << is repeated"},
		"a merge of text":             {"A: 1\nB:\n  <<: text\n", "line 3: << takes a mapping or a list of mappings, got !!str"},
		"a merge of a number":         {"A: &a 1\n\nB: {<<: *a}\n", "line 3: << takes a mapping or a list of mappings, got !!int"},
		"a merge of null":             {"A: {<<: }\n", "line 1: << takes a mapping or a list of mappings, got !!null"},
		"a merge of a short form":     {"A: {<<: !Ref B}\n", "line 1: << takes a mapping or a list of mappings, got !Ref"},
		"a list that merges text":     {"A: &a {B: 1}\nC:\n  <<: [*a, text]\n", "line 3: << takes a mapping or a list of mappings, got !!str"},
		"an alias without its anchor": {"A: *a\n", "unknown anchor 'a'"},
		"a list":                      {"- 1\n", "got []interface {}, want a mapping"},
		"an empty file":               {"", "the file is empty"},
		"text that is not YAML":       {"A: [1\n", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readText(t, row.text)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "template.yaml") {
				t.Errorf("got %v, %v, want an error with %q and the file's name", got, err, row.want)
			}
		})
	}
	if _, err := template.Read(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v, want fs.ErrNotExist", err)
	}
}
