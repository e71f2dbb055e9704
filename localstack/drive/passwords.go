package drive

import (
	"os"
	"path/filepath"
	"testing"
)

// Password is the password of the user ann in the file of Passwords.
const Password = "sesame"

// Passwords writes a password file for serve, as htpasswd -B -C 10 writes it, and returns
// its path.
func Passwords(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	const line = "ann:$2y$10$zNJ3VgmZSkIFB4.Os3GdnOvpYYxRO0ckXWNzvlDDZMPRen/G1Kf96\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
