package datadir

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mounted says which files with a secret are accepted beside those that only their
// owner may read. The zero value accepts what Kubernetes mounts with an fsGroup, and
// what systemd passes to the service of another user: a file of root that its group
// may read, and not change.
type Mounted struct {
	// Credentials is the folder of systemd's LoadCredential=, the variable
	// CREDENTIALS_DIRECTORY. The group may read the files in it, and any user may own them:
	// the mode of such a file shows an access control list for one user.
	Credentials string
	// Shared accepts a file that all users may read, if this user cannot change it.
	Shared bool
	// Guarded says that the file decides what others may do. Then a user other than root
	// and this one must be able neither to change it nor to replace it.
	Guarded bool
}

// check refuses a file that others may change, and a file that others may read
// without being mounted for this process.
func (m Mounted) check(path string, file *os.File, info fs.FileInfo) error {
	if err := m.checkReaders(path, file, info); err != nil || !m.Guarded || m.isCredential(path) || readOnly(file) {
		return err
	}
	return checkGuarded(path, info)
}

func (m Mounted) checkReaders(path string, file *os.File, info fs.FileInfo) error {
	open := info.Mode().Perm() & 0o077
	switch {
	case open == 0o040 && (owner(info) == 0 || m.isCredential(path)):
		return nil
	case open&0o022 == 0 && m.Shared && fixed(path, file, info):
		return nil
	}
	return checkPrivate(path, info, "600")
}

// isCredential reports whether the file, or the target of the link, is in the folder
// of credentials.
func (m Mounted) isCredential(path string) bool {
	if m.Credentials == "" {
		return false
	}
	folder, folderErr := realPath(m.Credentials)
	file, fileErr := realPath(path)
	return folderErr == nil && fileErr == nil && filepath.Dir(file) == folder
}

func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// fixed reports whether this user cannot change the file: its file system is
// mounted read-only, or the file is another user's and the mode allows no writing.
// Otherwise the user can close the file, and needs no exception.
func fixed(path string, file *os.File, info fs.FileInfo) bool {
	return readOnly(file) || owner(info) != os.Geteuid() && unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) != nil
}

// readOnly reports whether the file system of the file is mounted read-only.
func readOnly(file *os.File) bool {
	var fsInfo unix.Statfs_t
	return unix.Fstatfs(int(file.Fd()), &fsInfo) == nil && fsInfo.Flags&mountedReadOnly != 0
}

// mountedReadOnly is ST_RDONLY of Linux and MNT_RDONLY of the BSDs.
const mountedReadOnly = 1

// owner is the id of the user that a file belongs to.
func owner(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// group is the id of the group that a file belongs to.
func group(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Gid)
	}
	return -1
}
