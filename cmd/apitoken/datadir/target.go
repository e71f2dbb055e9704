package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenTarget is the file that will get a new token. It is prepared before the
// token exists, so that the token is not lost because the file cannot be written.
type TokenTarget struct {
	path string
	temp *os.File
	once bool // path must not exist when the text is written
}

// maxTokenFile is the number of bytes that a target reserves: more than any token
// and the line end.
const maxTokenFile = 128

// PrepareTokenTarget checks the file at path, and reserves a new file beside it.
// The file may be missing. Otherwise it must be a regular file of this user, closed
// to other users, and must be empty or contain a token with this id: another text
// would be lost. A symbolic link is refused, because the new file would replace the
// link and not its target. Only one process at a time may prepare a path: the new
// file always has the same name, so what a killed process reserved is replaced.
func PrepareTokenTarget(path, id string) (*TokenTarget, error) {
	if err := checkTarget(path, id); err != nil {
		return nil, err
	}
	reserved := path + tempMark + "0"
	os.Remove(reserved) // it may be missing
	temp, err := os.OpenFile(reserved, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("preparing to write %s: %w", path, err)
	}
	return reserve(&TokenTarget{path: path, temp: temp})
}

// NewTokenTarget reserves a file for a token that does not exist yet. Nothing may be at
// path, neither now nor when the token is written: another process may have written
// its token there.
func NewTokenTarget(path string) (*TokenTarget, error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return nil, fmt.Errorf("%s exists; give the path of a new file", path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("checking the file for the new token: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark)
	if err != nil {
		return nil, fmt.Errorf("preparing to write %s: %w", path, err)
	}
	t, err := reserve(&TokenTarget{path: path, temp: temp, once: true})
	if err != nil {
		return nil, err
	}
	if err := t.tryName(); err != nil {
		return nil, err
	}
	return t, nil
}

// tryName gives the reserved file a second name for a moment. Some file systems have no
// hard links, and after the call it would be too late to learn that.
func (t *TokenTarget) tryName() error {
	second := t.temp.Name() + "-link"
	if err := os.Link(t.temp.Name(), second); err != nil {
		t.Discard()
		return fmt.Errorf("preparing to write %s: its folder must be on a file system with hard links: %w", t.path, err)
	}
	return os.Remove(second)
}

// reserve takes the space of a token on the disk.
func reserve(t *TokenTarget) (*TokenTarget, error) {
	_, err := t.temp.WriteString(strings.Repeat("\n", maxTokenFile))
	if err = errors.Join(err, t.temp.Sync()); err != nil {
		t.Discard()
		return nil, fmt.Errorf("preparing to write %s: %w", t.path, err)
	}
	return t, nil
}

func checkTarget(path, id string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("checking the file for the new token: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link; give the path of the file itself", path)
	}
	if err := errors.Join(regular(path, info), checkOwner(path, info)); err != nil {
		return err
	}
	text, err := ReadPrivate(path)
	if err != nil || text == "" {
		return err
	}
	held, err := ParseToken(text)
	if err != nil {
		return fmt.Errorf("%s contains something other than a token, which would be lost; give another file", path)
	}
	if held.ID != id {
		return fmt.Errorf("%s contains the token %s and not %s, and it would be lost; give another file", path, held.ID, id)
	}
	return nil
}

// Write gives the file the text and a line end, durably and atomically: after a
// kill at any moment a reader finds either the old file or the new one. The mode is
// 0600.
func (t *TokenTarget) Write(text string) error {
	line := text + "\n"
	_, err := t.temp.WriteAt([]byte(line), 0)
	if err == nil {
		err = t.temp.Truncate(int64(len(line)))
	}
	err = errors.Join(err, t.temp.Sync(), t.temp.Close())
	if err == nil {
		err = t.name()
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", t.path, err)
	}
	t.temp = nil
	return syncDir(filepath.Dir(t.path))
}

// name gives the file with the token its path.
func (t *TokenTarget) name() error {
	if !t.once {
		return os.Rename(t.temp.Name(), t.path)
	}
	if err := os.Link(t.temp.Name(), t.path); err != nil {
		return err
	}
	os.Remove(t.temp.Name()) // a second name of the token's file is harmless
	return nil
}

// Discard removes what was reserved. After a successful Write, and the second time, it
// does nothing: the reserved file may then be that of another process.
func (t *TokenTarget) Discard() {
	if t == nil || t.temp == nil {
		return
	}
	t.temp.Close()
	os.Remove(t.temp.Name())
	t.temp = nil
}
