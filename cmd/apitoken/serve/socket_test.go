package serve

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// socketFolder is a folder with a short path: the path of a socket is short.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestASocketIsForItsUserAndGroupAndIsRemovedAtTheEnd(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // the mode does not depend on it
	dir := socketFolder(t)
	path := filepath.Join(dir, "a.sock")
	l, err := listen(Config{Listen: "unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("got %v, %v, want a socket of mode 660", info.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the end left %v", left)
	}
}

// killed makes the socket of a server that was killed.
func killed(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// TestOnlyTheSocketOfAnEndedServerIsReplaced: everything else at the path stays as it is.
func TestOnlyTheSocketOfAnEndedServerIsReplaced(t *testing.T) {
	for name, row := range map[string]struct {
		make func(path string)
		want string // "": it is replaced
	}{
		"nothing":                   {func(string) {}, ""},
		"a socket of a killed one":  {func(path string) { killed(t, path) }, ""},
		"a file":                    {func(path string) { os.WriteFile(path, []byte("kept"), 0o600) }, "exists and is no socket"},
		"a folder":                  {func(path string) { os.Mkdir(path, 0o700) }, "exists and is no socket"},
		"a named pipe":              {func(path string) { syscall.Mkfifo(path, 0o600) }, "exists and is no socket"},
		"a link to a killed socket": {func(path string) { killed(t, path+".real"); os.Symlink(path+".real", path) }, "exists and is no socket"},
		"a link to nothing":         {func(path string) { os.Symlink(path+".nowhere", path) }, "exists and is no socket"},
		"a foreign server": {func(path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "is in use by another process"},
		"a server of this program": {func(path string) {
			l, err := listen(Config{Listen: "unix:" + path})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "is in use by another process"},
	} {
		path := filepath.Join(socketFolder(t), "a.sock")
		row.make(path)
		before, _ := os.Lstat(path)
		l, err := listen(Config{Listen: "unix:" + path})
		if row.want == "" {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
				continue
			}
			l.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it was removed or replaced: %v", name, err)
		}
	}
}

// TestAtTheEndOnlyTheOwnSocketIsRemoved: somebody put a file into its place.
func TestAtTheEndOnlyTheOwnSocketIsRemoved(t *testing.T) {
	path := filepath.Join(socketFolder(t), "a.sock")
	l, err := listen(Config{Listen: "unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("kept"), 0o600), l.Close()); err != nil {
		t.Fatal(err)
	}
	if text(t, path) != "kept" {
		t.Error("the file was changed")
	}
}

// TestOneOfManyServersTakesTheSocketOfAKilledOne: they start at the same time.
func TestOneOfManyServersTakesTheSocketOfAKilledOne(t *testing.T) {
	for range 20 {
		path := filepath.Join(socketFolder(t), "a.sock")
		killed(t, path)
		var all sync.WaitGroup
		var took atomic.Int32
		var owner atomic.Value
		for range 8 {
			all.Go(func() {
				if l, err := listenUnix(listenFlag, path); err == nil {
					took.Add(1)
					owner.Store(l)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 {
			t.Fatalf("%d servers took the socket, want 1", took.Load())
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the server cannot be reached: %v", err)
		}
		conn.Close()
		owner.Load().(net.Listener).Close()
	}
}

func TestAWrongPathOfASocketIsRefused(t *testing.T) {
	long := "/tmp/" + strings.Repeat("a", maxSocketPath)
	for listening, want := range map[string]string{
		"unix:": "has no path of a file", "unix:@abstract": "has no path of a file", "unix:///run/a.sock": "has no path of a file",
		"unix:" + long:            "allowed: at most 107",
		"unix:/nowhere/at/a.sock": "there is no folder /nowhere/at for the socket",
	} {
		if l, err := listen(Config{Listen: listening}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %q", listening, l, err, want)
		}
	}
	if _, err := listen(Config{Listen: "unix:/tmp/a.sock", TLSSelfSigned: true}); err == nil || !strings.Contains(err.Error(), "needs no TLS") {
		t.Errorf("with TLS: got %v", err)
	}
}
