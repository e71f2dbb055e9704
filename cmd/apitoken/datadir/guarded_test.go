package datadir

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// TestAFileThatOthersCanReplaceIsRefused: another user could put an older file back, with a
// password or an issuer that was taken away.
func TestAFileThatOthersCanReplaceIsRefused(t *testing.T) {
	type folder struct {
		mode        os.FileMode
		user, group int
	}
	const me, other = -1, 65534
	own, sticky, open, foreign := folder{0o755, me, me}, folder{0o777 | os.ModeSticky, me, me}, folder{0o777, me, me}, folder{0o755, other, me}
	for name, row := range map[string]struct {
		link, target folder
		want         string // "LINK" and "TARGET" are the folders; "": accepted
	}{
		"folders of this user":               {own, own, ""},
		"like /tmp":                          {sticky, sticky, ""},
		"the target in an open folder":       {own, open, "run `chmod go-w TARGET`"},
		"the link in an open folder":         {open, own, "run `chmod go-w LINK`"},
		"a folder of this group":             {folder{0o775, me, me}, folder{0o770, me, me}, ""},
		"a folder of another group":          {folder{0o770, me, other}, own, "(mode 770)"},
		"the target in another's folder":     {own, foreign, "the folder TARGET belongs to user 65534"},
		"the link in another's folder":       {foreign, own, "the folder LINK belongs to user 65534"},
		"another's folder with a sticky bit": {own, folder{0o777 | os.ModeSticky, other, me}, "belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			if (row.link.user == other || row.target.user == other || row.link.group == other) && os.Geteuid() != 0 {
				t.Skip("only root can give a folder to another user or group")
			}
			base := t.TempDir()
			link, target := filepath.Join(base, "link"), filepath.Join(base, "target")
			for dir, f := range map[string]folder{link: row.link, target: row.target} {
				try(t, os.Mkdir(dir, 0o700))
				if dir == target {
					try(t, os.WriteFile(filepath.Join(target, "file"), []byte("a"), 0o600))
				} else {
					try(t, os.Symlink(filepath.Join(target, "file"), filepath.Join(link, "file")))
				}
				try(t, os.Chown(dir, f.user, f.group))
				try(t, os.Chmod(dir, f.mode))
			}
			want := strings.NewReplacer("LINK", link, "TARGET", target).Replace(row.want)
			path := filepath.Join(link, "file")
			_, _, passwords := ReadGuarded(path)
			_, issuers := ReadMounted(path, Mounted{Shared: true, Guarded: true})
			for _, err := range []error{passwords, issuers} {
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
			if _, err := ReadMounted(path, Mounted{}); err != nil {
				t.Errorf("a file that decides nothing: %v", err)
			}
		})
	}
}

// TestAGuardedFileOfAnotherUserIsRefused also if this user cannot change it: the other one
// can.
func TestAGuardedFileOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	path := filepath.Join(t.TempDir(), "issuers")
	try(t, os.WriteFile(path, []byte("[]"), 0o600))
	if _, err := ReadMounted(path, Mounted{Guarded: true}); err != nil {
		t.Errorf("of this user: %v", err)
	}
	try(t, os.Chown(path, 65534, 65534))
	if _, err := ReadMounted(path, Mounted{Guarded: true}); err == nil || !strings.Contains(err.Error(), "belongs to user 65534, who could change it") {
		t.Errorf("of another user: got %v", err)
	}
	if _, err := ReadMounted(path, Mounted{Guarded: true, Credentials: filepath.Dir(path)}); err != nil {
		t.Errorf("a credential of systemd: %v", err)
	}
}

// TestAGuardedFileOnAReadOnlyMountMayBelongToAnybody covers containers: the file has the
// user of another machine, and no user here can change it.
func TestAGuardedFileOnAReadOnlyMountMayBelongToAnybody(t *testing.T) {
	if path := os.Getenv("READ_GUARDED_TEST"); path != "" {
		text, err := ReadMounted(path, Mounted{Shared: true, Guarded: true})
		t.Logf("result %q %v", text, err)
		return
	}
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skip("this user cannot mount a file system: ", err)
	}
	self, err := os.Executable()
	try(t, err)
	for state, want := range map[string]string{"ro": `result "[]"`, "rw": "belongs to user 65534"} {
		script := `mount -t tmpfs none "$1" && printf '[]' >"$1/issuers" && chmod 400 "$1/issuers" && chown 65534 "$1" "$1/issuers" && mount -o "remount,$2" "$1" && shift 2 && exec "$@"`
		dir := t.TempDir()
		c := exec.Command("unshare", "-m", "sh", "-c", script, "sh", dir, state, self, "-test.v", "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), "READ_GUARDED_TEST="+filepath.Join(dir, "issuers"))
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %s, %v; want %s", state, out, err, want)
		}
	}
}
