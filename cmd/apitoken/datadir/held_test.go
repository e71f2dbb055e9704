package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOneProcessHoldsAFile: a lock belongs to the open file, so a second Hold of the
// same process is refused like one of another process.
func TestOneProcessHoldsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "held")
	first, text, err := Hold(path)
	if err != nil || text != "" {
		t.Fatalf("got %q, %v", text, err)
	}
	if err := first.Write("a key"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got the mode %v, %v", info, err)
	}
	if _, _, err := Hold(path); !errors.Is(err, ErrHeld) {
		t.Errorf("while it is held: got %v", err)
	}
	first.Release()
	second, text, err := Hold(path)
	if err != nil || text != "a key" {
		t.Fatalf("after its release: got %q, %v", text, err)
	}
	second.Remove()
	third, text, err := Hold(path) // a new file: the removed one is another one
	if err != nil || text != "" {
		t.Errorf("after its removal: got %q, %v", text, err)
	}
	second.Release()
	if _, _, err := Hold(path); !errors.Is(err, ErrHeld) {
		t.Errorf("while the new file is held: got %v", err)
	}
	third.Release()
}

func TestHoldRefusesWhatIsNoPrivateFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("open"), nil, 0o600), os.Chmod(at("open"), 0o640), os.WriteFile(at("target"), nil, 0o600),
		os.Symlink(at("target"), at("link")), syscall.Mkfifo(at("pipe"), 0o600), os.Mkdir(at("folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"open": "open to other users", "link": "symbolic link", "pipe": "a named pipe", "folder": "is a directory", "missing/file": "no such file",
	} {
		if _, _, err := Hold(at(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
