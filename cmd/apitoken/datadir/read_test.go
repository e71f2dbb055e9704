package datadir

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const aToken = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

// mounted makes a secret as Kubernetes mounts it: token is a link to ..data/token,
// and ..data is a link to a folder with the time in its name.
func mounted(t *testing.T, mode os.FileMode) (path string) {
	t.Helper()
	dir := t.TempDir()
	versioned := filepath.Join(dir, "..2027_01_31_12_00_00.123456789")
	file := filepath.Join(versioned, "token")
	try(t, os.Mkdir(versioned, 0o755))
	try(t, os.WriteFile(file, []byte(aToken), 0o600))
	try(t, os.Chmod(file, mode))
	try(t, os.Symlink(filepath.Base(versioned), filepath.Join(dir, "..data")))
	try(t, os.Symlink("..data/token", filepath.Join(dir, "token")))
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		try(t, os.Chmod(d, 0o755)) // another user must be able to reach the file
	}
	return filepath.Join(dir, "token")
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAMountedTokenIsAcceptedOnlyIfThisUserCannotChangeIt runs itself again as a user
// that the files do not belong to.
func TestAMountedTokenIsAcceptedOnlyIfThisUserCannotChangeIt(t *testing.T) {
	if path := os.Getenv("READ_TOKEN_TEST"); path != "" {
		text, err := ReadToken(path, os.Getenv("READ_TOKEN_SHARED") == "1")
		t.Logf("result %q %v", text, err)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	for _, row := range []struct {
		name   string
		mode   os.FileMode
		shared string
		group  uint32
		want   string
		own    bool // the file belongs to this user
	}{
		{"readable to all", 0o444, "1", 65534, `result "` + aToken + `"`, false},
		{"readable to the group", 0o440, "1", 0, `result "` + aToken + `"`, false},
		{"readable to all, writable to the owner", 0o644, "1", 65534, `result "` + aToken + `"`, false},
		{"without the flag", 0o444, "0", 65534, "is open to other users (mode 444)", false},
		{"writable to the group", 0o664, "1", 65534, "is open to other users (mode 664)", false},
		{"writable to all", 0o666, "1", 65534, "is open to other users (mode 666)", false},
		{"not readable to this user", 0o440, "1", 65534, "permission denied", false},
		{"of this user", 0o444, "1", 65534, "run `chmod 600 ", true},
		{"of this user, readable to the group", 0o440, "1", 65534, "run `chmod 600 ", true},
	} {
		path := mounted(t, row.mode)
		if row.own {
			try(t, os.Chown(path, 65534, 65534))
		}
		c := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), "READ_TOKEN_TEST="+path, "READ_TOKEN_SHARED="+row.shared)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: row.group}}
		c.Dir = "/"
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), row.want) {
			t.Errorf("%s: got %s, %v; want %s", row.name, out, err, row.want)
		}
	}
}

// TestATokenOnAReadOnlyMountIsReadByItsOwner covers containers that run as root.
func TestATokenOnAReadOnlyMountIsReadByItsOwner(t *testing.T) {
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skip("this user cannot mount a file system: ", err)
	}
	self, err := os.Executable()
	try(t, err)
	for state, want := range map[string]string{"ro": `result "` + aToken + `"`, "rw": "run `chmod 600 "} {
		script := `mount -t tmpfs none "$1" && printf %s "$2" >"$1/token" && chmod 444 "$1/token" && mount -o "remount,$3" "$1" && shift 3 && exec "$@"`
		dir := t.TempDir()
		c := exec.Command("unshare", "-m", "sh", "-c", script, "sh", dir, aToken, state, self, "-test.v", "-test.run=^TestAMountedTokenIsAcceptedOnlyIfThisUserCannotChangeIt$")
		c.Env = append(os.Environ(), "READ_TOKEN_TEST="+filepath.Join(dir, "token"), "READ_TOKEN_SHARED=1")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %s, %v; want %s", state, out, err, want)
		}
	}
}

func TestTheOwnerClosesATokenFileInPlaceOfTheFlag(t *testing.T) {
	for _, mode := range []os.FileMode{0o444, 0o440, 0o644} {
		path := mounted(t, mode)
		if text, err := ReadToken(path, true); err == nil || text != "" || !strings.Contains(err.Error(), "run `chmod 600 ") {
			t.Errorf("mode %03o: got %q, %v; want the command that closes the file", mode, text, err)
		}
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
