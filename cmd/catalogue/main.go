// Command catalogue writes events/CATALOGUE.md, the list of all published events
// for their subscribers. Each entry is made from the event's schema and sample.
// With -check it writes nothing, and fails if the file is out of date.
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

	"apitoken/cmd/generated"
	"apitoken/events"
)

func main() {
	check := flag.Bool("check", false, "write nothing, fail if the file is out of date")
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
	return generated.File(check, path, want, "the schemas and samples: run make catalogue")
}

const preface = `# Events

Written by ` + "`make catalogue`" + ` from ` + "`events/schemas`" + ` and ` + "`events/samples`" + `.

Every event reaches EventBridge with the source ` + "`apitoken`" + ` and its type as the detail-type. The detail is a CloudEvents 1.0
object in JSON, with a ` + "`source`" + ` of its own. Delivery is at least once and in any order: ` + "`id`" + ` is the same on each delivery, and ` + "`sequence`" + ` orders the events
of one stream.

| member | meaning |
|---|---|
| ` + "`source`" + ` | ` + "`urn:apitoken:`" + ` and the id of the deployment; no other deployment has this id. The hashes do not cover it |
| ` + "`id`" + ` | stream and number; ignore an event with a source and an id that you have already handled |
| ` + "`type`, `dataschema`" + ` | the name of the event, and the URN of its schema, which ends with the version |
| ` + "`time`" + ` | when it happened, UTC, with six digits of a second |
| ` + "`subject`" + ` | the token's id, if the event is about a token |
| ` + "`stream`, `sequence`" + ` | the stream, and the number of the event in that stream, without gaps, in 12 digits |
| ` + "`commandid`" + ` | the command that caused the event; the same for all events of one command |
| ` + "`actor`, `actortokenid`" + ` | the user who acted, and the token that the user acted with |
| ` + "`actorvia`, `actoraddress`" + ` | ` + "`ui`" + ` if the session of the user was opened for the page, as the caller said who opened it, and the address of the user that the page named; both are claims and no proof; else absent |
| ` + "`keepuntil`" + ` | the log keeps the event at least until this time; absent: for ever |
| ` + "`data`, `dataraw`" + ` | the content of the event, and the exact text of it that the hash covers |
| ` + "`prevhash`, `hash`, `privatedigest`" + ` | the chain: the hash of the event before; the [hash of this event](#the-hash-of-an-event); the digest of the part that is not published |
| ` + "`recordmac`" + ` | an HMAC under a pepper, opaque to subscribers; the service recognizes its own events by it |

The meaning of a type never changes: a change gets a new version with its own schema. No event contains a secret or a verifier.
`

// schema is the part of a JSON Schema that the catalogue shows.
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
	if err := writeHash(&out, samples); err != nil {
		return nil, err
	}
	for _, k := range events.Kinds() {
		for v := 1; v <= k.Version; v++ {
			if err := writeVersion(&out, fmt.Sprintf("%s.v%d.json", k.Name, v), samples); err != nil {
				return nil, err
			}
		}
	}
	for _, notice := range events.NoticeKinds() {
		if err := writeVersion(&out, notice+".v1.json", samples); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// writeVersion writes the section of one version of an event. The schema in
// events/schemas and the sample in the folder samples both have the name file.
func writeVersion(out *bytes.Buffer, file, samples string) error {
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
	writeEvent(out, file, s, sample)
	return nil
}

// writeEvent writes the section of one event.
func writeEvent(out *bytes.Buffer, file string, s schema, sample []byte) {
	fmt.Fprintf(out, "\n## %s\n\n%s Schema: [%s](schemas/%s).\n\n| member of `data` | type | |\n|---|---|---|\n", s.Title, s.Description, file, file)
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(rank(s, a)+a, rank(s, b)+b) })
	for _, name := range names {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, s.Properties[name].typeName(), describe(s, name))
	}
	fmt.Fprintf(out, "\n```json\n%s\n```\n", bytes.TrimSpace(sample))
}

// rank sorts required members first.
func rank(s schema, name string) string {
	if slices.Contains(s.Required, name) {
		return "0"
	}
	return "1"
}

// describe returns the description of a member, and that it may be absent if it
// is not required.
func describe(s schema, name string) string {
	text := s.Properties[name].Description
	if !slices.Contains(s.Required, name) && !strings.Contains(text, "Absent") {
		text = strings.TrimSpace(text + " May be absent.")
	}
	return text
}

func (m member) typeName() string {
	switch {
	case m.Const != nil:
		return fmt.Sprint("always ", m.Const)
	case m.Items != nil:
		return "list of " + cmp.Or(m.Items.typeName(), "string")
	case m.Format != "":
		return m.Format
	}
	return m.Type
}
