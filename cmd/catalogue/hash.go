package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"apitoken/events"
)

// lineText describes a line of an event file.
const lineText = `
## A line of events.jsonl

` + "`apitoken serve`" + ` writes each event on a line of its own into ` + "`DIR/events.jsonl`" + `. A line is a JSON object with those members of an
EventBridge event that do not belong to AWS:

| member | meaning |
|---|---|
| ` + "`source`" + ` | always ` + "`apitoken`" + ` |
| ` + "`detail-type`" + ` | the type of the event |
| ` + "`time`" + ` | the time of the event, with six digits of a second |
| ` + "`detail`" + ` | the CloudEvents object with the members above |

` + "```sh" + `
jq -r '.detail | [.time, .id, .type, .actor] | @tsv' events.jsonl
` + "```" + `

The events of one stream are in order. A line may be repeated. When the file is full it becomes ` + "`events.000001.jsonl`" + `, the next one
` + "`events.000002.jsonl`" + `, and so on. ` + "`apitoken audit export`" + ` prints the CloudEvents objects alone, one on a line.
`

// hashText describes the hash of an event, up to the worked example.
const hashText = `
## The hash of an event

` + "`hash`" + ` is the SHA-256 of ten parts, or of twelve if the event has ` + "`actorvia`" + `, one directly after the other. Before each part, also before an empty one, is the number of its bytes
as an unsigned 64-bit integer, the highest byte first. Texts are in UTF-8. In JSON both hashes and the digest are 64 hexadecimal
digits in lower case.

| | part | its bytes |
|---|---|---|
| 1 | ` + "`prevhash`" + ` | the 32 bytes of the hash of the event before; 32 zero bytes for the first event of a stream |
| 2 | ` + "`sequence`, `type`, version" + ` | a text with a slash between them, like ` + "`7/TokenRevoked/1`" + `: the sequence in decimal without leading zeros, the version as at the end of ` + "`dataschema`" + ` |
| 3 | ` + "`stream`" + ` | the text |
| 4 | ` + "`commandid`" + ` | the text |
| 5 | ` + "`actor`" + ` | the text; empty if the member is absent |
| 6 | ` + "`actortokenid`" + ` | the text; empty if the member is absent |
| 7 | ` + "`time`" + ` | the text, 27 bytes |
| 8 | ` + "`keepuntil`" + ` | the text, 27 bytes; ` + "`" + forEver + "`" + ` if the member is absent |
| 9 | ` + "`dataraw`" + ` | the text, after JSON's escapes of the member itself are decoded. Do not write ` + "`data`" + ` again in its place: the order of its members and its escapes count |
| 10 | ` + "`privatedigest`" + ` | the 32 bytes of the SHA-256 of the part that is not published. That part has random bytes, so it cannot be guessed from the digest |
| 11 | ` + "`actorvia`" + ` | the text; the event has no such part if the member is absent |
| 12 | ` + "`actoraddress`" + ` | the text; empty if this member is absent; no such part without ` + "`actorvia`" + ` |

The hash does not cover the other members. ` + "`id`, `subject`, `data` and `dataschema`" + ` repeat what it covers, so compare them: ` + "`id`" + ` is
stream, slash and sequence in decimal, ` + "`subject`" + ` is ` + "`token_id`" + ` of ` + "`dataraw`" + `, ` + "`data`" + ` is the same JSON value as ` + "`dataraw`" + `, and
` + "`dataschema`" + ` begins with ` + "`urn:apitoken:event:`" + ` and the type. ` + "`recordmac`" + ` is an HMAC over the hash, which only the service can
verify. A notice (` + "`TokenExpiring`, `TokenReused`" + `) belongs to no stream and has no hash.

In a stream, ` + "`sequence`" + ` counts from 1 without gaps, and ` + "`prevhash`" + ` is ` + "`hash`" + ` of the event before. The chain shows that no event was
changed, moved, or removed from between two others. It does not show that events at the beginning or the end are missing, and
a person who can write the whole file can compute a new chain. Against both, keep the last ` + "`hash`" + ` of each stream elsewhere.

`

// forEver is how the hash covers an absent keepuntil.
const forEver = "0001-01-01T00:00:00.000000Z"

// exampleFile is the sample of the worked example.
const exampleFile = "TokenRevoked.v1.json"

// writeHash writes the sections about lines and hashes. The worked example is
// computed from the members of a sample, as a reader computes it, and compared with
// the hash of the sample.
func writeHash(out *bytes.Buffer, samples string) error {
	b, err := os.ReadFile(filepath.Join(samples, exampleFile))
	if err != nil {
		return err
	}
	m, err := events.ParseDetail(b)
	if err != nil {
		return err
	}
	if err := events.VerifyMessages(m.Prev, []events.Message{m}); err != nil {
		return err
	}
	parts, want, err := hashedParts(b)
	if err != nil {
		return fmt.Errorf("%s: %w", exampleFile, err)
	}
	if got := sumOf(parts); got != want {
		return fmt.Errorf("%s: the parts have the hash %s, the sample has %s: the catalogue does not describe how the service hashes", exampleFile, got, want)
	}
	out.WriteString(lineText)
	out.WriteString(hashText)
	writeExample(out, parts, want)
	return nil
}

// part is one part of what a hash covers.
type part struct {
	name  string
	text  string // of the bytes, empty if they are no text
	bytes []byte
}

// hashedParts are the parts that the hash of an event covers, and its hash.
func hashedParts(detail []byte) (parts []part, hash string, err error) {
	var e struct {
		Type, Time, DataSchema, Stream, Sequence, CommandID, Actor, ActorTokenID, KeepUntil, DataRaw, PrivateDigest, PrevHash, Hash string
	}
	if err := json.Unmarshal(detail, &e); err != nil {
		return nil, "", err
	}
	seq, err := strconv.ParseUint(e.Sequence, 10, 64)
	if err != nil {
		return nil, "", err
	}
	version := e.DataSchema[strings.LastIndexByte(e.DataSchema, ':')+1:]
	for _, p := range []struct {
		name, value string
		hex         bool
	}{
		{"prevhash", e.PrevHash, true},
		{"sequence/type/version", fmt.Sprintf("%d/%s/%s", seq, e.Type, version), false},
		{"stream", e.Stream, false},
		{"commandid", e.CommandID, false},
		{"actor", e.Actor, false},
		{"actortokenid", e.ActorTokenID, false},
		{"time", e.Time, false},
		{"keepuntil", cmp.Or(e.KeepUntil, forEver), false},
		{"dataraw", e.DataRaw, false},
		{"privatedigest", e.PrivateDigest, true},
	} {
		made := part{p.name, p.value, []byte(p.value)}
		if p.hex {
			made.text = ""
			if made.bytes, err = hex.DecodeString(p.value); err != nil {
				return nil, "", fmt.Errorf("%s: %w", p.name, err)
			}
		}
		parts = append(parts, made)
	}
	return parts, e.Hash, nil
}

func sumOf(parts []part) string {
	var all []byte
	for _, p := range parts {
		all = append(append(all, p.length()...), p.bytes...)
	}
	return fmt.Sprintf("%x", sha256.Sum256(all))
}

// length is the number of bytes as it is before the part.
func (p part) length() []byte { return binary.BigEndian.AppendUint64(nil, uint64(len(p.bytes))) }

// hexLine is how many bytes a line of the example shows.
const hexLine = 48

func writeExample(out *bytes.Buffer, parts []part, hash string) {
	fmt.Fprintf(out, "For example, these are the bytes for the event in the section [TokenRevoked](#tokenrevoked), in hexadecimal. Each part is after a\n"+
		"comment with its name and its text. The first line of a part is its length.\n\n```\n")
	for i, p := range parts {
		fmt.Fprintf(out, "# %s\n%x\n", strings.TrimSpace(fmt.Sprintf("%d %s %s", i+1, p.name, p.text)), p.length())
		for rest := p.bytes; len(rest) > 0; rest = rest[min(hexLine, len(rest)):] {
			fmt.Fprintf(out, "%x\n", rest[:min(hexLine, len(rest))])
		}
	}
	fmt.Fprintf(out, "```\n\nTheir SHA-256 is `%s`, the `hash` of the event.\n"+
		"`grep -v '#' BLOCK | xxd -r -p | sha256sum` prints it, if the file `BLOCK` has the lines of the block.\n\n", hash)
	out.WriteString("`python3 events/verify.py FILE` verifies a file of events with all its parts; [verify.py](verify.py) needs only Python's standard library.\n" +
		"`apitoken audit verify --events FILE` does the same. Both also read the output of `apitoken audit export`.\n")
}
