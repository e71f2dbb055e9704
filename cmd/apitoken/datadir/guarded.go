package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// ReadGuarded reads a small regular file that decides what others may do, such as a
// file of passwords. It refuses a file of a user other than root and the user of this
// process, and a file that other users may change. The text is UTF-8, with all lines of
// the file. readable is the mode of a file that other users may read, and else 0.
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
	return nil
}
