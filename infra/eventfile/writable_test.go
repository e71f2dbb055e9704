package eventfile_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/infra/eventfile"
)

// TestWritableSeesThatTheFileIsNotThere, and changes nothing.
func TestWritableSeesThatTheFileIsNotThere(t *testing.T) {
	path := newPath(t)
	f := open(t, path)
	expect := func(what, want string) {
		t.Helper()
		if err := f.Writable(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	expect("a new file", "")
	if b, err := os.ReadFile(path); err != nil || len(b) > 0 {
		t.Errorf("the file has %q, %v", b, err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	expect("moved away", "no such file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("replaced", "was replaced by another file")
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	expect("put back", "")
}

// TestWritableAfterANewPart: the newest part has the name.
func TestWritableAfterANewPart(t *testing.T) {
	path := newPath(t)
	f, err := eventfile.Open(path, deployment, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := range 3 {
		_, err := f.Put(t.Context(), []events.Message{message(n + 1)})
		if err := errors.Join(err, f.Writable()); err != nil {
			t.Errorf("after %d parts: %v", n, err)
		}
	}
}
