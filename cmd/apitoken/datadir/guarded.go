package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// ReadGuarded reads a small regular file that decides what others may do, such as a
// file of passwords. It refuses a file of a user other than root and the user of this
// process, and a file that other users may change or replace. The text is UTF-8, with all
// lines of the file. readable is the mode of a file that other users may read, and else 0.
func ReadGuarded(path string) (text string, readable fs.FileMode, err error) {
	var mode fs.FileMode
	b, err := readBytes(path, "", regular, func(path string, _ *os.File, info fs.FileInfo) error {
		mode = info.Mode().Perm()
		return checkGuarded(path, info)
	})
	if err != nil {
		return "", 0, err
	}
	if text = strings.TrimPrefix(string(b), "\ufeff"); !utf8.ValidString(text) {
		return "", 0, fmt.Errorf("%s is not encoded as UTF-8; save it as UTF-8", path)
	}
	if mode&0o044 == 0 {
		mode = 0
	}
	return text, mode, nil
}

func checkGuarded(path string, info fs.FileInfo) error {
	if user := os.Geteuid(); owner(info) != user && owner(info) != 0 {
		return fmt.Errorf("%s belongs to user %d, who could change it; allowed: root and user %d, who runs this process", path, owner(info), user)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("other users may change %s (mode %03o): run `chmod go-w %s`", path, mode, path)
	}
	return checkFolders(path)
}

// checkFolders refuses a file in a folder whose files other users may replace, also if only
// the target of a link is in such a folder. Another user could put an older file back, which
// has the right owner and mode, and a password or an issuer that was taken away.
func checkFolders(path string) error {
	given, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(given)
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	for _, dir := range []string{filepath.Dir(given), filepath.Dir(target)} {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("checking the folder of %s: %w", path, err)
		}
		if err := checkFolder(path, dir, info); err != nil {
			return err
		}
	}
	return nil
}

// checkFolder accepts a folder with the sticky bit, like /tmp: there, users replace only
// their own files. It also accepts one that the group of this process may write: with the
// usual umask of 002, each folder of a user is so, and the group has only this user.
func checkFolder(path, dir string, info fs.FileInfo) error {
	if user := os.Geteuid(); owner(info) != user && owner(info) != 0 {
		return fmt.Errorf("the folder %s belongs to user %d, who could replace %s; allowed: root and user %d, who runs this process", dir, owner(info), path, user)
	}
	writers := fs.FileMode(0o022)
	if group(info) == os.Getegid() {
		writers = 0o002
	}
	if mode := info.Mode(); mode.Perm()&writers != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("other users may replace %s, because they may write into its folder %s (mode %03o): run `chmod go-w %s`", path, dir, mode.Perm(), dir)
	}
	return nil
}
