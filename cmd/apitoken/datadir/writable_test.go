package datadir

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestCheckWritableLeavesNothing, and the next Open removes what a killed check left.
func TestCheckWritableLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := namesIn(t, dir)
	if err := f.CheckWritable(); err != nil {
		t.Error(err)
	}
	if after := namesIn(t, dir); !slices.Equal(after, before) {
		t.Errorf("the folder has %q, before %q", after, before)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path(probeFile+tempMark+"123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after := namesIn(t, dir); !slices.Equal(after, before) {
		t.Errorf("after a kill the folder has %q, before %q", after, before)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.CheckWritable(); err == nil {
		t.Error("a folder that is not there is writable")
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
