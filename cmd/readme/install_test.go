package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInstallPutsTheCommandAndItsCompletions runs make install with an umask that
// forbids everything to others.
func TestInstallPutsTheCommandAndItsCompletions(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	before := syscall.Umask(0o077)
	out, err := exec.CommandContext(t.Context(), "make", "-C", top, "install", "DESTDIR="+dest, "PREFIX=/a b").CombinedOutput()
	syscall.Umask(before)
	if err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	for path, mode := range map[string]os.FileMode{
		"bin/apitoken": 0o755, "share/bash-completion/completions/apitoken": 0o644,
		"share/zsh/site-functions/_apitoken": 0o644, "share/fish/vendor_completions.d/apitoken.fish": 0o644,
	} {
		info, err := os.Stat(filepath.Join(dest, "a b", path))
		if err != nil || info.Mode().Perm() != mode || info.Size() == 0 {
			t.Errorf("%s: got %v, %v, want a file with mode %o", path, info, err, mode)
		}
	}
	version, err := exec.CommandContext(t.Context(), filepath.Join(dest, "a b", "bin", "apitoken"), "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), "apitoken version ") {
		t.Errorf("apitoken --version: got %q, %v", version, err)
	}
}
