package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxPrivate is more than any file has that ReadPrivate is meant for.
const maxPrivate = 64 << 10

// ReadPrivate reads a small file that holds a secret, without the white space
// around it. It refuses a file that others than its owner may read or change,
// and names the command that mends it.
func ReadPrivate(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening a file with a secret: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a folder, not a file with a secret", path)
	}
	if err := private(path, info, "600"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(file, maxPrivate))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// WritePrivate puts text and a line's end into a file with mode 0600,
// replacing what was there, durably and all at once: a reader sees the old
// file or the new one, whatever is killed when.
func WritePrivate(path, text string) error {
	return place(path, text, os.Rename)
}

// writeOnce is WritePrivate for a file that must not be replaced: if there is
// one already, it stays, and that is no error.
func writeOnce(path, text string) error {
	err := place(path, text, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// place writes the text beside path and then gives it its name.
func place(path, text string, name func(from, to string) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if err := fill(file, text); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := name(file.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// fill relies on CreateTemp's mode 0600.
func fill(file *os.File, text string) error {
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
