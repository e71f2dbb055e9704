package datadir

import (
	"errors"
	"os"
)

// MakePrivateFolder makes a folder with mode 0700, and its missing parents. It refuses
// a folder that CheckPrivateFolder refuses.
func MakePrivateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return CheckPrivateFolder(dir)
}

// CheckPrivateFolder refuses a folder of another user, and a folder that other users
// may enter: they could replace the files in it. The error wraps fs.ErrNotExist if
// there is no such folder.
func CheckPrivateFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return errors.Join(checkOwner(dir, info), checkPrivate(dir, info, "700"))
}
