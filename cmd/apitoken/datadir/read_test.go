package datadir

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const aToken = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// specials makes one file of each kind that is no regular file.
func specials(t *testing.T) map[string]func(path string) {
	return map[string]func(string){
		"a folder":     func(path string) { try(t, os.Mkdir(path, 0o700)) },
		"a named pipe": func(path string) { try(t, unix.Mkfifo(path, 0o600)) },
		"a device":     func(path string) { try(t, os.Symlink("/dev/null", path)) },
		"a socket": func(path string) {
			l, err := net.Listen("unix", path)
			try(t, err)
			t.Cleanup(func() { l.Close() })
		},
	}
}

func TestOnlyRegularFilesAreReadAndNothingHangs(t *testing.T) {
	for kind, make := range specials(t) {
		path := filepath.Join(t.TempDir(), "f")
		make(path)
		for name, read := range map[string]func(string) (string, error){"private": ReadPrivate, "secret": ReadSecret, "public": ReadPublic} {
			if text, err := read(path); err == nil || text != "" || !strings.HasSuffix(err.Error(), path+" is "+kind+", not a regular file") {
				t.Errorf("%s, %s: got %q, %v", kind, name, text, err)
			}
		}
	}
}

func TestAFolderWithASpecialFileDoesNotOpen(t *testing.T) {
	for _, name := range []string{pepperFile, storeFile, adminFile, markerFile, eventsFile, "events.000001.jsonl", certificateFile, keyFile} {
		for kind, make := range specials(t) {
			dir, err := os.MkdirTemp("", "d") // the path of a socket is short
			try(t, err)
			t.Cleanup(func() { os.RemoveAll(dir) })
			f, err := Open(t.Context(), dir, nil)
			try(t, err)
			try(t, f.Close())
			try(t, os.RemoveAll(filepath.Join(dir, name)))
			make(filepath.Join(dir, name))
			if f, err := Open(t.Context(), dir, nil); err == nil {
				f.Close()
				t.Errorf("%s is %s: the folder opened", name, kind)
			} else if !strings.Contains(err.Error(), name+" is "+kind) {
				t.Errorf("%s is %s: got %v", name, kind, err)
			}
		}
	}
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	for _, name := range []string{".", pepperFile, storeFile, adminFile} {
		dir := t.TempDir()
		f, err := Open(t.Context(), dir, nil)
		try(t, err)
		try(t, f.Close())
		path := filepath.Join(dir, name)
		if name == adminFile {
			try(t, WritePrivate(path, aToken))
		}
		try(t, os.Chown(path, 65534, 65534))
		if f, err := Open(t.Context(), dir, nil); err == nil {
			f.Close()
			t.Errorf("%s of another user: the folder opened", name)
		} else if want := path + " belongs to user 65534, but this process runs as user 0"; !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestOnlyOwnTemporaryFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(t.Context(), dir, nil)
	try(t, err)
	try(t, f.Close())
	own := []string{"peppers.tmp-1", "admin.token.tmp-123", "admin.pending.tmp-9", "tls.crt.tmp-4", "tls.key.tmp-5"}
	kept := []string{"notes.tmp-1", "peppers.tmp-", "peppers.tmp-1.bak", "my-peppers.tmp-1", "tls.crt.tmp-a", ".tmp-7", "apitoken.db.tmp-1"}
	for _, name := range append(own, kept...) {
		try(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	folder, link := "tls.key.tmp-77", "tls.crt.tmp-88"
	try(t, os.MkdirAll(filepath.Join(dir, folder, "full"), 0o700))
	try(t, os.Symlink("peppers", filepath.Join(dir, link)))
	f, err = Open(t.Context(), dir, nil)
	try(t, err)
	try(t, f.Close())
	for _, name := range own {
		if exists(dir, name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range append(kept, folder, link, pepperFile) {
		if !exists(dir, name) {
			t.Errorf("%s was removed", name)
		}
	}
}

func TestNamesOfTemporaryFilesAreThoseOfThisProgram(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{pepperFile, adminFile, markerFile, certificateFile, keyFile} {
		var temporary string
		try(t, writeAtomically(filepath.Join(dir, name), "text", func(from, to string) error {
			temporary = filepath.Base(from)
			return os.Rename(from, to)
		}))
		if !isTemporary(temporary) || isTemporary(name) {
			t.Errorf("%s, %s: only the first is temporary", temporary, name)
		}
	}
}
