package datadir

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAGuardedFileKeepsItsLines: errors name lines by their number.
func TestAGuardedFileKeepsItsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	for content, want := range map[string]string{"\n\n a \n\n": "\n\n a \n\n", "\ufeffa\r\nb": "a\r\nb", "": ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, readable, err := ReadGuarded(path); got != want || readable != 0 || err != nil {
			t.Errorf("%q: got %q, %03o, %v", content, got, readable, err)
		}
	}
	if err := os.WriteFile(path, []byte{0xff, 0xfe, 'a', 0}, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadGuarded(path); err == nil {
		t.Error("a file in UTF-16 is read")
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, readable, err := ReadGuarded(path); readable != 0o604 || err != nil {
		t.Errorf("a file that others can read: got %03o, %v", readable, err)
	}
}
