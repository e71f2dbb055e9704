package eventfile_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"
)

// verifyScript is the verifier for readers of events without Go.
const verifyScript = "../../events/verify.py"

// python returns the path of python3. CI must have it.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("CI needs python3")
	case err != nil:
		t.Skip("SKIPPED: needs python3")
	}
	if _, err := os.Stat(verifyScript); err != nil { // so go test sees a change of the script
		t.Fatal(err)
	}
	return path
}

// runVerifier returns what the script prints, and whether it found no wrong line.
func runVerifier(t *testing.T, path string) (out string, ok bool) {
	t.Helper()
	c := exec.Command(python(t), verifyScript, path)
	b, err := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); err != nil && code != 1 {
		t.Fatalf("got exit code %d, %v\n%s", code, err, b)
	}
	return string(b), err == nil
}

// threeParts writes six events of ann, three of bob and a notice into a file
// with two older parts, and returns its path.
func threeParts(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	f := open(t, path)
	ann, bob := stream(t, "user/ann", 6), stream(t, "user/bob", 3)
	put(t, f, bob[0], ann[0], ann[1])
	f.Close()
	rename(t, path, partOf(path, 1))
	f = open(t, path)
	put(t, f, message(1), ann[2], bob[1], ann[3])
	f.Close()
	rename(t, path, partOf(path, 2))
	f = open(t, path)
	put(t, f, ann[4], ann[4], ann[5], bob[2])
	return path
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// edit changes the lines of a part.
func edit(t *testing.T, path string, change func(lines []string) []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(slices.Collect(strings.Lines(string(b))))
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

const allRight = "user/ann: events 1 to 6\nuser/bob: events 1 to 3\n"

// TestThePythonVerifierFindsEachWrongLine changes real files. A test names the lines
// that the script must name, and no others.
func TestThePythonVerifierFindsEachWrongLine(t *testing.T) {
	second := func(path string) string { return partOf(path, 2) }
	newest := func(path string) string { return path }
	replace := func(line int, old, new string) func([]string) []string {
		return func(lines []string) []string {
			if !strings.Contains(lines[line-1], old) {
				panic(fmt.Sprintf("line %d has no %s", line, old))
			}
			lines[line-1] = strings.Replace(lines[line-1], old, new, 1)
			return lines
		}
	}
	for what, c := range map[string]struct {
		part   func(string) string
		change func([]string) []string
		want   []string // "part line: reason", in order
	}{
		"unchanged":         {newest, func(l []string) []string { return l }, nil},
		"a changed actor":   {second, replace(2, `"actor":"ann"`, `"actor":"amy"`), []string{"events.000002.jsonl line 2: its hash does not match its content"}},
		"a changed time":    {newest, replace(3, `Z","detail":`, `Y","detail":`), []string{"events.jsonl line 3: its members differ"}},
		"changed data":      {newest, replace(3, `"data":{"v":1,`, `"data":{"v":2,`), []string{"events.jsonl line 3: its members differ"}},
		"no sequence":       {newest, replace(3, `"sequence":"`, `"sequencE":"`), []string{"events.jsonl line 3: its members differ"}},
		"no detail":         {newest, replace(3, `"detail":`, `"detaiL":`), []string{"events.jsonl line 3: it is not an event of the service"}},
		"another schema":    {newest, replace(3, `:TokenRevoked:1"`, `:TokenCreated:1"`), []string{"events.jsonl line 3: its members differ"}},
		"another source":    {newest, replace(3, `"urn:apitoken:`, `"urn:apitokeN:`), []string{"events.jsonl line 3: its members differ"}},
		"another carrier":   {newest, replace(3, `{"source":"apitoken"`, `{"source":"apitokeN"`), []string{"events.jsonl line 3: its members differ"}},
		"another subject":   {newest, replace(3, `"subject":"J`, `"subject":"j`), []string{"events.jsonl line 3: its members differ"}},
		"another id":        {newest, replace(3, `"id":"user/ann/6"`, `"id":"user/ann/7"`), []string{"events.jsonl line 3: its members differ"}},
		"a notice's data":   {second, replace(1, `"data":{"v":1`, `"data":{"v":2`), []string{"events.000002.jsonl line 1: its members differ"}},
		"a changed dataraw": {newest, replace(3, `\"v\":1,`, `\"v\":1 ,`), []string{"events.jsonl line 3: its hash does not match its content"}},
		"a changed hash":    {newest, replace(3, `"hash":"`, `"hash":"0`), []string{"events.jsonl line 3: its hash does not match its content"}},
		"a changed MAC":     {newest, replace(2, `"recordmac":"`, `"recordmac":"x`), []string{"events.jsonl line 2: an earlier line with the same id differs"}},
		"rubbish":           {newest, func(l []string) []string { return append(l[:3], "rubbish\n", l[3]) }, []string{"events.jsonl line 4: it is not an event of the service"}},
		"a removed line":    {second, func(l []string) []string { return append(l[:1:1], l[2:]...) }, []string{"events.000002.jsonl line 3: event 4 of user/ann is out of order"}},
		"swapped lines": {second, func(l []string) []string { l[1], l[3] = l[3], l[1]; return l },
			[]string{"events.000002.jsonl line 2: event 4 of user/ann is out of order", "events.000002.jsonl line 4: event 3 of user/ann is out of order"}},
		"a line of another history": {second, func(l []string) []string { l[1] = lineOf(t, stream(t, "user/ann", 3)[2]); return l },
			[]string{"events.000002.jsonl line 2: it does not continue from the event before it", "events.000002.jsonl line 4: it does not continue from the event before it"}},
		"an end that is being written": {newest, func(l []string) []string { return l }, nil},
	} {
		path := threeParts(t)
		edit(t, c.part(path), c.change)
		if strings.HasPrefix(what, "an end") {
			cutLine(t, path)
		}
		out, ok := runVerifier(t, path)
		var found []string
		for line := range strings.Lines(out) {
			if strings.Contains(line, " line ") {
				found = append(found, line)
			}
		}
		matches := len(found) == len(c.want)
		for i := range min(len(found), len(c.want)) {
			matches = matches && strings.HasPrefix(found[i], c.want[i])
		}
		if !matches || ok != (len(c.want) == 0) || ok && out != allRight {
			t.Errorf("%s: got\n%swith success %t, want %q", what, out, ok, c.want)
		}
	}
}

// lineOf is the line of a message.
func lineOf(t *testing.T, m events.Message) string {
	t.Helper()
	path := newPath(t)
	put(t, open(t, path), m)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cutLine adds a line without an end.
func cutLine(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, `{"source":"apito`...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestThePythonVerifierAcceptsAMissingBeginning: old parts may be moved away. A first
// event that names an event before it is wrong all the same.
func TestThePythonVerifierAcceptsAMissingBeginning(t *testing.T) {
	path := threeParts(t)
	if err := os.Remove(partOf(path, 1)); err != nil {
		t.Fatal(err)
	}
	if out, ok := runVerifier(t, path); !ok || out != "user/ann: events 3 to 6\nuser/bob: events 2 to 3\n" {
		t.Errorf("without the oldest part: got %t\n%s", ok, out)
	}
	if out, ok := runVerifier(t, partOf(path, 2)); !ok || out != "user/ann: events 3 to 4\nuser/bob: events 2 to 2\n" {
		t.Errorf("one part alone: got %t\n%s", ok, out)
	}
	if out, ok := runVerifier(t, filepath.Join(t.TempDir(), "events.jsonl")); ok || !strings.Contains(out, "there is no such file") {
		t.Errorf("no file: got %t\n%s", ok, out)
	}
	path = newPath(t)
	put(t, open(t, path), firstAfter(t, events.Hash{1}))
	if out, ok := runVerifier(t, path); ok || !strings.Contains(out, "events.jsonl line 1: it does not continue") {
		t.Errorf("a first event with an event before it: got %t\n%s", ok, out)
	}
}

// firstAfter is an event with sequence 1 that names an event before it.
func firstAfter(t *testing.T, prev events.Hash) events.Message {
	t.Helper()
	facts := []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}}
	c, err := events.NewCommit(storetest.Keys, "user/ann", events.Head{Hash: prev}, events.Meta{Command: "c", At: time.Now()}, facts, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Records()[0].Message()
}

// TestThePythonVerifierAcceptsTheSamples: the samples of records have all members.
// Each begins a stream.
func TestThePythonVerifierAcceptsTheSamples(t *testing.T) {
	samples, err := filepath.Glob("../../events/samples/*.json")
	if err != nil || len(samples) < 10 {
		t.Fatalf("got %q, %v", samples, err)
	}
	for _, sample := range samples {
		b, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		path := newPath(t)
		oneLine := append(bytes.ReplaceAll(b, []byte("\n"), nil), '\n')
		if err := os.WriteFile(path, oneLine, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, ok := runVerifier(t, path); !ok {
			t.Errorf("%s: got\n%s", sample, out)
		}
	}
}
