package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
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

var update = flag.Bool("update", false, "write missing samples; existing samples are never changed")

// recordOf returns the record of the fact, as the only record of its stream.
func recordOf(t testing.TB, f events.Fact) events.Record {
	t.Helper()
	return commit(t, keys(t, pepperA), streamFor(t, kindOf(t, f)), events.Head{}, meta, f).Records()[0]
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

func TestFactsMatchTheirSchemas(t *testing.T) {
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
			t.Errorf("the schema of %s allows an unknown member", r.Type)
		}
	}
}

// TestSchemasHaveTheMembersOfTheTypes compares each fact's Go type with its
// schema: the names of all members, and of the required members.
func TestSchemasHaveTheMembersOfTheTypes(t *testing.T) {
	for _, f := range every {
		r := recordOf(t, f)
		b, err := events.Schemas.ReadFile("schemas/" + fileOf(r.Type, r.V))
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
			t.Errorf("the schema of %s has the id %s and the title %s", r.Type, s.ID, s.Title)
		}
		all, always := jsonMembers(reflect.TypeOf(f))
		compare(t, r.Type+": members", all, sortedKeys(s.Properties))
		slices.Sort(s.Required)
		compare(t, r.Type+": required members", always, s.Required)
	}
}

// jsonMembers returns the sorted names of a fact's JSON members: all of them, and
// those that are never omitted. The codec adds "v" to each fact.
func jsonMembers(typ reflect.Type) (all, always []string) {
	all, always = []string{"v"}, []string{"v"}
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

// TestSamplesOfEveryVersionDecode reads a stored sample for each version of each
// fact. Published events must stay readable for ever.
func TestSamplesOfEveryVersionDecode(t *testing.T) {
	if *update {
		writeMissingSamples(t)
	}
	for _, name := range versionFiles() {
		t.Run(name, func(t *testing.T) { sampleDecodes(t, name) })
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
	if err := m.CheckMAC(keys(t, pepperA)); err != nil {
		t.Error(err)
	}
	if err := validate(t, schema(t, events.SchemaID(m.Type, m.V)), m.Data); err != nil {
		t.Error(err)
	}
	f, err := events.Decode(events.Record{Stream: m.Stream, Seq: m.Seq, Type: m.Type, V: m.V, Public: m.Data, Private: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if again := recordOf(t, f); again.V == m.V && !bytes.Equal(again.Public, m.Data) {
		t.Errorf("decoded and encoded again: got %s\nwant %s", again.Public, m.Data)
	}
}

// writeMissingSamples writes a sample of each fact in the list every that has
// none. The bytes are the same each time, because the randomness is fixed.
func writeMissingSamples(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	for _, f := range every {
		r := recordOf(t, f)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, detail(t, published(r)), "", "  "); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("samples", fileOf(r.Type, r.V))
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		if _, err := pretty.WriteTo(file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
