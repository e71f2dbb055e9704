package eventfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/bustest"
	"apitoken/infra/eventfile"
)

// small is the size of a part that has one message of a test, but not two.
const small = 1000

func openSmall(t *testing.T, path string) *eventfile.File {
	t.Helper()
	f, err := eventfile.Open(path, deployment, small)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// long is a message that fills most of a small part.
func long(n int) events.Message {
	m := message(n)
	m.Data = fmt.Appendf(nil, `{"v":1,"x":"%s"}`, strings.Repeat("x", 300))
	return m
}

// readParts reads the messages of all parts.
func readParts(path string) (ms []events.Message, err error) {
	parts, err := eventfile.Parts(path)
	for _, part := range parts {
		some, rerr := read(part)
		ms, err = append(ms, some...), errors.Join(err, rerr)
	}
	return ms, err
}

func expectParts(t *testing.T, path string, want ...string) {
	t.Helper()
	parts, err := eventfile.Parts(path)
	for i := range parts {
		parts[i] = filepath.Base(parts[i])
	}
	if err != nil || !slices.Equal(parts, want) {
		t.Errorf("got parts %v, %v, want %v", parts, err, want)
	}
}

func expectAllIDs(t *testing.T, path string, want ...int) {
	t.Helper()
	ms, err := readParts(path)
	var got, wanted []string
	for _, m := range ms {
		got = append(got, m.ID)
	}
	for _, n := range want {
		wanted = append(wanted, message(n).ID)
	}
	if err != nil || !slices.Equal(got, wanted) {
		t.Errorf("the parts have %v, %v, want %v", got, err, wanted)
	}
}

func TestPartsKeepThePromisesOfTheBus(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Subject {
		path := newPath(t)
		return bustest.Subject{
			Bus: openSmall(t, path), Deployment: deployment, Ordered: true,
			Arrived: func() ([]events.Message, error) { return readParts(path) },
		}
	})
}

// TestAFullPartGetsTheNextNumber, also after a new start. A call is never divided
// between two parts.
func TestAFullPartGetsTheNextNumber(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	put(t, f, long(1))
	expectParts(t, path, "events.jsonl")
	put(t, f, long(2))
	expectParts(t, path, "events.000001.jsonl", "events.jsonl")
	put(t, f, long(3), long(4), long(5))
	f.Close()
	f = openSmall(t, path)
	put(t, f, long(6))
	expectParts(t, path, "events.000001.jsonl", "events.000002.jsonl", "events.000003.jsonl", "events.jsonl")
	expectAllIDs(t, path, 1, 2, 3, 4, 5, 6)
	for part, want := range map[string][]int{"events.000001.jsonl": {1}, "events.000003.jsonl": {3, 4, 5}, "events.jsonl": {6}} {
		expectIDs(t, filepath.Join(filepath.Dir(path), part), want...)
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), part)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v, %v, want 600", part, info.Mode(), err)
		}
	}
}

// TestALargeFirstCallMakesNoEmptyPart: an empty file is not full.
func TestALargeFirstCallMakesNoEmptyPart(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	put(t, f, long(1), long(2), long(3))
	expectParts(t, path, "events.jsonl")
	put(t, f, long(4))
	expectParts(t, path, "events.000001.jsonl", "events.jsonl")
	expectAllIDs(t, path, 1, 2, 3, 4)
}

// TestAKillBetweenTheStepsLosesAndRepeatsNothing has the folder as it is after each
// step of a rotation: the rename, the new part, the first bytes of a line.
func TestAKillBetweenTheStepsLosesAndRepeatsNothing(t *testing.T) {
	for what, step := range map[string]func(path string) error{
		"before the rename": func(string) error { return nil },
		"after the rename":  func(path string) error { return os.Rename(path, partOf(path, 1)) },
		"after the new part": func(path string) error {
			return errors.Join(os.Rename(path, partOf(path, 1)), os.WriteFile(path, nil, 0o600))
		},
		"in the first line": func(path string) error {
			return errors.Join(os.Rename(path, partOf(path, 1)), os.WriteFile(path, []byte(`{"source":"apitok`), 0o600))
		},
	} {
		path := newPath(t)
		f := openSmall(t, path)
		put(t, f, long(1))
		f.Close()
		if err := step(path); err != nil {
			t.Fatal(err)
		}
		f = openSmall(t, path)
		put(t, f, long(2))
		put(t, f, long(3))
		t.Log(what)
		expectParts(t, path, "events.000001.jsonl", "events.000002.jsonl", "events.jsonl")
		expectAllIDs(t, path, 1, 2, 3)
	}
}

func partOf(path string, n int) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("events.%06d.jsonl", n))
}

// TestAFailedRotationIsTriedAgain: no message of the call was written, and the next
// call makes only one new part.
func TestAFailedRotationIsTriedAgain(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	put(t, f, long(1))
	// In the place of the file is a folder, which cannot be opened for writing. It
	// appears between the rename and the new part, as far as the rotation can see.
	if err := errors.Join(os.Rename(path, partOf(path, 1)), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if failed, err := f.Put(t.Context(), []events.Message{long(2)}); err == nil || failed != nil || !strings.Contains(err.Error(), "beginning a new part") {
			t.Errorf("Put: got %v, %v, want an error about the new part", failed, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put(t, f, long(2))
	expectParts(t, path, "events.000001.jsonl", "events.jsonl")
	expectAllIDs(t, path, 1, 2)
}

// TestOldPartsMayBeMovedAway, except for the newest of them: the numbers go on.
func TestOldPartsMayBeMovedAway(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	for n := range 4 {
		put(t, f, long(n+1))
	}
	for n := range 2 {
		if err := os.Remove(partOf(path, n+1)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, f, long(5))
	expectParts(t, path, "events.000003.jsonl", "events.000004.jsonl", "events.jsonl")
	expectAllIDs(t, path, 3, 4, 5)
}

// TestOtherFilesAreNoParts has names that look like those of parts.
func TestOtherFilesAreNoParts(t *testing.T) {
	path := newPath(t)
	for _, name := range []string{"events.1.jsonl", "events.000000.jsonl", "events.-00001.jsonl", "events.0000001.jsonl", "events.000001.jsonl.gz", "events.copy.jsonl", "events.000001", "xevents.000001.jsonl"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expectParts(t, path)
	f := openSmall(t, path)
	put(t, f, long(1))
	put(t, f, long(2))
	expectParts(t, path, "events.000001.jsonl", "events.jsonl")
	if _, err := eventfile.Parts(filepath.Join(path, "events.jsonl")); err == nil {
		t.Error("the parts in a folder that does not exist: got no error")
	}
}

// TestPartsAreBesideTheFileThatALinkLeadsTo: the link stays a link.
func TestPartsAreBesideTheFileThatALinkLeadsTo(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	if err := os.Symlink(filepath.Join(other, "log.jsonl"), path); err != nil {
		t.Fatal(err)
	}
	f := openSmall(t, path)
	put(t, f, long(1))
	put(t, f, long(2))
	expectParts(t, path, "log.000001.jsonl", "log.jsonl")
	expectAllIDs(t, path, 1, 2)
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link: got %v, %v", info, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder of the link has %v, %v, want the link alone", entries, err)
	}
}

func TestAClosedFileIsNotRotated(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	put(t, f, long(1))
	f.Close()
	if _, err := f.Put(t.Context(), []events.Message{long(2)}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Put after Close: got %v, want %v", err, fs.ErrClosed)
	}
	expectParts(t, path, "events.jsonl")
}

// TestCopiesOfAllPartsAreOneFile: streams continue from part to part, and a fault
// names its part.
func TestCopiesOfAllPartsAreOneFile(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	ann, bob := stream(t, "user/ann", 5), stream(t, "user/bob", 2)
	for _, m := range []events.Message{ann[0], bob[0], ann[1], ann[1], ann[2], bob[1], ann[3], ann[4]} {
		put(t, f, m)
	}
	c, err := eventfile.OpenCopies(path)
	if err != nil || len(c.Faults) > 0 {
		t.Fatal(err, c.Faults)
	}
	for s, want := range map[events.Stream][]events.Message{"user/ann": ann, "user/bob": bob} {
		if got, err := c.Copy(t.Context(), s, 0, 100); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", s, got, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	parts, err := eventfile.Parts(path)
	if err != nil || len(parts) != 8 {
		t.Fatalf("got %d parts, %v, want 8", len(parts), err)
	}
	b, err := os.ReadFile(parts[0])
	if err == nil {
		err = errors.Join(os.WriteFile(parts[2], append(b, "rubbish\nno end"...), 0o600), os.WriteFile(parts[7], bytes.TrimSuffix(b, []byte("\n")), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err = eventfile.OpenCopies(path); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	for _, f := range c.Faults {
		got = append(got, fmt.Sprint(f.Part, " ", f.Line, " ", f.Detail))
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "events.000003.jsonl 2 decoding the line") || got[1] != "events.000003.jsonl 3 the line has no end" {
		t.Errorf("got faults %q", got)
	}
}

// TestThereMayBeNoPart: then there are no copies. Numbered parts alone are enough.
func TestThereMayBeNoPart(t *testing.T) {
	path := newPath(t)
	if _, err := eventfile.OpenCopies(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("without a part: got %v, want %v and the path", err, fs.ErrNotExist)
	}
	f := openSmall(t, path)
	ann := stream(t, "user/ann", 1)
	put(t, f, ann...)
	f.Close()
	if err := os.Rename(path, partOf(path, 7)); err != nil {
		t.Fatal(err)
	}
	c, err := eventfile.OpenCopies(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Copy(t.Context(), "user/ann", 0, 100); err != nil || !reflect.DeepEqual(got, ann) {
		t.Errorf("got %v, %v", got, err)
	}
}
