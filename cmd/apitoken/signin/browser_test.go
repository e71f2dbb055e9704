package signin_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/signin"
)

// TestTheBrowserGetsOnlyTheAddress, and none of the program's variables.
func TestTheBrowserGetsOnlyTheAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the script takes the place of xdg-open")
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	script := "#!/bin/sh\n{ echo \"$#\" \"$1\"; env; } >" + out + ".new\nmv " + out + ".new " + out + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	open := signin.Browser([]string{"DISPLAY=:0", "PATH=" + os.Getenv("PATH"), "APITOKEN_TOKEN=secret", "KEPT=yes"})
	if err := open("http://127.0.0.1:1/x"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for end := time.Now().Add(time.Minute); got == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got, _ = os.ReadFile(out)
	}
	if text := string(got); !strings.HasPrefix(text, "1 http://127.0.0.1:1/x\n") || !strings.Contains(text, "KEPT=yes") || strings.Contains(text, "APITOKEN") {
		t.Errorf("the browser got %q", text)
	}
	for _, environ := range [][]string{nil, {"DISPLAY="}, {"HOME=/"}} {
		if signin.Browser(environ) != nil {
			t.Errorf("%q: a browser would start in the terminal", environ)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := signin.Browser([]string{"WAYLAND_DISPLAY=w"})("http://127.0.0.1:1/x"); err == nil {
		t.Error("a browser that is not there was opened")
	}
}
