// Command catalogue writes events/CATALOGUE.md: every event that is published,
// from its schema and its sample, for whoever subscribes. With -check it
// writes nothing and fails if the file is not what it would write.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"apitoken/events"
)

func main() {
	check := flag.Bool("check", false, "only compare")
	flag.Parse()
	if err := run(*check, filepath.Join("events", "CATALOGUE.md"), filepath.Join("events", "samples")); err != nil {
		fmt.Fprintln(os.Stderr, "catalogue:", err)
		os.Exit(1)
	}
}

func run(check bool, path, samples string) error {
	want, err := catalogue(samples)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(path, want, 0o644)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s is not what the schemas and samples say: run make catalogue", path)
	}
	return nil
}

const preface = `# Events

Written by ` + "`make catalogue`" + ` from ` + "`events/schemas`" + ` and ` + "`events/samples`" + `.

Every event reaches EventBridge with the source ` + "`apitoken`" + ` and its type as the detail-type. The detail is a CloudEvents 1.0
object in JSON. Delivery is at least once and in any order: ` + "`id`" + ` is the same on each delivery, and ` + "`sequence`" + ` orders the events
of one stream.

| member | what it is |
|---|---|
| ` + "`id`" + ` | stream and sequence; drop what you have seen |
| ` + "`type`, `dataschema`" + ` | which event, and the URN of its schema with the version at its end |
| ` + "`time`" + ` | when it happened, UTC, to the nanosecond |
| ` + "`subject`" + ` | the token's id, if it is about a token |
| ` + "`stream`, `sequence`" + ` | whose log, and its number there, without gaps |
| ` + "`commandid`" + ` | the intent that brought it about; the same for all of its events |
| ` + "`actor`, `actortokenid`" + ` | who did it, and with which token |
| ` + "`keepuntil`" + ` | until when the log keeps it at least; absent for ever |
| ` + "`data`, `dataraw`" + ` | what happened, and the very text that the hash covers |
| ` + "`prevhash`, `hash`, `privatedigest`" + ` | the chain: SHA-256 over everything above, the hash before it, and the digest of what is kept private |

A type's meaning never changes: that would be a new version with a schema of its own. No event holds a secret or a verifier.
`

// schema is what the catalogue says of one.
type schema struct {
	Title, Description string
	Required           []string
	Properties         map[string]member
}

type member struct {
	Type, Format, Description, Pattern string
	Const                              any
	Items                              *member
}

func catalogue(samples string) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(preface)
	for _, k := range events.Kinds() {
		for v := 1; v <= k.Version; v++ {
			if err := describe(&out, fmt.Sprintf("%s.v%d.json", k.Name, v), samples); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

// describe writes about one version of an event, from its schema and its
// sample, which both are in files of this name.
func describe(out *bytes.Buffer, file, samples string) error {
	b, err := events.Schemas.ReadFile("schemas/" + file)
	if err != nil {
		return err
	}
	var s schema
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	sample, err := os.ReadFile(filepath.Join(samples, file))
	if err != nil {
		return err
	}
	write(out, file, s, sample)
	return nil
}

func write(out *bytes.Buffer, file string, s schema, sample []byte) {
	fmt.Fprintf(out, "\n## %s\n\n%s Schema: [%s](schemas/%s).\n\n| member of `data` | type | |\n|---|---|---|\n", s.Title, s.Description, file, file)
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(rank(s, a)+a, rank(s, b)+b) })
	for _, name := range names {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, s.Properties[name].kind(), note(s, name))
	}
	fmt.Fprintf(out, "\n```json\n%s\n```\n", bytes.TrimSpace(sample))
}

// rank puts what is always there first.
func rank(s schema, name string) string {
	if slices.Contains(s.Required, name) {
		return "0"
	}
	return "1"
}

func note(s schema, name string) string {
	text := s.Properties[name].Description
	if !slices.Contains(s.Required, name) && !strings.Contains(text, "Absent") {
		text = strings.TrimSpace(text + " May be absent.")
	}
	return text
}

func (m member) kind() string {
	switch {
	case m.Const != nil:
		return fmt.Sprint("always ", m.Const)
	case m.Items != nil:
		return "list of " + cmp.Or(m.Items.kind(), "string")
	case m.Format != "":
		return m.Format
	}
	return m.Type
}
