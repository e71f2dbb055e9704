package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// staged begins a restore into dir, with the files of an ended folder.
func staged(t *testing.T, e *ended, dir string) *Restore {
	t.Helper()
	r, completed, err := BeginRestore(t.Context(), dir)
	if err != nil || completed {
		t.Fatal(completed, err)
	}
	if err := r.UsePeppers(e.path(pepperFile)); err != nil {
		t.Fatal(err)
	}
	parts, err := filepath.Glob(e.path("events*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(parts, e.path(storeFile)) {
		if err := os.WriteFile(filepath.Join(r.Staging(), filepath.Base(path)), e.read(filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestARestoreThatWasKilledIsRepeatedOrCompleted: before the moving begins nothing of it
// counts, and afterwards the rest is moved. Until then no service starts on the folder.
func TestARestoreThatWasKilledIsRepeatedOrCompleted(t *testing.T) {
	e := newEnded(t)
	e.use(func(f *Folder) { e.create(f, "bob"); e.create(f, "carol") })
	for name, moved := range map[string][]string{
		"while it builds": nil, "before it moves": {}, "after the events": {"events.000001.jsonl", eventsFile},
		"after the store": {"events.000001.jsonl", eventsFile, pepperFile, storeFile},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		r := staged(t, e, dir)
		if moved != nil {
			if err := r.held.Write(restoreMoves); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range moved {
			if err := os.Rename(filepath.Join(r.Staging(), file), filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		r.held.Release() // a killed process holds nothing
		if _, err := Open(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "a restore into") {
			t.Errorf("%s: a service gets %v", name, err)
		}
		again, completed, err := BeginRestore(t.Context(), dir)
		if err != nil || completed != (moved != nil) {
			t.Fatalf("%s: got %v, %v", name, completed, err)
		}
		if !completed {
			if left, err := os.ReadDir(again.Staging()); err != nil || len(left) > 0 {
				t.Errorf("%s: the earlier attempt left %v, %v", name, left, err)
			}
			again.Abandon()
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("%s: the folder was there before: %v", name, err)
			}
			continue
		}
		f, err := Open(t.Context(), dir, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := errors.Join(f.CheckEvents(t.Context()), f.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, file := range []string{restoreFile, stagingDir} {
			if exists(dir, file) {
				t.Errorf("%s: %s is left", name, file)
			}
		}
	}
}

func TestOneRestoreAtATimeAndNeverOverAStore(t *testing.T) {
	e := newEnded(t)
	dir := filepath.Join(t.TempDir(), "data")
	r := staged(t, e, dir)
	if _, _, err := BeginRestore(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "another restore into") {
		t.Errorf("the second restore got %v", err)
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := BeginRestore(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "never replaces a store") {
		t.Errorf("a restore over a store got %v", err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := BeginRestore(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "is not a data folder") {
		t.Errorf("a foreign folder got %v", err)
	}
}

// TestAnotherFileIsNeverReplaced: a backup gets its name in the end, and another backup
// may have it by then.
func TestAnotherFileIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(os.WriteFile(from, []byte("new"), 0o600), os.WriteFile(to, []byte("old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := NameNew(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "old" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := errors.Join(os.Remove(to), NameNew(from, to)); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "new" || exists(dir, "from") {
		t.Errorf("got %q, %v", b, err)
	}
}
