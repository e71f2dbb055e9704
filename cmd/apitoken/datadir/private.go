package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WritePrivate writes text and a line end into a file with mode 0600. It replaces
// an earlier file durably and atomically: after a kill at any moment a reader
// finds either the old file or the new one.
func WritePrivate(path, text string) error {
	return writeAtomically(path, text, os.Rename)
}

// WritePublic is WritePrivate for a file without a secret. The file has mode 0644.
func WritePublic(path, text string) error {
	return writeAtomically(path, text, func(from, to string) error {
		return errors.Join(os.Chmod(from, 0o644), os.Rename(from, to))
	})
}

// RemoveUnfinished removes what killed calls of WritePrivate for this path have left.
// No other process may write the file at the same time.
func RemoveUnfinished(path string) {
	left, _ := filepath.Glob(path + tempMark + "*") // only a malformed pattern is an error; then nothing is removed
	for _, name := range left {
		os.Remove(name)
	}
}

// writeOnce is WritePrivate for a file that must not be replaced. It keeps an
// earlier file and returns no error for it.
func writeOnce(path, text string) error {
	err := writeAtomically(path, text, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeAtomically writes the text into a temporary file in the same folder. name
// then gives this file its name.
func writeAtomically(path, text string, name func(from, to string) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if err := writeSynced(file, text); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := name(file.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// writeSynced relies on the mode 0600 of CreateTemp.
func writeSynced(file *os.File, text string) error {
	_, err := file.WriteString(text + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}

// NameNew gives the file from the name to, which must not exist, durably. It never
// replaces a file, except on a file system without hard links, if another process
// makes the file in the same moment.
func NameNew(from, to string) error {
	err := os.Link(from, to)
	switch {
	case err == nil:
		err = os.Remove(from)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EMLINK):
		if _, serr := os.Lstat(to); !errors.Is(serr, fs.ErrNotExist) {
			return &fs.PathError{Op: "naming", Path: to, Err: fs.ErrExist}
		}
		err = os.Rename(from, to)
	}
	if err != nil {
		return fmt.Errorf("naming %s: %w", to, err)
	}
	return syncDir(filepath.Dir(to))
}
