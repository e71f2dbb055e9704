package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"apitoken/events"
)

var update = flag.Bool("update", false, "write the samples that are missing; those that exist are never changed")

// every has each fact of today, with all its members.
var every = append(slices.Clone(anns),
	events.SettingsChanged{TokenLimit: new(50), Expiration: new(int64(15552000)), Retention: new(int64(0))},
	events.PermissionsChanged{User: "ann", Actions: []string{"view", "create", "edit", "delete"}},
)

// recordOf is the fact as the only record of a stream.
func recordOf(t testing.TB, f events.Fact) events.Record {
	t.Helper()
	return commit(t, keys(t, pepperA), "user/ann", events.Head{}, meta, f).Records()[0]
}

func schema(t testing.TB, id string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	files, err := events.Schemas.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := events.Schemas.ReadFile("schemas/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		if err := c.AddResource(doc.(map[string]any)["$id"].(string), doc); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t testing.TB, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// TestEveryFactIsTested finds the facts in the source, so that none is left out
// of the tests that follow.
func TestEveryFactIsTested(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "fact.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, tested []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "kind" {
			declared = append(declared, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	for _, f := range every {
		tested = append(tested, recordOf(t, f).Type)
		if want := reflect.TypeOf(f).Name(); !slices.Contains(tested, want) {
			t.Errorf("the fact %s is stored as %s", want, tested[len(tested)-1])
		}
	}
	slices.Sort(declared)
	slices.Sort(tested)
	if !slices.Equal(declared, tested) {
		t.Errorf("fact.go has %v, the tests have %v", declared, tested)
	}
}

func TestFactsKeepTheirSchemas(t *testing.T) {
	for _, f := range every {
		r := recordOf(t, f)
		s := schema(t, events.SchemaID(r.Type, r.V))
		if err := validate(t, s, r.Public); err != nil {
			t.Errorf("%s: %v", r.Type, err)
		}
		data := members(t, r.Public)
		data["unheard_of"] = 1
		extended, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if validate(t, s, extended) == nil {
			t.Errorf("the schema of %s lets an unknown member pass", r.Type)
		}
	}
}

// TestSchemasSayWhatTheTypesSay compares the members of each fact's Go type
// with its schema's, both ways, and which of them are always there.
func TestSchemasSayWhatTheTypesSay(t *testing.T) {
	for _, f := range every {
		r := recordOf(t, f)
		b, err := events.Schemas.ReadFile("schemas/" + r.Type + ".v1.json")
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			ID         string `json:"$id"`
			Title      string
			Required   []string
			Properties map[string]any
		}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		if s.ID != events.SchemaID(r.Type, r.V) || s.Title != r.Type {
			t.Errorf("the schema of %s calls itself %s, %s", r.Type, s.ID, s.Title)
		}
		all, always := jsonMembers(reflect.TypeOf(f))
		compare(t, r.Type+": members", all, sortedKeys(s.Properties))
		slices.Sort(s.Required)
		compare(t, r.Type+": required members", always, s.Required)
	}
}

// jsonMembers are the names of a struct's JSON members, sorted: all, and those
// that are never left out.
func jsonMembers(typ reflect.Type) (all, always []string) {
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		all = append(all, name)
		if options == "" {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

func sortedKeys(m map[string]any) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func compare(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the type has %v, the schema has %v", what, got, want)
	}
}

// TestSamplesOfEveryVersionDecode reads events as they were once written, one
// for each version of each fact. What is published is for ever.
func TestSamplesOfEveryVersionDecode(t *testing.T) {
	if *update {
		writeMissingSamples(t)
	}
	schemas, err := events.Schemas.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range schemas {
		t.Run(file.Name(), func(t *testing.T) { sampleDecodes(t, file.Name()) })
	}
}

func sampleDecodes(t *testing.T, name string) {
	b, err := os.ReadFile(filepath.Join("samples", name))
	if err != nil {
		t.Fatalf("every version needs a sample; -update writes it: %v", err)
	}
	m, err := events.ParseDetail(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.VerifyMessages(m.Prev, []events.Message{m}); err != nil {
		t.Error(err)
	}
	if err := validate(t, schema(t, events.SchemaID(m.Type, m.V)), m.Data); err != nil {
		t.Error(err)
	}
	f, err := events.Decode(events.Record{Stream: m.Stream, Seq: m.Seq, Type: m.Type, V: m.V, Public: m.Data, Private: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(f)
	if err != nil || !bytes.Equal(again, m.Data) {
		t.Errorf("decoded and written again it is %s, %v\nand was %s", again, err, m.Data)
	}
}

// writeMissingSamples writes the events of every, with the same bytes each time.
func writeMissingSamples(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	for _, f := range every {
		r := recordOf(t, f)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, detail(t, r.Message()), "", "  "); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("samples", r.Type+".v1.json")
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pretty.WriteTo(file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
