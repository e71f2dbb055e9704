package datadir

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownedBy is a regular file of a user with a mode.
type ownedBy struct {
	user uint32
	mode fs.FileMode
}

func (o ownedBy) Name() string       { return "f" }
func (o ownedBy) Size() int64        { return 1 }
func (o ownedBy) Mode() fs.FileMode  { return o.mode }
func (o ownedBy) ModTime() time.Time { return time.Time{} }
func (o ownedBy) IsDir() bool        { return false }
func (o ownedBy) Sys() any           { return &syscall.Stat_t{Uid: o.user} }

// TestTheGroupMayReadOnlyFilesOfRootAndCredentials covers each mode of permissions.
func TestTheGroupMayReadOnlyFilesOfRootAndCredentials(t *testing.T) {
	credentials, elsewhere := t.TempDir(), t.TempDir()
	inside, outside := filepath.Join(credentials, "tls.key"), filepath.Join(elsewhere, "tls.key")
	for _, path := range []string{inside, outside} {
		try(t, os.WriteFile(path, nil, 0o600))
	}
	link := filepath.Join(elsewhere, "link")
	try(t, os.Symlink(inside, link))
	deeper := filepath.Join(credentials, "folder", "tls.key")
	try(t, os.Mkdir(filepath.Dir(deeper), 0o700))
	try(t, os.WriteFile(deeper, nil, 0o600))
	t.Chdir(credentials)
	for _, row := range []struct {
		path, credentials string
		user              uint32
		groupReads        bool
	}{
		{outside, credentials, 0, true},
		{outside, "", 0, true},
		{outside, credentials, 1000, false},
		{outside, "", 1000, false},
		{inside, credentials, 1000, true},
		{inside, credentials + "/", 65534, true},
		{inside, "", 1000, false},
		{inside, elsewhere, 1000, false},
		{inside, "/nowhere", 1000, false},
		{link, credentials, 1000, true},
		{"tls.key", credentials, 1000, true},
		{inside, ".", 1000, true},
		{deeper, credentials, 1000, false},
	} {
		for mode := range fs.FileMode(0o1000) {
			want := mode&0o077 == 0 || mode&0o077 == 0o040 && row.groupReads
			err := Mounted{Credentials: row.credentials}.check(row.path, nil, ownedBy{row.user, mode})
			if (err == nil) != want {
				t.Errorf("%+v, mode %03o: got %v, want it accepted: %v", row, mode, err, want)
			}
		}
	}
}

// TestATokenAndAKeyHaveTheSameRule reads files of this user.
func TestATokenAndAKeyHaveTheSameRule(t *testing.T) {
	for _, mode := range []fs.FileMode{0o400, 0o600, 0o440, 0o640, 0o460, 0o444, 0o604, 0o606} {
		path := mounted(t, mode)
		for _, m := range []Mounted{{}, {Credentials: filepath.Dir(path) + "/..data"}} {
			_, asToken := ReadToken(path, m)
			_, asKey := ReadMounted(path, m)
			want := mode&0o077 == 0 || mode&0o077 == 0o040 && (os.Geteuid() == 0 || m.Credentials != "")
			if (asToken == nil) != want || (asKey == nil) != want {
				t.Errorf("mode %03o, %+v: got %v and %v, want it accepted: %v", mode, m, asToken, asKey, want)
			}
		}
	}
}

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

// TestAMountedTokenIsAcceptedOnlyIfThisUserCannotChangeIt runs itself again as a user
// that the files do not belong to.
func TestAMountedTokenIsAcceptedOnlyIfThisUserCannotChangeIt(t *testing.T) {
	if path := os.Getenv("READ_TOKEN_TEST"); path != "" {
		text, err := ReadToken(path, Mounted{Shared: os.Getenv("READ_TOKEN_SHARED") == "1"})
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
		{"readable to the group", 0o440, "0", 0, `result "` + aToken + `"`, false},
		{"readable to the group, writable to the owner", 0o640, "0", 0, `result "` + aToken + `"`, false},
		{"readable to all, writable to the owner", 0o644, "1", 65534, `result "` + aToken + `"`, false},
		{"without the flag", 0o444, "0", 65534, "is open to other users (mode 444)", false},
		{"writable to the group", 0o660, "0", 0, "is open to other users (mode 660)", false},
		{"writable to the group, readable to all", 0o664, "1", 65534, "is open to other users (mode 664)", false},
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
	for _, mode := range []os.FileMode{0o444, 0o644} {
		path := mounted(t, mode)
		if text, err := ReadToken(path, Mounted{Shared: true}); err == nil || text != "" || !strings.Contains(err.Error(), "run `chmod 600 ") {
			t.Errorf("mode %03o: got %q, %v; want the command that closes the file", mode, text, err)
		}
	}
}
